#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vail-libvirt with a guest whose display is on a bus of its own: <graphics type='dbus'/>. Only
# QEMU's user may join such a bus, and so a vail-qemu of that user shares the screen.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"
# shellcheck source=tests/system/lib/libvirt.sh
. "$ROOT/tests/system/lib/libvirt.sh"

QEMU_UID=64055

# Prints the user and the effective capabilities of the only vail-qemu.
agent_privileges() {
  box sh -c 'grep -E "^(Uid|Gid|Groups|CapEff):" "/proc/$(pgrep -x vail-qemu)/status"' | tr -s '\t ' ' ' |
    tr '\n' ';'
}

check_start() {
  local ids

  make_disk
  define guest "$GUID" "<graphics type='dbus'/>"
  quietly box systemctl start vail-libvirt
  quietly box virsh start guest
  expect "a guest without consent is mentioned" \
    eventually libvirt_log_has 'guest: not shared, because its metadata name no display client'
  expect "it is no VM of vaild" vm_is_gone
  quietly box virsh destroy guest
  consent guest --set "$(of vail-alice)" --config
  quietly box virsh start guest
  expect "alice sees the screen without any further command" eventually alice_sees "$TEXT_MODE"
  expect_equal "the VM has the guest's name, QEMU as its VMM, and QEMU's user as its agent" \
    "guest $(box cat /run/libvirt/qemu/guest.pid) $QEMU_UID" \
    "$(vm '"\(.name) \(.vmmPid) \(.agent.user)"')"
  ids="$QEMU_UID $QEMU_UID $QEMU_UID $QEMU_UID"
  expect_equal "vail-qemu is a process of that user without privileges" \
    "Uid: $ids;Gid: $ids;Groups: ;CapEff: 0000000000000000;" "$(agent_privileges)"
  expect "bob is refused" is_refused vail-bob
  expect_match "vail-libvirt status shows the guest as shared" \
    'display D-Bus, on a bus of its own display clients vail-alice shared yes' \
    "$(box vail-libvirt status | tr -s '\n ' ' ')"
}

# Prints the name of a file in the box with the guest's definition.
inactive_xml() {
  box virsh dumpxml guest --inactive >"$BOX_ROOT/root/inactive.xml"
  echo /root/inactive.xml
}

check_guest() {
  expect "alice sees what the guest draws" eventually shows_after_key "$PATTERN"
  expect "alice sees the restarted guest" eventually shows_after_key "$TEXT_MODE"
  quietly box virsh save guest /root/guest.save
  expect "a saved guest is no VM any more" eventually vm_is_gone
  # The saved definition names the bus that libvirt has ended with the saved QEMU.
  quietly box virsh restore /root/guest.save --xml "$(inactive_xml)"
  expect "alice sees the restored guest" eventually sees vail-alice
  quietly box virsh managedsave guest
  expect "a guest with a managed save is no VM any more" eventually vm_is_gone
  quietly box virsh managedsave-define guest "$(inactive_xml)"
  quietly box virsh start guest
  expect "alice sees the guest that is started from it" eventually sees vail-alice
}

check_metadata() {
  consent guest --set "$(of vail-alice vail-bob)" --live
  expect "a second user in the metadata may register at once" eventually clients_are "vail-alice vail-bob"
  consent guest --set "$(of vail-alice)" --live
  expect "a removed user may not register any more" eventually clients_are "vail-alice"
  expect_seen_by_alice_alone "after the removal of bob"
  consent guest --remove --live
  expect "without metadata the VM ends in vaild" eventually vm_is_gone
  expect "its vail-qemu has ended, although it was one of another user" no_agent
  consent guest --set "$(of vail-alice)" --live
  expect "with metadata again the screen is shared again" eventually sees vail-alice
}
no_agent() { ! box pgrep -x vail-qemu >/dev/null; }

check_restarts() {
  local before agent

  before=$(handle) agent=$(box pgrep -x vail-qemu)
  restart_libvirt
  expect_equal "the screen stays shared while libvirtd restarts" "$before $agent" \
    "$(handle) $(box pgrep -x vail-qemu)"
  quietly box systemctl restart vaild
  expect "the screen is shared after a restart of vaild" eventually is_shared
  expect_seen_by_alice_alone "after the restart of vaild"
  box kill -KILL "$agent"
  expect "a killed vail-qemu is started again" eventually is_shared_by_another "$agent"
  before=$(handle)
  quietly box systemctl restart vail-libvirt
  expect "a restarted vail-libvirt shares the screen again" eventually is_shared_anew "$before"
  expect_seen_by_alice_alone "after the restart of vail-libvirt"
}

# A vaild that has forgotten the VM learns of it from vail-libvirt, and not from the vail-qemu of
# QEMU's user, even if that may add VMs of its own.
check_forgetful_vaild() {
  box mkdir -p /etc/vaild
  echo '{"allowUserMachines":true}' >"$BOX_ROOT/etc/vaild/vaild.json"
  quietly box systemctl stop vaild.socket vaild.service
  quietly box systemctl start vaild.socket vaild.service
  eventually vm_is_known
  expect_equal "a vaild that has forgotten the VM is told of it by root" 0 "$(vm .registeredByUid)"
  eventually is_shared_or_refused
  expect "the vail-qemu of QEMU's user shares the screen, and adds no VM of its own" is_shared
  expect_seen_by_alice_alone "after vaild has forgotten the VM"
}
is_shared_or_refused() { is_shared || libvirt_log_has 'vaild does not accept the virtual machine: --user'; }
vm_is_known() { ! vm_is_gone; }

check_removal() {
  box vailctl vm remove "$GUID" >/dev/null
  expect "vail-libvirt notices that an operator has removed the VM" \
    eventually libvirt_log_has 'guest: an operator has removed the VM from vaild'
  expect "it does not add the VM again" vm_is_gone
  quietly box virsh destroy guest
  quietly box virsh start guest
  expect "a guest that is started again is shared" eventually is_shared
  quietly box virsh destroy guest
  expect "a destroyed guest is no VM any more" eventually vm_is_gone
  quietly box virsh undefine guest
}

# start_with GRAPHICS NAME USER...: starts a guest of another name with these display clients.
start_with() {
  local graphics=$1 name=$2
  shift 2

  define "$name" "$GUID" "$graphics"
  consent "$name" --set "$(of "$@")" --config
  quietly box virsh start "$name"
}

# expect_refused CHECK NAME PATTERN: checks that vail-libvirt says this instead of sharing the guest.
expect_refused() {
  eventually libvirt_log_has "$2: ($3|started vail-qemu)"
  expect "$1" libvirt_log_has "$2: $3"
  expect "$1: the display is not opened" libvirt_log_lacks "$2: (started vail-qemu|libvirt does not open)"
  expect "$1: the guest is no VM of vaild" vm_is_gone
  quietly box virsh destroy "$2"
  quietly box virsh undefine "$2"
}
libvirt_log_lacks() { ! libvirt_log_has "$1"; }

# A domain can name the address of any bus. This one is bob's, and lets everybody in.
check_bus_of_another_user() {
  printf '%s\n' '<busconfig><listen>unix:path=/srv/bob/bus</listen><auth>EXTERNAL</auth>' \
    '<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>' \
    '<allow eavesdrop="true"/></policy></busconfig>' >"$BOX_ROOT/etc/bob.conf"
  box install -d -o vail-bob /srv/bob
  quietly box systemd-run --unit bob-bus --uid vail-bob dbus-daemon --config-file=/etc/bob.conf --nofork
  eventually box test -S /srv/bob/bus
  start_with "<graphics type='dbus' address='unix:path=/srv/bob/bus'/>" foreign vail-alice
  expect_refused "a bus of another user is refused" foreign \
    "not shared, because the bus of its display is not one of QEMU's user"
}

# libvirt would disconnect another client of the display when it opens the display.
check_unknown_user() {
  start_with "<graphics type='dbus' p2p='yes'/>" unknown vail-alice vail-nobody
  expect_refused "an unknown user in the metadata is refused" unknown \
    'not shared, because its metadata name the user "?vail-nobody"?, whom this host does not know'
}

needs_libvirt "vail-libvirt shares a display on a bus"
box_start
box_install
start_libvirt
check_start
check_guest
check_metadata
check_restarts
check_forgetful_vaild
check_removal
check_bus_of_another_user
check_unknown_user
box_log_on_failure
box_stop
finish
