#!/bin/bash
# SPDX-License-Identifier: MIT
#
# vail-libvirt does not take the display of a guest from a vail-qemu that somebody else has started for
# it, and shares the guest when that has ended.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"
# shellcheck source=tests/system/lib/libvirt.sh
. "$ROOT/tests/system/lib/libvirt.sh"

GUID=6f1ae8ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
QMP=/var/lib/libvirt/qemu/guest.qmp
METADATA="<access><displayClient user='vail-alice'/></access>"

# Defines a guest whose QEMU has a monitor beside that of libvirt.
define_guest() {
  cat >"$BOX_ROOT/root/guest.xml" <<END
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>guest</name><uuid>$GUID</uuid><memory unit='MiB'>64</memory><os><type>hvm</type></os>
  <devices><graphics type='dbus' p2p='yes'/><video><model type='virtio'/></video></devices>
  <qemu:commandline>
    <qemu:arg value='-qmp'/><qemu:arg value='unix:$QMP,server=on,wait=off'/>
  </qemu:commandline>
</domain>
END
  quietly box virsh define /root/guest.xml
}

# Prints the pid of the process that serves the guest's display channels, or nothing.
server() { box vailctl --json list | jq -r '.virtualMachines[].displayServerPid // empty'; }
is_served() { [ -n "$(server)" ]; }
is_served_by_another() { is_served && [ "$(server)" != "$1" ]; }

check_other_agent() {
  local other

  quietly box systemctl start vail-libvirt
  quietly box virsh start guest
  quietly box systemd-run --unit other-agent vail-qemu --qmp "$QMP" --user vail-alice
  expect "a vail-qemu by hand serves the guest" eventually is_served
  other=$(server)
  quietly box virsh metadata guest https://vaild.io/libvirt/1 --key vail --live --set "$METADATA"
  eventually libvirt_log_has 'guest: (another vail-qemu shares its screen|started vail-qemu)'
  expect "vail-libvirt says that another vail-qemu shares the screen" \
    libvirt_log_has 'guest: another vail-qemu shares its screen; waiting'
  expect_equal "the other vail-qemu goes on serving the guest" "$other" "$(server)"
  quietly box systemctl stop other-agent
  expect "vail-libvirt shares the guest when the other one has ended" \
    eventually is_served_by_another "$other"
}

needs_libvirt "vail-libvirt leaves a display to another vail-qemu"
box_start
box_install
start_libvirt
define_guest
check_other_agent
box_log_on_failure
box_stop
finish
