#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vail-libvirt with the real libvirtd and QEMU in a box: a guest whose metadata name alice is
# seen by her alone, and the sharing follows the metadata, libvirtd, vaild and the guest.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"
# shellcheck source=tests/system/lib/libvirt.sh
. "$ROOT/tests/system/lib/libvirt.sh"

SILENT=6f1ae8ba-2c4e-4f4b-9b8b-0d5a3a4a7f10 # nobody may register for this guest

check_start() {
  make_disk
  define guest "$GUID" "<graphics type='vnc' autoport='yes'/><graphics type='dbus' p2p='yes'/>"
  DISK="" define silent "$SILENT" "<graphics type='dbus' p2p='yes'/>"
  consent guest --set "$(of vail-alice)" --config
  expect "the service starts while libvirt runs" quietly box systemctl start vail-libvirt
  expect "virsh start is all that has to be done" quietly box virsh start guest
  expect "the guest's screen is shared" eventually is_shared
  expect_equal "the VM has the guest's name, and QEMU as its VMM" \
    "guest $(box cat /run/libvirt/qemu/guest.pid)" "$(vm '"\(.name) \(.vmmPid)"')"
  expect_seen_by_alice_alone "after the start"
  quietly box virsh start silent
  expect "a guest without consent is mentioned" \
    eventually libvirt_log_has 'silent: not shared, because its metadata name no display client'
  expect_equal "a guest without consent is no VM of vaild" "" \
    "$(box vailctl --json list | jq -r ".virtualMachines[] | select(.virtualMachineGuid == \"$SILENT\")")"
  GUID=$SILENT expect "so alice cannot see it" is_unknown_to vail-alice
}

# is_unknown_to USER: tests whether vaild knows no VM of the guest.
is_unknown_to() { ! sees "$1" && grep -q STATUS_NOT_FOUND "$PRIVATE/view.log"; }

check_status() {
  DISK="" define plain 7f1ae8ba-2c4e-4f4b-9b8b-0d5a3a4a7f10 ""
  box vail-libvirt status >"$PRIVATE/status"
  expect_match "vail-libvirt status shows the shared guest" \
    'guest 5f1ae8ba-.* running .* display clients vail-alice .*shared yes' \
    "$(grep -A5 '^guest ' "$PRIVATE/status" | tr -s '\n' ' ')"
  expect_match "vail-libvirt status shows the command that gives consent" \
    "virsh metadata $SILENT $NAMESPACE" "$(grep -A9 '^silent ' "$PRIVATE/status")"
  expect_match "vail-libvirt status shows how to add a display" \
    "virsh edit 7f1ae8ba" "$(grep -A9 '^plain ' "$PRIVATE/status")"
  expect "the shown command gives consent" quietly box sh -c \
    "$(grep -A9 '^silent ' "$PRIVATE/status" | sed -n '/virsh metadata/,/--set/p' | sed s/USER/vail-carol/)"
  expect "that guest is then shared" eventually libvirt_log_has 'silent: started vail-qemu'
  quietly box virsh destroy silent
}

check_metadata() {
  consent guest --set "$(of vail-alice vail-bob)" --live
  expect "a second user in the metadata may register at once" eventually clients_are "vail-alice vail-bob"
  expect "bob sees the screen" sees vail-bob
  consent guest --set "$(of vail-alice)" --live
  expect "a removed user may not register any more" eventually clients_are "vail-alice"
  expect_seen_by_alice_alone "after the removal of bob"
  check_rights
  consent guest --remove --live
  expect "without metadata the VM ends in vaild" eventually vm_is_gone
  consent guest --set "<access><viewer user='vail-alice'/></access>" --live
  expect "wrong metadata are reported" \
    eventually libvirt_log_has 'guest: the metadata have an element other than displayClient'
  consent guest --set "$(of vail-alice)" --live
  eventually is_shared
  consent guest --set "<access><displayclient user='vail-bob'/></access>" --live
  expect "a mistake in the metadata withdraws the consent that stood there" eventually vm_is_gone
  consent guest --set "$(of vail-alice)" --live
  eventually is_shared
  consent guest --set "$(of vail-nobody-of-this-name)" --live
  expect "so does a user who does not exist" eventually vm_is_gone
  consent guest --set "$(of vail-alice)" --live
  expect "with metadata again the screen is shared again" eventually is_shared
}

# with_rights RIGHTS: prints metadata that give alice these rights.
with_rights() {
  printf "<access><displayClient user='vail-alice' rights='%s'/></access>" "$1"
}

check_rights() {
  local before

  consent guest --set "$(with_rights "view input")" --live
  expect "rights in the metadata are given at once" eventually rights_are "vail-alice:view,input"
  expect_match "vail-libvirt status shows them" "display clients +vail-alice \(view,input\)" \
    "$(box vail-libvirt status)"
  before=$(handle)
  quietly box systemctl restart vail-libvirt
  expect "a restarted vail-libvirt shares the screen again" eventually is_shared_anew "$before"
  expect_equal "the rights are the same after a restart of vail-libvirt" "vail-alice:view,input" \
    "$(vm '[.displayClients[] | "\(.user):\(.rights | join(","))"] | join(" ")')"
  consent guest --set "$(with_rights "view fly")" --live
  expect "an unknown right is reported" \
    eventually libvirt_log_has 'guest: the rights attribute of a displayClient has an unknown right'
  consent guest --set "$(with_rights "clipboard")" --live
  expect "changed rights are given at once" eventually rights_are "vail-alice:view,clipboard"
  consent guest --set "$(of vail-alice)" --live
  expect "without rights only view is left" eventually rights_are "vail-alice:view"
}

# A user database that fails is like one without alice. libvirtd restarts just then.
check_user_database() {
  local before passwd=$BOX_ROOT/etc/passwd

  before=$(handle)
  cp "$passwd" "$PRIVATE/passwd"
  sed -i '/^vail-alice:/d' "$passwd"
  restart_libvirt
  expect "a user whom the host does not know any more is mentioned" \
    eventually libvirt_log_has 'guest: the VM stays as it is, because its metadata name the user'
  cp "$PRIVATE/passwd" "$passwd"
  expect_equal "the VM and its shared screen stay" "vail-alice $before" \
    "$(vm '[.displayClients[].user] | join(" ")') $(handle)"
}

# While a drop-in applies, the owner replaces alice by bob.
check_drop_in() {
  box sh -c "umask 022; mkdir -p /etc/vaild/machines.d; echo '{ \"virtualMachineGuid\": \"$GUID\",
    \"displayClients\": [ { \"user\": \"vail-carol\" } ] }' >/etc/vaild/machines.d/50-guest.json"
  quietly box vailctl reload
  expect "a drop-in replaces the display clients of the metadata" clients_are vail-carol
  consent guest --set "$(of vail-bob)" --live
  expect "metadata that change meanwhile are remembered" eventually remembers vail-bob:view
  expect "the log says that a drop-in comes first" eventually libvirt_log_has \
    'because a drop-in in /etc/vaild/machines.d names the display clients of the VM'
  expect "the drop-in's display client stays" clients_are vail-carol
  box rm /etc/vaild/machines.d/50-guest.json
  quietly box vailctl reload
  expect "nobody may register when the drop-in goes" clients_are ""
  consent guest --set "$(of vail-alice)" --live
  expect "metadata that change then count" eventually clients_are vail-alice
}
remembers() { [ "$(box cat "/run/vail-libvirt/$GUID")" = "$1" ]; }

check_operator() {
  box vailctl vm update "$GUID" --user vail-bob >/dev/null
  consent guest --set "$(of vail-alice vail-carol)" --live
  expect "metadata do not replace what an operator has set" \
    eventually libvirt_log_has 'an operator has set the display clients of the VM in vaild'
  expect "the operator's display client stays" clients_are vail-bob
  box vailctl vm update "$GUID" --user vail-alice >/dev/null
  consent guest --set "$(of vail-alice)" --live
  expect "metadata that name the same as the operator are remembered" eventually remembers vail-alice:view
  consent guest --set "$(of vail-carol)" --live
  expect "so they count when they change again" eventually clients_are vail-carol
  box vailctl vm update "$GUID" --user vail-carol >/dev/null
  consent guest --set "$(of vail-alice)" --live
  expect "an operator who repeats the metadata does not stop them" eventually clients_are vail-alice
}

# Checks consent that changes while vail-qemu, vail-libvirt or vaild does not run.
check_absence() {
  box pkill -KILL -x vail-qemu
  consent guest --set "$(of vail-bob)" --live
  expect "metadata that change before vail-qemu is started again count" eventually clients_are vail-bob
  eventually is_shared
  quietly box systemctl stop vail-libvirt
  consent guest --set "$(of vail-alice)" --live
  quietly box systemctl start vail-libvirt
  expect "metadata that change while vail-libvirt does not run count" eventually clients_are vail-alice
  eventually is_shared
  quietly box systemctl stop vail-libvirt
  consent guest --remove --live
  quietly box systemctl start vail-libvirt
  expect "a consent that is withdrawn while vail-libvirt does not run ends the VM" eventually vm_is_gone
  consent guest --set "$(of vail-alice)" --live
  eventually is_shared
  quietly box systemctl stop vaild.socket vaild.service
  consent guest --set "$(of vail-bob)" --live
  expect "vail-libvirt reports that vaild is away" \
    eventually libvirt_log_has 'guest: cannot change the display clients in vaild: cannot reach vaild'
  quietly box systemctl start vaild.socket vaild.service
  eventually is_shared
  expect "metadata that change while vaild does not run count" eventually clients_are vail-bob
  consent guest --set "$(of vail-alice)" --live
  eventually clients_are vail-alice
}

check_removal() {
  box vailctl vm remove "$GUID" >/dev/null
  expect "vail-libvirt notices that an operator has removed the VM" \
    eventually libvirt_log_has 'guest: an operator has removed the VM from vaild'
  expect "it does not add the VM again" vm_is_gone
  consent guest --set "$(of vail-alice vail-bob)" --live
  expect "changed metadata add the VM again" eventually is_shared
  consent guest --set "$(of vail-alice)" --live
  eventually clients_are vail-alice
}

# Prints the number of fds of vail-libvirt.
fd_count() { box sh -c "ls /proc/$(property MainPID vail-libvirt.service)/fd" | wc -l; }

check_restarts() {
  local before fds agent
  start_viewer
  expect "alice's viewer shows the guest" eventually viewer_shows "$TEXT_MODE"
  before=$(handle) fds=$(fd_count) agent=$(box pgrep -x vail-qemu)
  restart_libvirt
  restart_libvirt
  expect_equal "the screen stays shared while libvirtd restarts" "$before $agent" \
    "$(handle) $(box pgrep -x vail-qemu)"
  expect_equal "a new connection to libvirt costs no fd" "$fds" "$(fd_count)"
  consent guest --set "$(of vail-alice vail-bob)" --live
  expect "metadata are followed after libvirtd's restart" eventually clients_are "vail-alice vail-bob"
  consent guest --set "$(of vail-alice)" --live
  eventually clients_are vail-alice
  quietly box systemctl restart vaild
  expect "the screen is shared after a restart of vaild" eventually is_shared
  expect_seen_by_alice_alone "after the restart of vaild"
  before=$(handle)
  quietly box systemctl restart vail-libvirt
  expect "a restarted vail-libvirt shares the screen again" eventually is_shared_anew "$before"
  expect_seen_by_alice_alone "after the restart of vail-libvirt"
  expect "the viewer that ran all the time shows what the guest draws" \
    eventually viewer_shows_after_key "$PATTERN"
  expect "it shows the guest that has restarted itself" eventually viewer_shows_after_key "$TEXT_MODE"
  expect_equal "it is still the same viewer" "$VIEWER" "$(box pgrep -x vail-view)"
}

# The messages of all guests are in one journal.
check_messages() {
  box vailctl vm quarantine guest
  expect "a vail-qemu that vail-libvirt has started names its guest" \
    eventually libvirt_log_has 'guest: console 0 is not shared any more'
  box vailctl vm release guest
  eventually is_shared
}

no_viewer() { ! box pgrep -x vail-view >/dev/null; }

check_guest_states() {
  quietly box virsh save guest /root/guest.save
  expect "a saved guest is no VM any more" eventually vm_is_gone
  expect "the viewer ends with it" eventually no_viewer
  quietly box virsh restore /root/guest.save
  expect "a restored guest is shared" eventually is_shared
  expect_seen_by_alice_alone "after the restore"
  quietly box virsh managedsave guest
  expect "a guest with a managed save is no VM any more" eventually vm_is_gone
  quietly box virsh start guest
  expect "it is shared when it is started from the managed save" eventually is_shared
  quietly box virsh reboot guest
  quietly box virsh reset guest
  expect_seen_by_alice_alone "after a reset"
  local agent
  agent=$(box pgrep -x vail-qemu)
  box kill -KILL "$agent"
  expect "a killed vail-qemu is started again" eventually is_shared_by_another "$agent"
  local before
  before=$(handle)
  quietly box virsh destroy guest
  quietly box virsh start guest
  expect "a guest that is destroyed and started at once is shared" eventually is_shared_anew "$before"
  box pkill -STOP -x vail-qemu
  consent guest --remove --live
  expect "a vail-qemu that hangs does not keep a withdrawn consent" eventually vm_is_gone
  consent guest --set "$(of vail-alice)" --live
  eventually is_shared
  quietly box virsh destroy guest
  expect "a destroyed guest is no VM any more" eventually vm_is_gone
}

check_stop() {
  quietly box virsh start guest
  eventually is_shared
  quietly box systemctl stop vail-libvirt
  expect "vail-qemu ends with vail-libvirt" eventually is_not_shared
  quietly box systemctl stop libvirtd
  expect "the service starts without libvirt" quietly box systemctl start vail-libvirt
  expect "vail-libvirt waits for a libvirt that does not run" \
    eventually libvirt_log_has 'trying again until libvirt answers'
  quietly box systemctl start libvirtd
  expect "it shares the screen when libvirt runs" eventually is_shared
}

check_unit() {
  local manuals=()

  box sh -c 'command -v man' >/dev/null || manuals=(--man=no)
  expect_equal "systemd-analyze verify reports no error in the unit" "" \
    "$(box systemd-analyze verify "${manuals[@]}" /usr/lib/systemd/system/vail-libvirt.service 2>&1)"
  expect "systemd-analyze security rates the exposure of the unit as 1.5 at most" quietly \
    systemd-analyze security --offline=true --threshold=15 \
    "$BOX_ROOT/usr/lib/systemd/system/vail-libvirt.service"
}

needs_libvirt "vail-libvirt follows libvirt"
box_start
box_install
start_libvirt
check_unit
check_start
check_status
check_metadata
check_user_database
check_drop_in
check_operator
check_absence
check_removal
check_messages
check_restarts
check_guest_states
check_stop
box_log_on_failure
box_stop
finish
