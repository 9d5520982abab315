#!/bin/bash
# SPDX-License-Identifier: MIT
#
# One record for each deny and each allow that changed something, with who, what and why; a flood
# of denies is counted instead.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=12121212-1212-4212-8212-121212121212
DENIES_RECORDED=10 # a second of one uid's, LIMIT_DENY_RECORDS_PER_SECOND

# recorded CHECK PATTERN COUNT: so many lines of the log match.
recorded() {
  expect_equal "$1" "$3" "$(grep -cE "$2" "$LOG" || true)"
}

one_each() {
  local who="uid=$ALICE gid=$ALICE exe=/usr/bin/socat"

  session_open one vail-alice
  session_ask one "$CONTEXT"
  session_ask one "$(register "$GUID")"
  session_ask one "$(register "$GUID")"
  recorded "an allow, and none for the same again" \
    "allowed io.vaild.RegisterVailProcess vm=$GUID pid=${SESSION_PID[one]} $who status=STATUS_SUCCESS" 1
  session_ask one "$(call io.vaild.ListRegistrations)"
  recorded "none for what changes nothing" ListRegistrations 0
  ask vail-bob "$CONTEXT" "$(register "$GUID")" >/dev/null
  recorded "a deny with its reason" \
    "denied io.vaild.RegisterVailProcess vm=$GUID pid=[0-9]+ uid=$BOB gid=$BOB .*status=STATUS_ACCESS_DENIED reason=uid" 1
  ask vail-carol "$(register "${GUID%2}0")" >/dev/null
  recorded "what was looked for in vain" \
    "denied io.vaild.RegisterVailProcess .*uid=47003 .*status=STATUS_NOT_FOUND" 1
}

# All of it comes within a second of the daemon's clock.
flood() {
  local requests=() denied="denied io.vaild.*uid=$BOB"

  for _ in {1..200}; do requests+=("$(register "$GUID")"); done
  ask vail-bob "${requests[@]}" >/dev/null
  recorded "of a flood some denies are written" "$denied" "$DENIES_RECORDED"
  recorded "it is not summed up within the second" "denied .* further requests" 0
  pass_time 1
  recorded "after the second the others are summed up" \
    "denied $((201 - DENIES_RECORDED)) further requests of uid=$BOB" 1
}

own_clock
start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
one_each
flood
expect_clean_stop
finish
