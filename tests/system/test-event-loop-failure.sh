#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A daemon whose event loop fails ends as one that has failed, so that systemd starts it anew and
# keeps what is stored; and one that waits in vain for a moment goes on.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

needs_tracing

# strace ERROR: its fourth wait from the start fails with that.
export ASAN_OPTIONS=detect_leaks=0 # it does not work in who is traced
start_failing() {
  start_daemon strace -D -o "$PRIVATE/trace" -e "inject=epoll_wait:error=$1:when=4"
}

# Each turn of the loop is a wait.
turn() { ask root "$(call org.varlink.service.GetInfo)" >"$PRIVATE/answers" 2>&1 || true; }

turn_until() {
  turn
  "$@"
}

has_failed() { grep -q INJECTED "$PRIVATE/trace"; }

start_failing EBADF
expect "the loop fails, and the daemon ends" eventually turn_until is_gone "$DAEMON"
STATUS=0
wait "$DAEMON" || STATUS=$?
expect_equal "it has failed" 1 "$STATUS"
expect "it says so" grep -q "the event loop has failed" "$LOG"
expect "it does not say that it was to stop" sh -c '! grep -q "stops serving" "$1"' sh "$LOG"

start_failing EINTR
expect "a wait is interrupted" eventually turn_until has_failed
expect_equal "it goes on" STATUS_SUCCESS "$(ask root "$(call io.vaild.Monitor.GetStatus)" | statuses)"
expect_clean_stop
finish
