#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks each status of RegisterVailProcess with real credentials, through socat. If a call fails
# several checks, its status is that of the earliest one in the contract's order.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# READY and SECOND have a vGPU, BARE has none, and UNKNOWN is not registered.
READY=11111111-1111-4111-8111-111111111111
BARE=22222222-2222-4222-8222-222222222222
UNKNOWN=33333333-3333-4333-8333-333333333333
SECOND=44444444-4444-4444-8444-444444444444

# expect_last_status CHECK EXPECTED USER REQUEST...: sends the requests on one connection, and
# expects the last reply to have this status.
expect_last_status() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" "$(ask "$@" | tail -n 1 | statuses)"
}

# set_quarantine GUID true|false
set_quarantine() {
  ask root "$(call io.vaild.Machine.SetQuarantine \
    "{\"virtualMachineGuid\":\"$1\",\"quarantined\":$2}")" >/dev/null
}

check_each_status() {
  expect_last_status "a malformed GUID is an invalid parameter" STATUS_INVALID_PARAMETER \
    vail-alice "$CONTEXT" "$(register nonsense)"
  expect_last_status "the nil GUID is an invalid parameter" STATUS_INVALID_PARAMETER \
    vail-alice "$CONTEXT" "$(register 00000000-0000-0000-0000-000000000000)"
  expect_last_status "an unknown VM is not found" STATUS_NOT_FOUND \
    vail-alice "$CONTEXT" "$(register "$UNKNOWN")"
  expect_last_status "a user who is not a display client is denied" STATUS_ACCESS_DENIED \
    vail-bob "$CONTEXT" "$(register "$READY")"
  expect_last_status "a VM without a vGPU has no VAIL" STATUS_GRAPHICS_VAIL_STATE_CHANGED \
    vail-alice "$CONTEXT" "$(register "$BARE")"
  expect_last_status "a process without a graphics context is refused" STATUS_INVALID_DISPOSITION \
    vail-alice "$(register "$READY")"
  expect_last_status "a call that fulfils all conditions succeeds" STATUS_SUCCESS \
    vail-alice "$CONTEXT" "$(register "$READY")"
  expect_last_status "a GUID in braces and upper case is accepted" STATUS_SUCCESS \
    vail-alice "$CONTEXT" "$(register "{${READY^^}}")"
}

check_order() {
  expect_last_status "a malformed GUID is reported before a wrong user" STATUS_INVALID_PARAMETER \
    vail-bob "$(register nonsense)"
  expect_last_status "a malformed GUID is reported before a missing context" \
    STATUS_INVALID_PARAMETER vail-alice "$(register nonsense)"
  expect_last_status "an unknown VM is reported before a wrong user" STATUS_NOT_FOUND \
    vail-bob "$CONTEXT" "$(register "$UNKNOWN")"
  expect_last_status "an unknown VM is reported before a missing context" STATUS_NOT_FOUND \
    vail-alice "$(register "$UNKNOWN")"
  expect_last_status "a wrong user is reported before a missing vGPU" STATUS_ACCESS_DENIED \
    vail-bob "$CONTEXT" "$(register "$BARE")"
  expect_last_status "a wrong user is reported before a missing context" STATUS_ACCESS_DENIED \
    vail-bob "$(register "$READY")"
  expect_last_status "a missing vGPU is reported before a missing context" \
    STATUS_GRAPHICS_VAIL_STATE_CHANGED vail-alice "$(register "$BARE")"
}

check_order_with_quarantine() {
  set_quarantine "$BARE" true
  set_quarantine "$READY" true
  set_quarantine "$UNKNOWN" true
  expect_last_status "an unknown VM is reported before its quarantine" STATUS_NOT_FOUND \
    vail-alice "$CONTEXT" "$(register "$UNKNOWN")"
  expect_last_status "a quarantine is reported before a missing vGPU" STATUS_ACCESS_DENIED \
    vail-alice "$CONTEXT" "$(register "$BARE")"
  expect_last_status "a quarantine is reported before a missing context" STATUS_ACCESS_DENIED \
    vail-alice "$(register "$READY")"
  expect_last_status "registering for a quarantined VM is denied" STATUS_ACCESS_DENIED \
    vail-alice "$CONTEXT" "$(register "$READY")"
  set_quarantine "$BARE" false
  set_quarantine "$READY" false
  expect_last_status "registering succeeds after the quarantine is lifted" STATUS_SUCCESS \
    vail-alice "$CONTEXT" "$(register "$READY")"
}

# The daemon now allows one registration per uid, which the session "holder" uses up.
check_order_with_quota() {
  session_open holder vail-alice
  session_ask holder "$CONTEXT"
  session_status holder "$(register "$READY")"
  expect_equal "the one registration within the limit succeeds" STATUS_SUCCESS "$STATUS"
  expect_last_status "a second registration exceeds the limit" STATUS_QUOTA_EXCEEDED \
    vail-alice "$CONTEXT" "$(register "$READY")"
  expect_last_status "a wrong user is reported before the limit" STATUS_ACCESS_DENIED \
    vail-bob "$CONTEXT" "$(register "$READY")"
  expect_last_status "a missing vGPU is reported before the limit" \
    STATUS_GRAPHICS_VAIL_STATE_CHANGED vail-alice "$CONTEXT" "$(register "$BARE")"
  expect_last_status "a missing context is reported before the limit" STATUS_INVALID_DISPOSITION \
    vail-alice "$(register "$READY")"
  session_status holder "$(register "$SECOND")"
  expect_equal "registering for another VM exceeds the limit as well" \
    STATUS_QUOTA_EXCEEDED "$STATUS"
  expect_equal "the reply has the limit, its maximum and the caller's use" \
    "registrationsPerUid 1 1" \
    "$(field '.parameters | "\(.limit) \(.maximum) \(.used)"' <<<"$REPLY")"
  session_status holder "$(register "$READY")"
  expect_equal "repeating a registration succeeds at the limit" STATUS_SUCCESS "$STATUS"
}

check_repeated_registration() {
  local context

  session_open twice vail-alice
  session_ask twice "$CONTEXT"
  context=$(field .parameters.context <<<"$REPLY")
  session_status twice "$(register "$READY")"
  expect_equal "a first registration with a context succeeds" STATUS_SUCCESS "$STATUS"
  session_status twice "$(call io.vaild.Gpu.DestroyContext "{\"context\":\"$context\"}")"
  expect_equal "a registered process may destroy its context" STATUS_SUCCESS "$STATUS"
  session_status twice "$(register "$READY")"
  expect_equal "repeating a registration needs no context" STATUS_SUCCESS "$STATUS"
  session_status twice "$(unregister "$READY")"
  expect_equal "unregistering succeeds" STATUS_SUCCESS "$STATUS"
  session_status twice "$(unregister "$READY")"
  expect_equal "unregistering a second time finds no registration" STATUS_NOT_FOUND "$STATUS"
  session_status twice "$(register "$READY")"
  expect_equal "registering after unregistering needs a context" \
    STATUS_INVALID_DISPOSITION "$STATUS"
  session_kill twice
}

start_daemon
ready_vm "$READY" "$ALICE_CLIENT"
ready_vm "$SECOND" "$ALICE_CLIENT"
add_vm "$BARE" "$VMM" "$ALICE_CLIENT" >/dev/null
check_each_status
check_order
check_order_with_quarantine
check_repeated_registration
echo '{"limits":{"registrationsPerUid":1}}' >"$CONFIG/vaild.json"
kill -HUP "$DAEMON"
check_order_with_quota
expect_clean_stop
finish
