#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A user who knows a VM's GUID before the VM starts cannot keep it, and gains nothing from the VM that
# an operator registers later. Without allowUserMachines the user cannot register it at all.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=5e1f5e1f-5e1f-4e1f-8e1f-5e1f5e1f5e1f
ADDRESSED="{\"virtualMachineGuid\":\"$GUID\"}"

# machine METHOD: prints a request of io.vaild.Machine about the VM.
machine() { call "io.vaild.Machine.$1" "$ADDRESSED"; }

# expect_status CHECK EXPECTED SESSION REQUEST
expect_status() {
  session_status "$3" "$4"
  expect_equal "$1" "$2" "$STATUS"
}

# Prints the uid that registered the VM and the pid of its VMM, as an operator sees them.
owner() {
  ask root "$(machine DescribeVirtualMachine)" |
    field '.parameters.virtualMachine | "\(.registeredByUid) \(.vmmPid)"'
}

# expect_no_rights CASE: checks that the squatter has no rights to the VM of an operator.
expect_no_rights() {
  expect_status "$1: the squatter may not unregister the VM" STATUS_ACCESS_DENIED \
    squatter "$(machine UnregisterVirtualMachine)"
  expect_status "$1: the squatter may not describe it" STATUS_ACCESS_DENIED \
    squatter "$(machine DescribeVirtualMachine)"
  expect_status "$1: the squatter may not assign a vGPU" STATUS_ACCESS_DENIED \
    squatter "$(machine AssignVirtualGpu)"
  expect_status "$1: the squatter's process may not register for it" STATUS_ACCESS_DENIED \
    squatter "$(register "$GUID")"
  expect_equal "$1: the VM is that of the operator" "0 $VMM" "$(owner)"
}

# The squatter is vail-bob. The display client of the operator's VM is vail-alice.
start_squatter() {
  session_open squatter vail-bob
  expect_status "the squatter has a graphics context" STATUS_SUCCESS squatter "$CONTEXT"
}

# The operator's VMM ends, and the GUID is free again.
end_vm() {
  kill_and_wait "$VMM"
  expect "$1: the VM ends with its VMM" eventually running_vms_are ""
}

test_without_user_machines() {
  local check="by default"

  start_squatter
  expect_status "$check: a user may not register the GUID" STATUS_ACCESS_DENIED \
    squatter "$(machine RegisterVirtualMachine)"
  expect_status "$check: a user may not put it in quarantine" STATUS_ACCESS_DENIED \
    squatter "$(call io.vaild.Machine.SetQuarantine "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")"
  ready_vm "$GUID" "$ALICE_CLIENT"
  expect_status "$check: a user may not register the running VM" STATUS_ACCESS_DENIED \
    squatter "$(machine RegisterVirtualMachine)"
  expect_no_rights "$check"
  end_vm "$check"
  session_kill squatter
}

# squat: the squatter registers the GUID for its own process, and everything that belongs to a VM.
squat() {
  start_squatter
  expect_status "user machines: the squatter registers the GUID" STATUS_SUCCESS \
    squatter "$(machine RegisterVirtualMachine)"
  expect_status "user machines: the squatter assigns a vGPU" STATUS_SUCCESS \
    squatter "$(machine AssignVirtualGpu)"
  expect_status "user machines: the squatter's process registers" STATUS_SUCCESS \
    squatter "$(register "$GUID")"
}

test_with_user_machines() {
  local check="user machines"

  squat
  expect_equal "$check: another user cannot displace the squatter" STATUS_OBJECT_NAME_COLLISION \
    "$(ask vail-alice "$(machine RegisterVirtualMachine)" | statuses)"
  start_vmm vail-vmm
  expect_equal "$check: an operator's registration displaces the squatter's" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")"
  expect_equal "$check: the squatter's registration has ended" "" "$(registered_pids)"
  expect_equal "$check: the operator's VM has no vGPU of the squatter's" 0 \
    "$(ask root "$(machine DescribeVirtualMachine)" |
      field '.parameters.virtualMachine.virtualGpus | length')"
  assign_gpu "$GUID" >/dev/null
  expect_status "$check: the squatter cannot take the GUID back" STATUS_OBJECT_NAME_COLLISION \
    squatter "$(machine RegisterVirtualMachine)"
  expect_no_rights "$check"
  expect_equal "$check: the display client registers" "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask vail-alice "$CONTEXT" "$(register "$GUID")" | statuses)"
  session_kill squatter
  expect_equal "$check: the operator's VM outlives the squatter" "0 $VMM" "$(owner)"
  end_vm "$check"
}

start_daemon
test_without_user_machines
echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
stop_daemon
start_daemon
test_with_user_machines
expect_clean_stop
finish
