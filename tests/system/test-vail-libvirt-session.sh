#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vail-libvirt with guests of an ordinary user, those of qemu:///session: as the user's service,
# where vaild has allowUserMachines.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"
# shellcheck source=tests/system/lib/libvirt.sh
. "$ROOT/tests/system/lib/libvirt.sh"

RUNTIME=/run/user/$ALICE

# as_alice COMMAND...: runs a command as in a session of alice's.
as_alice() {
  run_as vail-alice env XDG_RUNTIME_DIR="$RUNTIME" HOME=/srv/alice USER=vail-alice \
    DBUS_SESSION_BUS_ADDRESS="unix:path=$RUNTIME/bus" "$@"
}
virsh_of_alice() { quietly as_alice virsh --connect qemu:///session "$@"; }

session_log_has() {
  box journalctl --sync
  box journalctl --quiet --no-pager -o cat _SYSTEMD_USER_UNIT=vail-libvirt.service | grep -E "$1" >/dev/null
}

# Starts alice's systemd, and gives her a home. PAM would ask for her password in this machine's
# /etc/shadow.
start_session() {
  mkdir "$BOX_ROOT/etc/systemd/system/user@.service.d"
  printf '%s\n' '[Service]' PAMName= "Environment=XDG_RUNTIME_DIR=$RUNTIME HOME=/srv/alice" \
    >"$BOX_ROOT/etc/systemd/system/user@.service.d/no-pam.conf"
  quietly box systemctl daemon-reload
  box install -d -o vail-alice -g vail-alice /srv/alice
  expect "alice's systemd starts" quietly box systemctl start "user@$ALICE"
}

# define_for_alice NAME GUID GRAPHICS: defines a guest of alice's.
define_for_alice() {
  print_domain "$@" >"$BOX_ROOT/srv/$1.xml"
  virsh_of_alice define "/srv/$1.xml"
  virsh_of_alice metadata "$1" "$NAMESPACE" --key vail --set "$(of vail-alice)" --config
}

check_absence() {
  expect_equal "systemd-analyze verify reports no error in the user's unit" "" \
    "$(as_alice systemd-analyze --user --man=no verify /usr/lib/systemd/user/vail-libvirt.service 2>&1)"
  expect "the user's service starts without a libvirt of the user" \
    quietly as_alice systemctl --user start vail-libvirt
  eventually session_log_has '(trying again until libvirt answers|following qemu)'
  expect "it starts none" not_running libvirtd
}
not_running() { ! box pgrep -x "$1" >/dev/null; }

check_refusal() {
  expect_match "vail-libvirt status names the libvirt that has no domains" '^The libvirt qemu:///session has no domains\.' \
    "$(as_alice vail-libvirt status --connect qemu:///session)"
  define_for_alice guest "$GUID" "<graphics type='dbus' p2p='yes'/>"
  virsh_of_alice start guest
  expect "without allowUserMachines, the log says how to allow it" \
    eventually session_log_has 'ask an administrator to set allowUserMachines'
  expect "and the guest is no VM of vaild" vm_is_gone
  virsh_of_alice destroy guest
}

check_sharing() {
  box mkdir -p /etc/vaild
  echo '{"allowUserMachines":true}' >"$BOX_ROOT/etc/vaild/vaild.json"
  quietly box systemctl reload vaild
  virsh_of_alice start guest
  expect "with allowUserMachines, alice sees her guest without any further command" \
    eventually sees vail-alice
  expect_equal "the VM is alice's" "guest $ALICE" "$(vm '"\(.name) \(.registeredByUid)"')"
  expect "bob is refused" is_refused vail-bob
  expect_match "vail-libvirt status shows alice her guest" \
    'guest 5f1ae8ba-.* display clients vail-alice shared yes' \
    "$(as_alice vail-libvirt status --connect qemu:///session | tr -s '\n ' ' ')"
  quietly box systemctl restart vaild
  expect "alice sees the guest after a restart of vaild" eventually sees vail-alice
  virsh_of_alice destroy guest
  expect "a destroyed guest is no VM any more" eventually vm_is_gone
}

check_bus() {
  virsh_of_alice undefine guest
  define_for_alice guest "$GUID" "<graphics type='dbus'/>"
  virsh_of_alice start guest
  expect "alice sees a guest of hers whose display is on a bus" eventually sees vail-alice
  expect_equal "she is its agent, and vail-qemu is a process of hers" "vail-alice vail-alice" \
    "$(vm .agent.user | user_name) $(box ps -o user:32= -C vail-qemu | tr -d ' ')"
  expect "bob is refused" is_refused vail-bob
}
user_name() { sed "s/^$ALICE\$/vail-alice/"; }

# The user's libvirtd and QEMU are not processes of the service.
check_stop() {
  quietly as_alice systemctl --user stop vail-libvirt
  expect "vail-qemu ends with the service" eventually is_not_shared
  expect "the guest goes on" quietly box pgrep -x -u vail-alice qemu-system-x86
  quietly as_alice systemctl --user start vail-libvirt
  expect "it is shared again when the service starts" eventually sees vail-alice
}

needs_libvirt "vail-libvirt shares the guests of an ordinary user"
box_start
box_install
start_session
check_absence
check_refusal
check_sharing
check_bus
check_stop
box_log_on_failure
box_stop
finish
