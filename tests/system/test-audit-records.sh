#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the audit records in the log. Each denied call, and each allowed call that changes
# something, makes one record with the caller, the method and the status or reason. If one uid is
# denied too often within a second, further denials are only counted.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=12121212-1212-4212-8212-121212121212
DENIALS_LOGGED=10 # per uid and second: LIMIT_DENY_RECORDS_PER_SECOND

# expect_records CHECK PATTERN COUNT: expects COUNT lines of the log to match the pattern.
expect_records() {
  expect_equal "$1" "$3" "$(grep -cE "$2" "$LOG" || true)"
}

check_each_record() {
  local caller="uid=$ALICE gid=$ALICE exe=/usr/bin/socat"

  session_open one vail-alice
  session_ask one "$CONTEXT"
  session_ask one "$(register "$GUID")"
  session_ask one "$(register "$GUID")"
  expect_records "a registration makes one record, and repeating it makes no second one" \
    "allowed io.vaild.RegisterVailProcess vm=$GUID pid=${SESSION_PID[one]} $caller status=STATUS_SUCCESS" 1
  session_ask one "$(call io.vaild.ListRegistrations)"
  expect_records "a call that changes nothing makes no record" ListRegistrations 0
  ask vail-bob "$CONTEXT" "$(register "$GUID")" >/dev/null
  expect_records "a denied registration makes a record with the reason" \
    "denied io.vaild.RegisterVailProcess vm=$GUID pid=[0-9]+ uid=$BOB gid=$BOB .*status=STATUS_ACCESS_DENIED reason=uid" 1
  ask vail-carol "$(register "${GUID%2}0")" >/dev/null
  expect_records "a registration for an unknown VM makes a record" \
    "denied io.vaild.RegisterVailProcess .*uid=47003 .*status=STATUS_NOT_FOUND" 1
}

has_record() { grep -qE "$1" "$LOG"; }

# expect_start NAME PROGRAM ARGUMENT...: starts a client, and expects it to register without a denial.
expect_start() {
  local name=$1 program=$2 pid
  shift 2
  exec_as vail-alice "$PRIVATE/build/$program" --socket "$SOCKET" "$@" >/dev/null 2>&1 &
  pid=$!
  expect "$name registers" eventually has_record \
    "allowed io.vaild.RegisterVailProcess vm=$GUID pid=$pid "
  expect_records "$name asks for a context first, so that nothing is denied" \
    "denied .* pid=$pid " 0
  kill_and_wait "$pid"
}

check_normal_starts() {
  cp "$ROOT/build/vail-view" "$PRIVATE/build/"
  expect_start vail-view vail-view "$GUID" --png "$PRIVATE/none.png"
  expect_start "vailctl register" vailctl register "$GUID"
  expect_start "vailctl exec" vailctl exec "$GUID" -- sleep infinity
}

# quarantine MEMBERS: prints the request that imposes or lifts the VM's quarantine.
quarantine() { call io.vaild.Machine.SetQuarantine "{\"virtualMachineGuid\":\"$GUID\",$1}"; }

# The records tell what was asked for. A text cannot look like another part of the line.
check_what_was_asked() {
  local set="io.vaild.Machine.SetQuarantine vm=$GUID quarantined"

  ask root "$(quarantine '"quarantined":true,"reason":"a\" status=b\nc"')" >/dev/null
  expect_records "a quarantine is recorded with its reason" \
    "allowed $set=true quarantineReason=\"a' status=b\\?c\" pid=.* status=STATUS_SUCCESS" 1
  ask root "$(quarantine '"quarantined":false')" >/dev/null
  expect_records "its lifting is told from it" "allowed $set=false pid=" 1
  ask vail-bob "$(quarantine '"quarantined":true')" >/dev/null
  expect_records "so is a denial" "denied $set=true pid=" 1
}

# Sends all requests within one second of the daemon's clock, which only advance_clock moves.
check_flood() {
  local requests=() denied="denied io.vaild.*uid=$BOB"

  for _ in {1..200}; do requests+=("$(register "$GUID")"); done
  ask vail-bob "${requests[@]}" >/dev/null
  expect_records "of a flood of denials the first $DENIALS_LOGGED are recorded" "$denied" \
    "$DENIALS_LOGGED"
  expect_records "there is no summary before the second has passed" "denied .* further requests" 0
  advance_clock 1
  expect_records "after the second one record summarises the other denials" \
    "denied $((201 - DENIALS_LOGGED)) further requests of uid=$BOB" 1
}

use_test_clock
start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
check_each_record
check_normal_starts
check_flood
check_what_was_asked
expect_clean_stop
finish
