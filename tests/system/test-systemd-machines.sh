#!/bin/bash
# SPDX-License-Identifier: MIT
#
# In the sandbox of its unit, the daemon finds the VMs of the real systemd-machined: a leader that
# executes another program, machines that are left alone, and restarts of machined, of the bus and of
# the daemon. An operator takes a found VM over, and may name another VMM than machined does. A limit
# leaves VMs out until there is room.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0
OTHER=0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1

# vms: prints the GUID, the source, the name and the VMM of each VM, separated by blanks.
vms() {
  box vailctl --json list |
    jq -r '[.virtualMachines[] | "\(.virtualMachineGuid) \(.source) \(.name) \(.vmmPid)"] | join(",")'
}

vms_are() { [ "$(vms)" = "$1" ]; }

# described MEMBER
described() { box vailctl --json show "$GUID" | jq -r ".virtualMachine.$1 | tostring"; }

described_is() { [ "$(described "$1")" = "$2" ]; }

status_remark() {
  box vailctl --json status |
    jq -r '[.remarks[] | select(.subject == "the VMs of systemd-machined") | .message] | join("; ")'
}

remark_is() { [ "$(status_remark)" = "$1" ]; }

# Starts a process of the box that only sleeps. Sets LEADER to its pid.
leader() {
  # shellcheck disable=SC2016
  LEADER=$(box sh -c 'setsid sleep infinity </dev/null >/dev/null 2>&1 & echo $!')
}

# machine NAME CLASS LEADER [GUID]: has machined create a machine. Without GUID it has no id.
machine() {
  local bytes=() hex=${4:-}

  hex=${hex//-/}
  while [ -n "$hex" ]; do
    bytes+=("0x${hex:0:2}")
    hex=${hex:2}
  done
  quietly box busctl call org.freedesktop.machine1 /org/freedesktop/machine1 \
    org.freedesktop.machine1.Manager CreateMachine 'sayssusa(sv)' \
    "$1" "${#bytes[@]}" "${bytes[@]}" vail-test "$2" "$3" "" 0
}

# The daemon has been started before any machine, and no call of it has started machined.
finds_a_vm() {
  expect_equal "without machines, nothing is found" "" "$(vms)"
  expect "the daemon does not start machined" property_is_not_active systemd-machined.service
  expect_equal "and status has no remark about that" "" "$(status_remark)"
  leader
  machine qemu-7-guest vm "$LEADER" "$GUID"
  expect "a new machine is a VM, by the domain's own name" \
    eventually vms_are "$GUID machined guest $LEADER"
  expect_equal "nobody may register for it" "nobody []" \
    "$(described displayClientsSource) $(described displayClients)"
  expect_equal "nobody has registered it" null "$(described registeredByUid)"
  expect_match "vailctl show tells where it comes from" 'Added by: +machined' \
    "$(box vailctl show "$GUID")"
  expect_match "removing it is not supported" "systemd-machined has named this VM" \
    "$(box vailctl vm remove "$GUID" 2>&1)"
  expect_match "nor is changing it" "take it over" \
    "$(box vailctl vm update "$GUID" --user vail-alice 2>&1)"
  expect_equal "it is still as it was" "$GUID machined guest $LEADER" "$(vms)"
}

property_is_not_active() { [ "$(property ActiveState "$1")" != active ]; }

# At MachineNew, the leader of libvirt's machines still executes libvirtd.
leader_changes_its_image() {
  local pid

  mkfifo "$PRIVATE/go"
  box sh -c 'setsid sh -c "read line; exec setpriv --reuid vail-vmm --regid vail-vmm --clear-groups \
    --no-new-privs qemu-system-x86_64 -machine none -display none -S" <&3 3<&- >/dev/null 2>&1 & echo $!' \
    3<"$PRIVATE/go" >"$PRIVATE/pid" &
  exec 8>"$PRIVATE/go"
  wait $!
  pid=$(cat "$PRIVATE/pid")
  machine qemu-8-exec vm "$pid" "$OTHER"
  expect "a machine is found before its leader executes the VMM" \
    eventually vms_have "$OTHER machined exec $pid"
  echo go >&8
  exec 8>&-
  expect "the leader executes QEMU, as another user" eventually box_runs_qemu "$pid"
  expect_match "the VM stays" "$OTHER machined exec $pid" "$(vms)"
  expect_equal "vaild can examine the files of the process that it is now" "$pid true" \
    "$(box vailctl --json gpu holders "$OTHER" | jq -r '.holders[] | "\(.vmmPid) \(.complete)"')"
  expect_match "vailctl list tells that it was found" "exec +found +$pid" "$(box vailctl list)"
  box kill "$pid"
  expect "the VM ends with its leader" eventually vms_are "$GUID machined guest $LEADER"
}

vms_have() { [[ ",$(vms)," == *",$1,"* ]]; }
box_runs_qemu() {
  [[ "$(box cat "/proc/$1/comm")" == qemu-system* ]] && [ "$(box stat -c %u "/proc/$1")" = 947 ]
}

others_are_left_alone() {
  local first=$LEADER container no_id

  leader
  container=$LEADER
  leader
  no_id=$LEADER
  LEADER=$first
  machine a-container container "$container" "$OTHER"
  machine without-id vm "$no_id"
  expect "a container is mentioned" \
    eventually log_has 'leaves the machine a-container .* alone: it is no VM'
  expect "a machine without an id is mentioned" \
    eventually log_has 'leaves the machine without-id .* alone: it has no id'
  expect_equal "both are left alone" "$GUID machined guest $LEADER" "$(vms)"
  quietly box vailctl reload
  box machinectl terminate a-container
  expect "the container ends" eventually machine_is_gone a-container
  expect_equal "each has been mentioned once" "1 1" \
    "$(mentions a-container) $(mentions without-id)"
}

mentions() {
  box journalctl --sync
  box journalctl --quiet --no-pager -o cat --unit vaild.service | grep -c "the machine $1 "
}
machine_is_gone() { ! box machinectl status "$1" >/dev/null 2>&1; }

restarts() {
  expect "machined restarts" quietly box systemctl restart systemd-machined
  leader_two=$LEADER
  leader
  machine late vm "$LEADER" "$OTHER"
  expect "after a restart of machined, new machines are found" \
    eventually vms_have "$OTHER machined late $LEADER"
  expect "the first one stays" vms_have "$GUID machined guest $leader_two"
  box machinectl terminate late
  expect "and their ends are noticed" eventually vms_are "$GUID machined guest $leader_two"
  LEADER=$leader_two
  SINCE=$(described since)
  expect "the daemon restarts" quietly box systemctl restart vaild.service
  expect_equal "it still knows the VM at once, and only once" "$GUID machined guest $LEADER" "$(vms)"
  expect_equal "it is the same one" "$SINCE" "$(described since)"
  expect "the bus is stopped" quietly box systemctl stop dbus.socket dbus.service
  expect "status says so" eventually remark_matches 'system bus'
  expect_equal "what is known stays" "$GUID machined guest $LEADER" "$(vms)"
  expect "the bus is started again" quietly box systemctl start dbus.socket dbus.service
  quietly box systemctl restart systemd-machined
  expect "the daemon finds it by itself" eventually remark_is ""
  expect_equal "the VM has stayed" "$GUID machined guest $LEADER $SINCE" "$(vms) $(described since)"
}

remark_matches() { [[ "$(status_remark)" =~ $1 ]]; }

# vmspawn registers itself as leader; the agent that joins the display knows better.
take_over() {
  local vmm first=$LEADER

  box vailctl vgpu assign "$GUID" >/dev/null
  leader
  vmm=$LEADER
  expect "an operator takes the VM over" \
    quietly box vailctl vm add "$GUID" --pid "$vmm" --user vail-alice
  expect_equal "it has the operator's VMM, and keeps its name" "$GUID api guest $vmm" "$(vms)"
  expect_equal "it keeps its vGPUs" 1 "$(described 'virtualGpus|length')"
  expect_equal "it has the display client" vail-alice "$(described 'displayClients[0].user')"
  expect "the daemon restarts again" quietly box systemctl restart vaild.service
  quietly box vailctl reload
  expect_equal "the registration wins, and the VM is not there twice" "$GUID api guest $vmm" "$(vms)"
  expect "an operator can remove it" quietly box vailctl vm remove "$GUID"
  expect "then it is found again, because it still runs" \
    eventually vms_are "$GUID machined guest $first"
  expect "an operator need not know the VMM" quietly box vailctl vm add "$GUID" --user vail-alice
  expect_equal "the VM keeps the one that was found" "$GUID api guest $first" "$(vms)"
  box kill "$first"
  expect "its end is noticed" eventually vms_are ""
}

limits_hold() {
  local first

  box sh -c 'echo "{ \"limits\": { \"virtualMachines\": 1 } }" >/etc/vaild/vaild.json'
  expect "a limit is set" quietly box vailctl reload
  leader
  first=$LEADER
  machine one vm "$first" "$GUID"
  eventually vms_are "$GUID machined one $first"
  leader
  machine two vm "$LEADER" "$OTHER"
  expect "status tells that a VM is left out" eventually remark_matches 'leaves out 1, '
  expect_equal "it is not listed" "$GUID machined one $first" "$(vms)"
  box kill "$first"
  expect "it is listed when there is room" eventually vms_are "$OTHER machined two $LEADER"
  expect "and the remark goes" eventually remark_is ""
}

for unit in dbus.service systemd-machined.service; do
  [ ! -e "/lib/systemd/system/$unit" ] || continue
  skip "$NAME" "this machine has no $unit"
  finish
done
trap box_stop EXIT
box_start
box_install
finds_a_vm
leader_changes_its_image
others_are_left_alone
restarts
take_over
limits_hold
box_log_on_failure
finish
