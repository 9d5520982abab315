#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that the VMs of ordinary users stay unknown to the fleet, because such a user could otherwise
# take the place of a VM on another host. vaild is the real one; the test plays etcd.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

USERS=11111111-1111-4111-8111-111111111111
OPERATORS=22222222-2222-4222-8222-222222222222
FLEET_SOCKET=$PRIVATE/fleet.sock
export VAILD_FLEET_SOCKET=$FLEET_SOCKET

start_fleet() {
  mkfifo "$PRIVATE/etcd"
  exec {ETCD}<>"$PRIVATE/etcd"
  VAILD_SOCKET=$SOCKET "$HELPERS/lone-fleet" "$FLEET_SOCKET" --operators "$(id -g vaild)" \
    --observers 47010 <"$PRIVATE/etcd" >"$PRIVATE/fleet.log" 2>&1 &
  eventually test -S "$FLEET_SOCKET"
  printf '%s\n' "reach yes" "lease yes" >&"$ETCD"
}

# Prints the GUIDs of all VMs that the fleet shows.
shown_vms() {
  "${CTL[@]}" fleet vms --json 2>/dev/null | jq -rc '[.virtualMachines[].virtualMachineGuid] | join(" ")'
}

shown_vms_are() { [ "$(shown_vms)" = "$1" ]; }

# used_is NUMBER HOLDERS: tests how many vGPUs are in use, and which VMs have them.
used_is() {
  [ "$("${CTL[@]}" fleet gpus --json | jq -rc '.gpus[0] |
    "\(.used) \([.holders[].virtualMachineGuid] | join(" "))"')" = "$1 $2" ]
}

# user_says METHOD PARAMETERS: prints the status of a request by vail-bob.
user_says() { ask vail-bob "$(call "$@")" | statuses; }

check_users_vm() {
  start_vmm vail-bob
  expect_equal "vail-bob registers a VM" STATUS_SUCCESS "$(user_says io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$USERS\",\"vmmPid\":$VMM}")"
  expect_match "vailctl show says that no operator did" 'Added by: +vail-bob .*, who was no operator' \
    "$("${CTL[@]}" show "$USERS")"
  assign_gpu "$USERS" >/dev/null
  ready_vm "$OPERATORS" "$ALICE_CLIENT"
  expect "the operator's VM is in the fleet" eventually shown_vms_are "$OPERATORS"
  expect "both virtual GPUs are in use, and only the operator's has a known VM" \
    eventually used_is 2 "$OPERATORS"
  expect_equal "both VMs run" 2 "$(running_vms | wc -w)"
}

# An operator who registers the same GUID displaces the user's VM, and brings it into the fleet.
check_operator_displaces() {
  ready_vm "$USERS" "$ALICE_CLIENT"
  expect "the operator's VM with the GUID is in the fleet" eventually shown_vms_are "$USERS $OPERATORS"
}

echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
start_daemon
start_fleet
check_users_vm
check_operator_displaces
expect_clean_stop
[ "$FAILED" -eq 0 ] || sed 's/^/# fleet: /' "$PRIVATE/fleet.log"
finish
