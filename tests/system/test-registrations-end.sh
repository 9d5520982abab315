#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that a registration ends with its process and with its VM, without any request, but not
# when its process closes the connection.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=55555555-5555-4555-8555-555555555555

# open_registered_session NAME: opens a session of vail-alice and registers it for the VM.
open_registered_session() {
  session_open "$1" vail-alice
  session_ask "$1" "$CONTEXT"
  session_status "$1" "$(register "$GUID")"
  expect_equal "$1: the process registers" STATUS_SUCCESS "$STATUS"
}

check_killed_process() {
  open_registered_session killed
  expect_equal "killed: the process is listed" "${SESSION_PID[killed]}" "$(registered_pids)"
  session_kill killed
  expect "killed: the registration ends with the process" eventually registered_pids_are ""
}

check_closed_connection() {
  local lines pid

  mkfifo "$PRIVATE/closes.out"
  exec_as vail-alice "$HELPERS/register-process" "$SOCKET" "$GUID" \
    < <(exec sleep infinity) >"$PRIVATE/closes.out" &
  pid=$!
  lines=$(head -n 2 "$PRIVATE/closes.out" | xargs)
  expect_equal "closed connection: the process registers through libvail" \
    "CreateContext STATUS_SUCCESS RegisterVailProcess STATUS_SUCCESS" "$lines"
  expect "closed connection: the process has no socket any more" eventually has_no_socket "$pid"
  expect_equal "closed connection: the process stays registered" "$pid" "$(registered_pids)"
  kill_and_wait "$pid"
  expect "closed connection: the registration ends with the process" eventually registered_pids_are ""
}

has_no_socket() { ! holds "$1" '^socket:'; }

check_stopped_process() {
  open_registered_session stopped
  kill -STOP "${SESSION_PID[stopped]}"
  expect_equal "stopped: the process stays registered" "${SESSION_PID[stopped]}" \
    "$(registered_pids)"
  session_kill stopped
  expect "stopped: the registration ends when the process is killed" eventually registered_pids_are ""
}

check_operators() {
  local gpu

  open_registered_session revoked
  expect_equal "revoked: root may revoke a registration" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.RevokeRegistration \
      "{\"virtualMachineGuid\":\"$GUID\",\"pid\":${SESSION_PID[revoked]}}")" | statuses)"
  expect_equal "revoked: the registration ends immediately" "" "$(registered_pids)"
  session_status revoked "$(register "$GUID")"
  expect_equal "revoked: the process may register again" STATUS_SUCCESS "$STATUS"
  expect_equal "revoked: another user may not revoke a registration" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(call io.vaild.RevokeRegistration \
      "{\"virtualMachineGuid\":\"$GUID\",\"pid\":${SESSION_PID[revoked]}}")" | statuses)"
  expect_equal "revoked: a member of the operators' group may revoke a registration" \
    STATUS_SUCCESS "$(ask vail-carol "$(call io.vaild.RevokeRegistration \
      "{\"virtualMachineGuid\":\"$GUID\",\"pid\":${SESSION_PID[revoked]}}")" | statuses)"
  session_status revoked "$(register "$GUID")"
  gpu=$(ask root "$(call io.vaild.Machine.DescribeVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '.parameters.virtualMachine.virtualGpus[0].virtualGpu')
  expect_equal "no vGPU: root removes the last vGPU of the VM" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.Machine.RemoveVirtualGpu "{\"virtualGpu\":\"$gpu\"}")" | statuses)"
  expect_equal "no vGPU: the VM has no registrations any more" "" "$(registered_pids)"
  assign_gpu "$GUID" >/dev/null
  session_kill revoked
}

check_killed_vmm() {
  open_registered_session vmm-killed
  kill_and_wait "$VMM"
  expect "vmm-killed: the registrations end" eventually registered_pids_are ""
  expect "vmm-killed: the VM ends" eventually running_vms_are ""
  session_status vmm-killed "$(register "$GUID")"
  expect_equal "vmm-killed: a new registration does not find the VM" STATUS_NOT_FOUND "$STATUS"
  session_kill vmm-killed
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
check_killed_process
check_closed_connection
check_stopped_process
check_operators
check_killed_vmm
expect_clean_stop
finish
