#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks two hosts with a vaild and a vaild-fleet each, in network namespaces of their own, around a
# real etcd: what both show, a VM that moves, quarantines, a host that is cut off, a vaild-fleet that
# is killed, and an etcd that is stopped. The local vaild serves all the time.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# shellcheck source=tests/system/lib/fleet-hosts.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fleet-hosts.sh"

GUID=11111111-1111-4111-8111-111111111111
ONE=1 TWO=2    # the hosts
declare -A VMMS # of each host, the VMM of the VM

# add_vm_on N: registers the VM on a host, with a process that is its VMM.
add_vm_on() {
  start_vmm vail-vmm
  VMMS[$1]=$VMM
  expect_equal "the VM is registered on host $1" STATUS_SUCCESS \
    "$(on_host "$1" root "$(call io.vaild.Machine.RegisterVirtualMachine "{\"virtualMachineGuid\":\"$GUID\",
      \"vmmPid\":$VMM,\"name\":\"web\",\"displayClients\":[$ALICE_CLIENT]}" | tr -d '\n')" | statuses)"
}

# vms_are N GUIDS: tests which VMs the host's vaild has.
vms_are() {
  [ "$(on_host "$1" root "$(call io.vaild.Machine.ListVirtualMachines)" |
    field '[.parameters.virtualMachines[].virtualMachineGuid] | join(" ")')" = "$2" ]
}

# quarantined N REASON: tests the reason of the VM's quarantine on a host; null for none.
quarantined() {
  [ "$(on_host "$1" root "$(call io.vaild.Machine.ListQuarantines)" |
    field '.parameters.quarantines[0].reason')" = "$2" ]
}

same_epoch() { [ "$(shown "$ONE" .epoch where "$GUID")" = "$(shown "$TWO" .epoch where "$GUID")" ]; }

## Checks

# A lease may run out at any time if the machine is slow, and then another host with the VM claims
# it. So each check waits for a state that is reached in any case.

check_move() {
  local before

  expect_both "both hosts are there" '["host1","host2"]' '[.hosts[].name] | sort' hosts
  add_vm_on "$ONE"
  expect_both "a VM is on host 1" host1 .hostName where web
  before=$(shown "$ONE" .epoch where "$GUID")
  add_vm_on "$TWO"
  expect_both "the destination of a move is there" 2 '.virtualMachines | length' vms
  kill_and_wait "${VMMS[$ONE]}"
  expect_both "the VM moves" host2 .hostName where "$GUID"
  expect_equal "the epoch grows" true "$(shown "$ONE" ".epoch > $before" where "$GUID")"
  expect "both have the same epoch" eventually same_epoch
}

check_quarantine() {
  expect "a quarantine is imposed" eventually shows "$ONE" STATUS_SUCCESS .status quarantine "$GUID" --reason stolen
  expect "a quarantine holds on host 1" eventually quarantined "$ONE" 'fleet: stolen'
  expect "a quarantine holds on host 2" eventually quarantined "$TWO" 'fleet: stolen'
  kill -TERM "${FLEETS[$TWO]}"
  wait "${FLEETS[$TWO]}" || true
  expect "a stopped vaild-fleet takes its keys with it" eventually shows "$ONE" true '.unreachable >= 0' where "$GUID"
  expect "it is lifted" eventually shows "$ONE" STATUS_SUCCESS .status release "$GUID"
  expect "it is lifted on host 1" eventually quarantined "$ONE" null
  expect "host 2 keeps it without vaild-fleet" quarantined "$TWO" 'fleet: stolen'
  start_fleet "$TWO"
  expect "it is lifted when host 2 is back" eventually quarantined "$TWO" null
  expect_both "the VM is there again" false 'has("unreachable")' where "$GUID"
}

check_cut_off() {
  in_network "${NETWORK[$TWO]}" ip link set eth0 down
  expect "cut off: host 1 shows the VM as unreachable" eventually shows "$ONE" true '.unreachable >= 0' where "$GUID"
  expect "cut off: host 2 shows the age of what it knows" eventually shows "$TWO" true '.age > 0' where "$GUID"
  expect "cut off: the vaild of host 2 serves" vms_are "$TWO" "$GUID"
  in_network "${NETWORK[$TWO]}" ip link set eth0 up
  expect_both "no longer cut off: the VM is there" '[true,false]' '[.current, has("unreachable")]' where "$GUID"
}

check_killed() {
  kill_and_wait "${FLEETS[$TWO]}"
  expect "killed: the keys of host 2 run out" eventually shows "$ONE" '["host1"]' '[.hosts[].name]' hosts
  start_fleet "$TWO"
  expect_both "killed: host 2 comes back" '["host1","host2"]' '[.hosts[].name] | sort' hosts
  expect_both "killed: its VM, too" '["host2",false]' '[.hostName, has("unreachable")]' where "$GUID"
}

check_conflict() {
  local epoch

  epoch=$(shown "$ONE" .epoch where "$GUID")
  kill -STOP "${FLEETS[$TWO]}"
  expect "stopped: host 2 is unreachable" eventually shows "$ONE" true '.unreachable >= 0' where "$GUID"
  add_vm_on "$ONE"
  expect "stopped: host 1 claims a VM of the same GUID" eventually shows "$ONE" host1 .hostName where "$GUID"
  kill -CONT "${FLEETS[$TWO]}"
  expect_both "continued: one host has the VM, the other is in conflict" '["conflict","running"]' \
    '[.virtualMachines[].state] | sort' vms
  expect_both "continued: where names the one that runs" running '.virtualMachines[] | select(.where).state' vms
  expect_both "continued: the epoch has grown" true ".epoch > $epoch" where "$GUID"
  expect "continued: the VM of host 2 runs" vms_are "$TWO" "$GUID"
  kill_and_wait "${VMMS[$ONE]}"
  expect_both "the conflict ends with the other VM" host2 .hostName where "$GUID"
}

check_without_etcd() {
  kill_and_wait "$ETCD"
  expect "without etcd: where has its age" eventually shows "$ONE" true '.current == false and .age >= 0' where "$GUID"
  expect "without etcd: vaild serves" vms_are "$TWO" "$GUID"
}

check_move
check_quarantine
check_cut_off
check_killed
check_conflict
check_without_etcd
check_end
[ "$FAILED" -eq 0 ] || tail -n 200 "$PRIVATE"/host*/fleet.log | sed 's/^/# /'
finish
