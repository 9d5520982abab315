#!/bin/bash
# SPDX-License-Identifier: MIT
#
# If its event loop fails, the daemon exits with a failure, so that systemd starts it again and
# keeps its stored fds. If only one wait is interrupted, the daemon continues.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

needs_tracing

export ASAN_OPTIONS=detect_leaks=0 # the leak detector does not work in a traced process

# start_failing ERROR: starts a daemon whose fourth epoll_wait fails with ERROR.
start_failing() {
  start_daemon strace -D -o "$PRIVATE/trace" -e "inject=epoll_wait:error=$1:when=4"
}

# Makes the event loop run once by a request, which may fail.
run_loop() { ask root "$(call org.varlink.service.GetInfo)" >"$PRIVATE/answers" 2>&1 || true; }

# run_loop_and COMMAND...: makes the event loop run once and runs COMMAND.
run_loop_and() {
  run_loop
  "$@"
}

# Tests whether strace has made a wait fail.
has_failed() { grep -q INJECTED "$PRIVATE/trace"; }

start_failing EBADF
expect "EBADF: the daemon exits" eventually run_loop_and is_gone "$DAEMON"
STATUS=0
wait "$DAEMON" || STATUS=$?
expect_equal "EBADF: the exit status is that of a failure" 1 "$STATUS"
expect "EBADF: the failure is logged" grep -q "the event loop has failed" "$LOG"
expect "EBADF: no regular stop is logged" sh -c '! grep -q "stops serving" "$1"' sh "$LOG"

start_failing EINTR
expect "EINTR: a wait is interrupted" eventually run_loop_and has_failed
expect_equal "EINTR: the daemon continues to serve" STATUS_SUCCESS \
  "$(ask root "$(call io.vaild.Monitor.GetStatus)" | statuses)"
expect_clean_stop
finish
