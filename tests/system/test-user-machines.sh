#!/bin/bash
# SPDX-License-Identifier: MIT
#
# With allowUserMachines an ordinary user may bring VMs in, but name nothing except what is its own.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb
OTHER=cccccccc-cccc-4ccc-8ccc-cccccccccccc

# bring_in USER PARAMETERS: the answer.
bring_in() {
  ask "$1" "$(call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\"${2:+,$2}}")"
}

not_allowed() {
  expect_equal "off: an ordinary user may not" STATUS_ACCESS_DENIED \
    "$(bring_in vail-alice | statuses)"
  echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  expect "on: it may" eventually alice_may
}

# Its own process is the VMM, and goes with the connection here.
alice_may() {
  [ "$(ask vail-alice "$(call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$OTHER\"}")" | statuses)" = STATUS_SUCCESS ]
}

only_its_own() {
  local parameter='.parameters | "\(.status) \(.parameter)"'

  start_vmm vail-bob
  expect_equal "another's process as VMM" "STATUS_INVALID_PARAMETER vmmPid" \
    "$(bring_in vail-alice "\"vmmPid\":$VMM" | field "$parameter")"
  expect_equal "another's process as display client" \
    "STATUS_INVALID_PARAMETER displayClients[0].pid" \
    "$(bring_in vail-alice "\"displayClients\":[{\"pid\":$VMM}]" | field "$parameter")"
  expect_equal "another's process as agent" "STATUS_INVALID_PARAMETER agent.pid" \
    "$(bring_in vail-alice "\"agent\":{\"pid\":$VMM}" | field "$parameter")"
  expect_equal "another user as display client" "STATUS_INVALID_PARAMETER displayClients[0].user" \
    "$(bring_in vail-alice '"displayClients":[{"user":"vail-bob"}]' | field "$parameter")"
  expect_equal "another user as agent" "STATUS_INVALID_PARAMETER agent.user" \
    "$(bring_in vail-alice '"agent":{"user":"vail-bob"}' | field "$parameter")"
  expect_equal "a process that is no more" "STATUS_INVALID_PARAMETER vmmPid" \
    "$(bring_in vail-alice '"vmmPid":4194303' | field "$parameter")"
}

# With more than its owner has: a process of alice's with a capability.
not_one_with_more() {
  setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all,+net_raw \
    --ambient-caps=-all,+net_raw -- sleep infinity &
  eventually runs_as $! "$ALICE" sleep
  expect_equal "an own process with more capabilities" STATUS_INVALID_PARAMETER \
    "$(bring_in vail-alice "\"vmmPid\":$!" | statuses)"
  kill_hard $!
}

its_own() {
  start_vmm vail-alice
  expect_equal "its own process as VMM, itself as display client" STATUS_SUCCESS \
    "$(bring_in vail-alice "\"vmmPid\":$VMM" | statuses)"
  expect_equal "the same again changes nothing" STATUS_SUCCESS \
    "$(bring_in vail-alice "\"vmmPid\":$VMM" | statuses)"
  expect_equal "the same GUID by another user" STATUS_OBJECT_NAME_COLLISION \
    "$(bring_in vail-bob | statuses)"
  expect_equal "it assigns a vGPU" STATUS_SUCCESS \
    "$(ask vail-alice "$(call io.vaild.Machine.AssignVirtualGpu \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
  expect_equal "another may not" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(call io.vaild.Machine.AssignVirtualGpu \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
  expect_equal "it registers for it" "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask vail-alice "$CONTEXT" "$(register "$GUID")" | statuses)"
  expect_equal "another does not see it" "STATUS_ACCESS_DENIED" \
    "$(ask vail-bob "$(call io.vaild.Machine.DescribeVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
  expect_equal "nor in its list" "[]" \
    "$(ask vail-bob "$(call io.vaild.Machine.ListVirtualMachines)" |
      jq -c .parameters.virtualMachines)"
}

# An operator's word displaces a user's, but not the other way round.
operators_displace() {
  local user_vmm=$VMM

  start_vmm vail-vmm
  expect_equal "an operator's registration displaces a user's" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")"
  expect_equal "a user's does not displace an operator's" STATUS_OBJECT_NAME_COLLISION \
    "$(bring_in vail-alice "\"vmmPid\":$user_vmm" | statuses)"
  expect_equal "nor does the user administer it any more" STATUS_ACCESS_DENIED \
    "$(ask vail-alice "$(call io.vaild.Machine.UnregisterVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
}

start_daemon
not_allowed
only_its_own
not_one_with_more
its_own
operators_displace
expect_clean_stop
finish
