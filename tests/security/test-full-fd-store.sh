#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Users fill the fd store of the service manager. Further requests that need an entry are refused,
# except for those of operators, which have a reserve. Nothing in the store is lost, also not in a
# restart, and entries that are released can be used again.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

ENTRIES=20
RESERVE=2 # a tenth
export FDSTORE=$ENTRIES

# Prints the number of entries in the store.
stored() {
  session_ask manager names
  wc -w <<<"$REPLY"
}
stores() { [ "$(stored)" = "$1" ]; }

# expect_context CHECK EXPECTED SESSION USER: opens a session, whose process needs an entry for its
# context. Checks the status. The process outlives the daemon, because it ignores the end of its
# connection.
expect_context() {
  session_open_with "$3" "$4" socat - "UNIX-CONNECT:$SOCKET,ignoreeof" 2>/dev/null
  session_status "$3" "$CONTEXT"
  expect_equal "$1" "$2" "$STATUS"
}

# Prints the pids of all processes with a context in ascending order.
owners() {
  ask root "$(call io.vaild.Gpu.ListProcesses)" |
    jq -c '[.parameters.processes[] | select(.pid) | .pid] | sort'
}

fill_store() {
  local i

  for ((i = 1; i <= ENTRIES - RESERVE; i++)); do
    expect_context "process $i of a user gets an entry" STATUS_SUCCESS "user$i" vail-alice
  done
  expect_context "with a full store, the user's next process is refused" \
    STATUS_INSUFFICIENT_RESOURCES refused vail-alice
  expect_match "the error names the store" 'descriptor store' "$(field .parameters.message <<<"$REPLY")"
  expect_context "with a full store, another user is refused" STATUS_INSUFFICIENT_RESOURCES bob vail-bob
  for ((i = 1; i <= RESERVE; i++)); do
    expect_context "with a full store, an operator gets entry $i of the reserve" STATUS_SUCCESS \
      "operator$i" vail-carol
  done
  expect_context "when the reserve is used up, an operator is refused" \
    STATUS_INSUFFICIENT_RESOURCES last vail-carol
  expect_equal "the store has all entries" "$ENTRIES" "$(stored)"
}

check_restart() {
  local before

  before=$(owners)
  kill_and_wait "$DAEMON"
  start_service
  expect_equal "after a crash, every process still has its context" "$before" "$(owners)"
  expect_equal "after a crash, the store has all entries" "$ENTRIES" "$(stored)"
  session_kill bob
  expect_context "after a crash, another user is still refused" STATUS_INSUFFICIENT_RESOURCES bob vail-bob
}

check_release() {
  session_kill user1
  expect "the store releases the entry of a process that exits" eventually stores $((ENTRIES - 1))
  session_status bob "$CONTEXT"
  expect_equal "the reserve stays for operators" STATUS_INSUFFICIENT_RESOURCES "$STATUS"
  session_kill operator1
  expect "the store releases the entry of an operator" eventually stores $((ENTRIES - 2))
  session_kill user2
  expect "the store releases another entry" eventually stores $((ENTRIES - 3))
  session_status bob "$CONTEXT"
  expect_equal "another user gets a released entry" STATUS_SUCCESS "$STATUS"
}

start_manager "$ENTRIES"
start_service
fill_store
check_restart
check_release
expect_clean_stop
finish
