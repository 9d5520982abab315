#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A pid is not a process: whoever gets the pid of a registered process, of a process with a context,
# or of a VMM, gets nothing of theirs, also when the daemon hears of both in the same turn.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=66666666-6666-4666-8666-666666666666
LIST=$(call io.vaild.ListRegistrations)

# ask_at_pid PID REQUEST...: as alice, from a process of that pid.
ask_at_pid() {
  local pid=$1
  shift
  printf '%s\n' "$@" | "$HELPERS/run-at-pid" "$pid" setpriv --reuid vail-alice --regid vail-alice \
    --init-groups --inh-caps=-all -- "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET"
}

# The daemon is held while the process dies and another one takes its pid and asks.
registered_pid_is_reused() {
  local pid answers

  session_open first vail-alice
  session_ask first "$CONTEXT"
  session_status first "$(register "$GUID")"
  expect_equal "$1: the first is registered" STATUS_SUCCESS "$STATUS"
  pid=${SESSION_PID[first]}
  kill -STOP "$DAEMON"
  session_kill first
  ask_at_pid "$pid" "$LIST" "$(unregister "$GUID")" "$(register "$GUID")" "$CONTEXT" \
    "$(register "$GUID")" >"$PRIVATE/answers" &
  eventually connects_as "$pid"
  kill -CONT "$DAEMON"
  wait $!
  answers=$(statuses <"$PRIVATE/answers")
  expect_equal "$1: the second has no registration, no context, and may make its own" \
    "STATUS_SUCCESS STATUS_NOT_FOUND STATUS_INVALID_DISPOSITION STATUS_SUCCESS STATUS_SUCCESS" \
    "$answers"
  expect_equal "$1: the second's list is empty" "[]" \
    "$(head -n 1 "$PRIVATE/answers" | jq -c .parameters.registrations)"
  expect "$1: both are gone" eventually registered_are ""
}

# Whether a socat of that pid has connected.
connects_as() {
  [ "$(cat "/proc/$1/comm" 2>/dev/null)" = socat ] && holds "$1" '^socket:'
}

vmm_pid_is_reused() {
  local old=$VMM

  kill -STOP "$DAEMON"
  kill_hard "$old"
  "$HELPERS/run-at-pid" "$old" sleep infinity &
  eventually runs_as "$old" 0 sleep
  kill -CONT "$DAEMON"
  expect "$1: the VM is gone, though its VMM's pid lives" eventually running_are ""
  kill -KILL "$old"
  wait $! 2>/dev/null || true
}

check_all() {
  ready_vm "$GUID" "$ALICE_CLIENT"
  registered_pid_is_reused "$1"
  vmm_pid_is_reused "$1"
  expect_clean_stop
}

start_daemon
check_all "as the kernel is"
start_daemon "$HELPERS/without-kernel-feature" peerpidfd
check_all "without SO_PEERPIDFD"
finish
