#!/bin/bash
# SPDX-License-Identifier: MIT
#
# RegisterVailProcess by socat with real credentials: each status of the seed, in the contract's
# order, and for each pair of checks that a caller fails the earlier one's.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

READY=11111111-1111-4111-8111-111111111111
BARE=22222222-2222-4222-8222-222222222222
UNKNOWN=33333333-3333-4333-8333-333333333333
SECOND=44444444-4444-4444-8444-444444444444

# last CHECK EXPECTED USER REQUEST...: the last answer's status.
last() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" "$(ask "$@" | tail -n 1 | statuses)"
}

quarantine() {
  ask root "$(call io.vaild.Machine.SetQuarantine \
    "{\"virtualMachineGuid\":\"$1\",\"quarantined\":$2}")" >/dev/null
}

six_statuses() {
  last "a malformed GUID" STATUS_INVALID_PARAMETER vail-alice "$CONTEXT" "$(register nonsense)"
  last "the nil GUID" STATUS_INVALID_PARAMETER vail-alice "$CONTEXT" \
    "$(register 00000000-0000-0000-0000-000000000000)"
  last "no VM of that GUID" STATUS_NOT_FOUND vail-alice "$CONTEXT" "$(register "$UNKNOWN")"
  last "another uid" STATUS_ACCESS_DENIED vail-bob "$CONTEXT" "$(register "$READY")"
  last "no vGPU" STATUS_GRAPHICS_VAIL_STATE_CHANGED vail-alice "$CONTEXT" "$(register "$BARE")"
  last "no context" STATUS_INVALID_DISPOSITION vail-alice "$(register "$READY")"
  last "all well" STATUS_SUCCESS vail-alice "$CONTEXT" "$(register "$READY")"
  last "all well, with braces and in upper case" STATUS_SUCCESS vail-alice "$CONTEXT" \
    "$(register "{${READY^^}}")"
}

pairs() {
  last "malformed before denied" STATUS_INVALID_PARAMETER vail-bob "$(register nonsense)"
  last "malformed before no context" STATUS_INVALID_PARAMETER vail-alice "$(register nonsense)"
  last "unknown before denied" STATUS_NOT_FOUND vail-bob "$CONTEXT" "$(register "$UNKNOWN")"
  last "unknown before no context" STATUS_NOT_FOUND vail-alice "$(register "$UNKNOWN")"
  last "denied before no vGPU" STATUS_ACCESS_DENIED vail-bob "$CONTEXT" "$(register "$BARE")"
  last "denied before no context" STATUS_ACCESS_DENIED vail-bob "$(register "$READY")"
  last "no vGPU before no context" STATUS_GRAPHICS_VAIL_STATE_CHANGED vail-alice \
    "$(register "$BARE")"
}

pairs_with_quarantine() {
  quarantine "$BARE" true
  quarantine "$READY" true
  quarantine "$UNKNOWN" true
  last "unknown before quarantined" STATUS_NOT_FOUND vail-alice "$CONTEXT" "$(register "$UNKNOWN")"
  last "quarantined before no vGPU" STATUS_ACCESS_DENIED vail-alice "$CONTEXT" "$(register "$BARE")"
  last "quarantined before no context" STATUS_ACCESS_DENIED vail-alice "$(register "$READY")"
  last "quarantined" STATUS_ACCESS_DENIED vail-alice "$CONTEXT" "$(register "$READY")"
  quarantine "$BARE" false
  quarantine "$READY" false
  last "no longer quarantined" STATUS_SUCCESS vail-alice "$CONTEXT" "$(register "$READY")"
}

# The limit is one registration; the session has it.
pairs_with_quota() {
  session_open holder vail-alice
  session_ask holder "$CONTEXT"
  session_status holder "$(register "$READY")"
  expect_equal "the one registration of the limit" STATUS_SUCCESS "$STATUS"
  last "past the limit" STATUS_QUOTA_EXCEEDED vail-alice "$CONTEXT" "$(register "$READY")"
  last "denied before the limit" STATUS_ACCESS_DENIED vail-bob "$CONTEXT" "$(register "$READY")"
  last "no vGPU before the limit" STATUS_GRAPHICS_VAIL_STATE_CHANGED vail-alice \
    "$CONTEXT" "$(register "$BARE")"
  last "no context before the limit" STATUS_INVALID_DISPOSITION vail-alice "$(register "$READY")"
  session_status holder "$(register "$SECOND")"
  expect_equal "past the limit with another VM" STATUS_QUOTA_EXCEEDED "$STATUS"
  expect_equal "the limit, its value, and the own use" "registrationsPerUid 1 1" \
    "$(field '.parameters | "\(.limit) \(.maximum) \(.used)"' <<<"$REPLY")"
  session_status holder "$(register "$READY")"
  expect_equal "again, from the record, at the limit" STATUS_SUCCESS "$STATUS"
}

# A repeated registration looks at neither privileges nor context again.
from_the_record() {
  local context

  session_open twice vail-alice
  session_ask twice "$CONTEXT"
  context=$(field .parameters.context <<<"$REPLY")
  session_status twice "$(register "$READY")"
  expect_equal "the first time" STATUS_SUCCESS "$STATUS"
  session_status twice "$(call io.vaild.Gpu.DestroyContext "{\"context\":\"$context\"}")"
  expect_equal "its context goes" STATUS_SUCCESS "$STATUS"
  session_status twice "$(register "$READY")"
  expect_equal "a second time, without a context" STATUS_SUCCESS "$STATUS"
  session_status twice "$(unregister "$READY")"
  expect_equal "unregistered" STATUS_SUCCESS "$STATUS"
  session_status twice "$(unregister "$READY")"
  expect_equal "unregistered twice" STATUS_NOT_FOUND "$STATUS"
  session_status twice "$(register "$READY")"
  expect_equal "a first time again, without a context" STATUS_INVALID_DISPOSITION "$STATUS"
  session_kill twice
}

start_daemon
ready_vm "$READY" "$ALICE_CLIENT"
ready_vm "$SECOND" "$ALICE_CLIENT"
add_vm "$BARE" "$VMM" "$ALICE_CLIENT" >/dev/null
six_statuses
pairs
pairs_with_quarantine
from_the_record
echo '{"limits":{"registrationsPerUid":1}}' >"$CONFIG/vaild.json"
kill -HUP "$DAEMON"
pairs_with_quota
expect_clean_stop
finish
