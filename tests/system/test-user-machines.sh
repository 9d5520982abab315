#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks allowUserMachines. It lets an ordinary user register a VM, but only for that user and the
# user's processes.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb
OTHER=cccccccc-cccc-4ccc-8ccc-cccccccccccc

# register_vm USER [PARAMETERS]: registers the VM as this user, and prints the reply.
register_vm() {
  ask "$1" "$(call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\"${2:+,$2}}")"
}

check_option() {
  expect_equal "by default an ordinary user may not register a VM" STATUS_ACCESS_DENIED \
    "$(register_vm vail-alice | statuses)"
  echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  expect "with allowUserMachines an ordinary user may register a VM" eventually alice_may_register
}

# Registers a VM whose VMM is the calling process. The VM ends when that process exits.
alice_may_register() {
  [ "$(ask vail-alice "$(call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$OTHER\"}")" | statuses)" = STATUS_SUCCESS ]
}

check_foreign_parties() {
  local parameter='.parameters | "\(.status) \(.parameter)"'

  start_vmm vail-bob
  expect_equal "another user's process may not be the VMM" "STATUS_INVALID_PARAMETER vmmPid" \
    "$(register_vm vail-alice "\"vmmPid\":$VMM" | field "$parameter")"
  expect_equal "another user's process may not be the display client" \
    "STATUS_INVALID_PARAMETER displayClients[0].pid" \
    "$(register_vm vail-alice "\"displayClients\":[{\"pid\":$VMM}]" | field "$parameter")"
  expect_equal "another user's process may not be the agent" \
    "STATUS_INVALID_PARAMETER agent.pid" \
    "$(register_vm vail-alice "\"agent\":{\"pid\":$VMM}" | field "$parameter")"
  expect_equal "another user may not be the display client" \
    "STATUS_INVALID_PARAMETER displayClients[0].user" \
    "$(register_vm vail-alice '"displayClients":[{"user":"vail-bob"}]' | field "$parameter")"
  expect_equal "another user may not be the agent" "STATUS_INVALID_PARAMETER agent.user" \
    "$(register_vm vail-alice '"agent":{"user":"vail-bob"}' | field "$parameter")"
  expect_equal "a process that does not exist may not be the VMM" \
    "STATUS_INVALID_PARAMETER vmmPid" \
    "$(register_vm vail-alice '"vmmPid":4194303' | field "$parameter")"
}

check_privileged_process() {
  setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all,+net_raw \
    --ambient-caps=-all,+net_raw -- sleep infinity &
  eventually runs_as $! "$ALICE" sleep
  expect_equal "an own process with more capabilities may not be the VMM" STATUS_INVALID_PARAMETER \
    "$(register_vm vail-alice "\"vmmPid\":$!" | statuses)"
  kill_and_wait $!
}

check_own_parties() {
  start_vmm vail-alice
  expect_equal "an own process may be the VMM, and the user is the display client" \
    STATUS_SUCCESS \
    "$(register_vm vail-alice "\"vmmPid\":$VMM" | statuses)"
  expect_equal "repeating the registration succeeds" STATUS_SUCCESS \
    "$(register_vm vail-alice "\"vmmPid\":$VMM" | statuses)"
  expect_equal "another user may not register the same GUID" STATUS_OBJECT_NAME_COLLISION \
    "$(register_vm vail-bob | statuses)"
  expect_equal "the owner may assign a vGPU" STATUS_SUCCESS \
    "$(ask vail-alice "$(call io.vaild.Machine.AssignVirtualGpu \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
  expect_equal "another user may not assign a vGPU" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(call io.vaild.Machine.AssignVirtualGpu \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
  expect_equal "the owner may register a process for the VM" "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask vail-alice "$CONTEXT" "$(register "$GUID")" | statuses)"
  expect_equal "another user may not describe the VM" "STATUS_ACCESS_DENIED" \
    "$(ask vail-bob "$(call io.vaild.Machine.DescribeVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
  expect_equal "another user does not see the VM in the list" "[]" \
    "$(ask vail-bob "$(call io.vaild.Machine.ListVirtualMachines)" |
      jq -c .parameters.virtualMachines)"
}

check_operators() {
  local user_vmm=$VMM

  start_vmm vail-vmm
  expect_equal "an operator's registration replaces a user's VM" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")"
  expect_equal "a user's registration does not replace an operator's VM" \
    STATUS_OBJECT_NAME_COLLISION "$(register_vm vail-alice "\"vmmPid\":$user_vmm" | statuses)"
  expect_equal "the user may not unregister the operator's VM" STATUS_ACCESS_DENIED \
    "$(ask vail-alice "$(call io.vaild.Machine.UnregisterVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\"}")" | statuses)"
}

start_daemon
check_option
check_foreign_parties
check_privileged_process
check_own_parties
check_operators
expect_clean_stop
finish
