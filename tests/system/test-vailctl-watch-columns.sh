#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vailctl watch on a terminal of 80 columns: the column of VMs is as wide as their names, so
# that each line of a VM with a short name has room for the user.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=12121212-1212-4212-8212-121212121212
LONGER=34343434-3434-4434-8434-343434343434
OUTPUT=$PRIVATE/watched
TIME='[0-9]{2}:[0-9]{2}:[0-9]{2}  '

# has_line PATTERN: tests whether watch has printed a line that matches the whole pattern.
has_line() { tr -d '\r' <"$OUTPUT" | grep -xE -- "$1" >/dev/null; }

# watched CHECK PATTERN
watched() { expect "$1" eventually has_line "$2"; }

: >"$OUTPUT"
start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
"${CTL[@]}" vm update "$GUID" --name own
env LC_ALL=C.UTF-8 TERM=xterm NO_COLOR=1 script -qec "stty cols 80 rows 24; ${CTL[*]} watch" /dev/null \
  </dev/null >"$OUTPUT" 2>&1 &
watched "watch begins" "${TIME}this was the current state; changes follow"
session_open viewer vail-alice
session_ask viewer "$CONTEXT"
session_ask viewer "$(register "$GUID")"
"${CTL[@]}" vm quarantine "$GUID"
watched "the longest reason leaves room for the user" \
  "${TIME}own       process ${SESSION_PID[viewer]} unregistered: quarantine, user vail-alice"
"${CTL[@]}" vm add "$LONGER" --pid "${SESSION_PID[viewer]}" --name "a longer name"
watched "a longer name makes the column wider" "${TIME}a longer name  VM added.*"
"${CTL[@]}" vm release "$GUID"
watched "it stays so wide" "${TIME}own            quarantine lifted"
expect_clean_stop
finish
