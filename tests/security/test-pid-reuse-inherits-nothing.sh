#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A pid is not a process. A process that reuses the pid of a registered process, of a process with a
# graphics context or of a VMM inherits nothing from it. This holds even if the daemon learns of the
# exit and of the new process in the same turn, or both happen while it does not run.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

GUID=66666666-6666-4666-8666-666666666666
LIST=$(call io.vaild.ListRegistrations)

# ask_at_pid PID REQUEST...: sends the requests as alice from a process with this pid, and prints
# the replies.
ask_at_pid() {
  local pid=$1
  shift
  printf '%s\n' "$@" | "$HELPERS/run-at-pid" "$pid" setpriv --reuid vail-alice --regid vail-alice \
    --init-groups --inh-caps=-all -- "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET"
}

# test_registered_pid KERNEL: stops the daemon, kills a registered process and sends requests from a
# second process with the same pid.
test_registered_pid() {
  local pid answers

  session_open first vail-alice
  session_ask first "$CONTEXT"
  session_status first "$(register "$GUID")"
  expect_equal "$1: the first process registers" STATUS_SUCCESS "$STATUS"
  pid=${SESSION_PID[first]}
  kill -STOP "$DAEMON"
  session_kill first
  ask_at_pid "$pid" "$LIST" "$(unregister "$GUID")" "$(register "$GUID")" "$CONTEXT" \
    "$(register "$GUID")" >"$PRIVATE/answers" &
  eventually has_connected "$pid"
  kill -CONT "$DAEMON"
  wait $!
  answers=$(statuses <"$PRIVATE/answers")
  expect_equal "$1: the second process has no registration and no context, but can make its own" \
    "STATUS_SUCCESS STATUS_NOT_FOUND STATUS_INVALID_DISPOSITION STATUS_SUCCESS STATUS_SUCCESS" \
    "$answers"
  expect_equal "$1: the second process lists no registrations" "[]" \
    "$(head -n 1 "$PRIVATE/answers" | jq -c .parameters.registrations)"
  expect "$1: both registrations end with their processes" eventually registered_pids_are ""
}

# has_connected PID: succeeds if the process is a socat with an open socket.
has_connected() {
  [ "$(cat "/proc/$1/comm" 2>/dev/null)" = socat ] && holds "$1" '^socket:'
}

# test_vmm_pid KERNEL: stops the daemon, kills the VMM and starts a second process with its pid.
test_vmm_pid() {
  local old=$VMM

  kill -STOP "$DAEMON"
  kill_and_wait "$old"
  "$HELPERS/run-at-pid" "$old" sleep infinity &
  eventually runs_as "$old" 0 sleep
  kill -CONT "$DAEMON"
  expect "$1: the VM ends although another process has its VMM's pid" eventually running_vms_are ""
  kill -KILL "$old"
  wait $! 2>/dev/null || true
}

# test_pid_reuse KERNEL
test_pid_reuse() {
  ready_vm "$GUID" "$ALICE_CLIENT"
  test_registered_pid "$1"
  test_vmm_pid "$1"
  expect_clean_stop
}

# Both pids are reused while the daemon does not run, so it learns of neither process. The first
# session ignores the end of its connection, and so lives until it is killed.
test_restart() {
  local pid second

  start_manager 64
  start_service
  ready_vm "$GUID" "$ALICE_CLIENT"
  session_open_with first vail-alice socat - "UNIX-CONNECT:$SOCKET,ignoreeof"
  session_ask first "$CONTEXT"
  session_status first "$(register "$GUID")"
  expect_equal "restart: the first process registers" STATUS_SUCCESS "$STATUS"
  pid=${SESSION_PID[first]}
  kill_and_wait "$DAEMON"
  session_kill first
  mkfifo -m 644 "$PRIVATE/go"
  printf '%s\n' "$LIST" "$(unregister "$GUID")" "$(register "$GUID")" "$CONTEXT" \
    "$(register "$GUID")" >"$PRIVATE/requests"
  # shellcheck disable=SC2016
  "$HELPERS/run-at-pid" "$pid" setpriv --reuid vail-alice --regid vail-alice --init-groups \
    --inh-caps=-all -- sh -c 'read -r go <"$1"; exec socat -t 1000000 - "UNIX-CONNECT:$2"' sh \
    "$PRIVATE/go" "$SOCKET" <"$PRIVATE/requests" >"$PRIVATE/answers" &
  second=$!
  eventually runs_as "$pid" "$ALICE" sh
  start_service
  expect_equal "restart: the VM still runs, and no process is registered" "$GUID " \
    "$(running_vms) $(registered_pids)"
  echo go >"$PRIVATE/go"
  wait "$second"
  expect_equal "restart: the second process has no registration and no context, but can make its own" \
    "STATUS_SUCCESS STATUS_NOT_FOUND STATUS_INVALID_DISPOSITION STATUS_SUCCESS STATUS_SUCCESS" \
    "$(statuses <"$PRIVATE/answers")"
  test_vmm_across_restart
  expect_clean_stop
}

test_vmm_across_restart() {
  local second

  kill_and_wait "$DAEMON"
  kill_and_wait "$VMM"
  "$HELPERS/run-at-pid" "$VMM" sleep infinity &
  second=$!
  eventually runs_as "$VMM" 0 sleep
  start_service
  expect_equal "restart: the VM has ended although another process has its VMM's pid" "" \
    "$(running_vms)"
  kill -KILL "$VMM"
  wait "$second" 2>/dev/null || true
}

start_daemon
test_pid_reuse "this kernel"
start_daemon "$HELPERS/without-kernel-feature" peerpidfd
test_pid_reuse "without SO_PEERPIDFD"
test_restart
finish
