#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A registration belongs to its process and its VM, and ends with either, without any traffic.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=55555555-5555-4555-8555-555555555555

# registered_session NAME: a session of alice's that is registered.
registered_session() {
  session_open "$1" vail-alice
  session_ask "$1" "$CONTEXT"
  session_status "$1" "$(register "$GUID")"
  expect_equal "$1: registers" STATUS_SUCCESS "$STATUS"
}

process_is_killed() {
  registered_session killed
  expect_equal "killed: is in the list" "${SESSION_PID[killed]}" "$(registered_pids)"
  session_kill killed
  expect "killed: its registration is gone" eventually registered_are ""
}

process_closes_its_socket() {
  local lines pid

  mkfifo "$PRIVATE/closes.out"
  exec_as vail-alice "$HELPERS/register-process" "$SOCKET" "$GUID" \
    < <(exec sleep infinity) >"$PRIVATE/closes.out" &
  pid=$!
  lines=$(head -n 2 "$PRIVATE/closes.out" | xargs)
  expect_equal "closes: registers by libvail" \
    "CreateContext STATUS_SUCCESS RegisterVailProcess STATUS_SUCCESS" "$lines"
  expect "closes: has closed its connection" eventually has_no_socket "$pid"
  expect_equal "closes: stays registered" "$pid" "$(registered_pids)"
  kill_hard "$pid"
  expect "closes: ends with its process" eventually registered_are ""
}

has_no_socket() { ! holds "$1" '^socket:'; }

process_is_stopped() {
  registered_session stopped
  kill -STOP "${SESSION_PID[stopped]}"
  expect_equal "stopped: stays registered" "${SESSION_PID[stopped]}" "$(registered_pids)"
  session_kill stopped
  expect "stopped: ends when it is killed" eventually registered_are ""
}

ended_by_operators() {
  local gpu

  registered_session revoked
  expect_equal "revoked: by root" STATUS_SUCCESS "$(ask root "$(call io.vaild.RevokeRegistration \
    "{\"virtualMachineGuid\":\"$GUID\",\"pid\":${SESSION_PID[revoked]}}")" | statuses)"
  expect_equal "revoked: is gone at once" "" "$(registered_pids)"
  session_status revoked "$(register "$GUID")"
  expect_equal "revoked: may register again" STATUS_SUCCESS "$STATUS"
  expect_equal "revoked: another user may not revoke" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(call io.vaild.RevokeRegistration \
      "{\"virtualMachineGuid\":\"$GUID\",\"pid\":${SESSION_PID[revoked]}}")" | statuses)"
  expect_equal "revoked: an operator by group may" STATUS_SUCCESS \
    "$(ask vail-carol "$(call io.vaild.RevokeRegistration \
      "{\"virtualMachineGuid\":\"$GUID\",\"pid\":${SESSION_PID[revoked]}}")" | statuses)"
  session_status revoked "$(register "$GUID")"
  gpu=$(ask root "$(call io.vaild.Machine.DescribeVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '.parameters.virtualMachine.virtualGpus[0].virtualGpu')
  expect_equal "the last vGPU is removed" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.Machine.RemoveVirtualGpu "{\"virtualGpu\":\"$gpu\"}")" | statuses)"
  expect_equal "no vGPU, no registrations" "" "$(registered_pids)"
  assign_gpu "$GUID" >/dev/null
  session_kill revoked
}

vmm_is_killed() {
  registered_session bereft
  kill_hard "$VMM"
  expect "the VMM is killed: the registrations go" eventually registered_are ""
  expect "the VMM is killed: the VM goes" eventually running_are ""
  session_status bereft "$(register "$GUID")"
  expect_equal "the VMM is killed: nothing to register for" STATUS_NOT_FOUND "$STATUS"
  session_kill bereft
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
process_is_killed
process_closes_its_socket
process_is_stopped
ended_by_operators
vmm_is_killed
expect_clean_stop
finish
