#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Viewers send fds on display channels whose close blocks for hours. Neither the daemon nor the
# service manager may ever close one: both still answer.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

CLOSES_MAX=8
KEEPERS=()

# open_one CASE: opens a channel, on which an fd then waits whose close blocks.
open_one() {
  expect_reply "$1: the viewer opens a display" "STATUS_SUCCESS 1" viewer "open 0"
  expect_reply "$1: the agent gets it" "opened 1" agent next
  session_ask viewer hang
  KEEPERS+=("$REPLY")
}

open_players() {
  helper_session agent vail-vmm play-display "$GUID"
  helper_session viewer vail-alice play-display "$GUID"
  expect_equal "$1: the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[agent]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  expect_reply "$1: the viewer registers" STATUS_SUCCESS viewer register
  expect_reply "$1: the agent serves" STATUS_SUCCESS agent serve
  expect_reply "$1: the agent is told that it serves" begun agent next
}

# Each channel leaves one child process that hangs in a close, until there may be no more.
check_closes() {
  local handle count
  for ((count = 0; count < CLOSES_MAX; count++)); do
    open_one "channel $count"
    handle=$(ask root "$(call io.vaild.Display.ListDisplays)" | field '.parameters.displays[0].display')
    expect_equal "channel $count: it is closed" STATUS_SUCCESS "$(ask root \
      "$(call io.vaild.Display.CloseDisplay "{\"display\":\"$handle\"}")" | statuses)"
    expect_reply "channel $count: the agent is told" "closed requested" agent next
    expect "channel $count: a close hangs" eventually closes_are $((count + 1))
  done
  expect_reply "while these closes hang, no channel opens" STATUS_QUOTA_EXCEEDED viewer "open 0"
  kill "${KEEPERS[@]}"
  KEEPERS=()
  expect "later the closes end" eventually closes_are 0
  expect_reply "then a channel opens" "STATUS_SUCCESS 1" viewer "open 0"
  expect_reply "then the agent gets it" "opened 1" agent next
}

# closes_are COUNT: tests how many children of the daemon close fds; one more is the examiner.
closes_are() { [ "$(pgrep -c -P "$DAEMON")" -eq $(($1 + 1)) ]; }

# names_are_without_channels: tests whether the manager answers, and has only processes.
names_are_without_channels() {
  session_ask manager names
  [[ $REPLY != *m* ]]
}

# The next daemon drops the channel of a viewer that has exited.
check_restart() {
  open_one "restart"
  kill -KILL "$DAEMON"
  wait "$DAEMON" 2>/dev/null || true
  session_kill viewer
  session_kill agent
  start_service
  expect "restart: the service manager has closed the channel" eventually \
    names_are_without_channels
}

# A stop does not leave the channel to the service manager.
check_stop() {
  open_players stop
  open_one stop
  stop_daemon
  expect_equal "stop: the daemon ends cleanly" 0 "$STATUS"
  expect_reply "stop: the viewer sees the end" end viewer hear
  session_ask manager names
  for name in $REPLY; do session_ask manager "forget $name"; done
  expect_equal "stop: the service manager can close everything" ok "$REPLY"
}

end_keepers() { [ ${#KEEPERS[@]} -eq 0 ] || kill "${KEEPERS[@]}" 2>/dev/null || true; }

trap end_keepers EXIT
start_manager 64
start_service
open_players closes
check_closes
check_restart
check_stop
finish
