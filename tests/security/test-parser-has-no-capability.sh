#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon's main process reads what strangers send, and has no capability. Its second process, the
# examiner, has CAP_SYS_PTRACE alone. The main process cannot get at the examiner, and whoever takes
# it over can therefore not fetch the fds of other users' processes.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

NONE=0000000000000000
PTRACE=0000000000080000

# lines_of PID NAMES: prints the values of these lines of the process's status.
lines_of() { sed -nE "s/^($2):\t//p" "/proc/$1/status" | paste -sd' '; }

# Sets EXAMINER to the pid of the daemon's second process.
find_examiner() { EXAMINER=$(pgrep --exact vaild-examiner --parent "$DAEMON"); }

# expect_capabilities HOW: checks the capabilities of both processes, and that neither can gain any.
expect_capabilities() {
  local sets='Cap(Inh|Prm|Eff|Amb)|NoNewPrivs'

  expect_equal "$1: the main process has no capability" "$NONE $NONE $NONE $NONE 1" \
    "$(lines_of "$DAEMON" "$sets")"
  expect "$1: there is one second process" find_examiner
  expect_equal "$1: the second process has CAP_SYS_PTRACE alone" "$NONE $PTRACE $PTRACE $NONE 1" \
    "$(lines_of "$EXAMINER" "$sets")"
}

# attempt NAME PID: makes an attempt of try-sandbox on the process, with the main process's
# credentials. Prints the result.
attempt() {
  setpriv --reuid vaild --regid vaild --clear-groups --inh-caps=-all --bounding-set=-all \
    --no-new-privs -- "$HELPERS/try-sandbox" "$2" | sed -n "s/^$1 //p"
}

# The attempts on the main process itself show that the attempts can succeed.
test_main_process_cannot_reach_examiner() {
  local name

  for name in need:pidfd_getfd need:fd-list other-mem need:user-namespace; do
    if [ "$(attempt "$name" "$DAEMON")" != allowed ]; then
      skip "the examiner is out of reach: $name" "this machine refuses it for any process"
      continue
    fi
    expect_match "the examiner is out of reach: $name" '^E(PERM|ACCES)$' \
      "$(attempt "$name" "$EXAMINER")"
  done
}

test_examiner_has_no_other_fds() {
  expect_equal "the examiner has its sockets and stderr open, and nothing else but /dev/null" \
    "0 /dev/null, 1 /dev/null, 2, 3, 4" \
    "$(find "/proc/$EXAMINER/fd" -mindepth 1 \( -lname /dev/null -printf '%f %l\n' -o -printf '%f\n' \) |
      sort -n | paste -sd, | sed 's/,/, /g')"
}

# Signals that a terminal or systemd sends to both end or reload the main process only.
test_examiner_ends_with_daemon() {
  kill -TERM "$EXAMINER"
  kill -INT "$EXAMINER"
  kill -HUP "$EXAMINER"
  expect_equal "the examiner ignores signals for the main process" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.Monitor.GetStatus)" | statuses)"
  kill_and_wait "$DAEMON"
  expect "the examiner ends with a main process that is killed" eventually is_gone_or_zombie \
    "$EXAMINER"
}

# expect_failure HOW PATTERN: checks that the daemon exits as it does after a failure, and says why.
expect_failure() {
  STATUS=0
  wait "$DAEMON" || STATUS=$?
  expect_equal "$1: the daemon exits with a failure" 1 "$STATUS"
  expect_equal "$1: the daemon logs it once" 1 "$(grep -c "second process.* $2;" "$LOG" || true)"
  expect_equal "$1: no regular stop is logged" 0 "$(grep -c "stops serving" "$LOG" || true)"
}

test_examiner_dies() {
  start_daemon
  find_examiner
  kill -KILL "$EXAMINER"
  expect_failure "a killed examiner" "has ended"
}

test_examiner_is_silent() {
  start_daemon
  find_examiner
  kill -STOP "$EXAMINER"
  ask root "$(call io.vaild.Monitor.GetStatus)" >/dev/null 2>&1 || true
  expect_failure "a stopped examiner" "does not answer"
}

# A root without capabilities cannot write to the folders of others.
test_start_by_root() {
  chown -R root:root "$PRIVATE/run" "$PRIVATE/runtime" "$STATE"
  AS_DAEMON=()
  start_daemon
  expect_capabilities "started by root"
  expect_equal "started by root: the daemon serves" STATUS_SUCCESS \
    "$(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
  expect_clean_stop
}

start_daemon
expect_capabilities "started as by the unit"
test_main_process_cannot_reach_examiner
test_examiner_has_no_other_fds
test_examiner_ends_with_daemon
test_examiner_dies
test_examiner_is_silent
test_start_by_root
finish
