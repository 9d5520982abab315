#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The last close() of an fd that a client sends can hang for ever. If the kernel has SO_PASSRIGHTS,
# the daemon accepts no fds from strangers. On an older kernel it closes them in child processes, so
# that a close that hangs never delays the daemon.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

LIST=$(call io.vaild.ListRegistrations)
GUID=13131313-1313-4313-8313-131313131313

# send NAME USER COUNT KIND: starts send-fds in the background and waits until it has sent its
# request. Its output is in $PRIVATE/NAME.output. It waits for the end of its stdin, whose other end
# is fd GO of this shell.
send() {
  mkfifo "$PRIVATE/$1.go"
  exec_as "$2" "$HELPERS/send-fds" "$SOCKET" "$3" "$4" <"$PRIVATE/$1.go" \
    >"$PRIVATE/$1.output" 2>&1 &
  exec {GO}>"$PRIVATE/$1.go"
  eventually has_printed "$1" 1
}

# has_printed NAME LINES: succeeds if the sender has printed at least this number of lines.
has_printed() { [ -e "$PRIVATE/$1.output" ] && [ "$(wc -l <"$PRIVATE/$1.output")" -ge "$2" ]; }

# send_while_stopped NAME USER COUNT KIND: sends fds while the daemon is stopped. The sender closes
# its own fds before the daemon continues, so that the daemon's close() is the last one. Sets STATUS
# to the status of the reply.
send_while_stopped() {
  kill -STOP "$DAEMON"
  send "$@"
  kill -CONT "$DAEMON"
  exec {GO}>&-
  eventually has_printed "$1" 2 || true
  STATUS=$(tail -n 1 "$PRIVATE/$1.output" | statuses)
}

# expect_status CHECK EXPECTED NAME USER COUNT KIND: checks the status that send_while_stopped gets.
expect_status() {
  local check=$1 expected=$2
  shift 2
  send_while_stopped "$@"
  expect_equal "$check" "$expected" "$STATUS"
}

# expect_served CHECK USER: checks that the daemon answers USER. Call it while closes hang, each for
# ten hours or for ever.
expect_served() {
  expect_equal "$1" STATUS_SUCCESS "$(ask "$2" "$LIST" | statuses)"
}

test_kernel_refuses_fds() {
  if ! "$HELPERS/has-kernel-feature" passrights; then
    skip "the kernel refuses an fd" "this kernel has no SO_PASSRIGHTS"
    return
  fi
  start_daemon
  send kernel vail-alice 1 /dev/null
  expect_equal "the kernel refuses an fd" EPERM "$(head -n 1 "$PRIVATE/kernel.output")"
  send kernel-many vail-alice 253 /dev/null
  expect_equal "the kernel refuses 253 fds" EPERM "$(head -n 1 "$PRIVATE/kernel-many.output")"
  kill -STOP "$DAEMON"
  send kernel-early vail-alice 1 /dev/null
  expect_equal "the kernel refuses an fd before the connection is accepted" EPERM \
    "$(head -n 1 "$PRIVATE/kernel-early.output")"
  kill -CONT "$DAEMON"
  expect_clean_stop
}

test_harmless_fds() {
  echo >"$PRIVATE/harmless"
  expect_status "an fd for a method that takes none is refused" STATUS_INVALID_PARAMETER \
    one vail-alice 1 "$PRIVATE/harmless"
  expect_status "253 fds for a method that takes none are refused" STATUS_INVALID_PARAMETER \
    many vail-alice 253 "$PRIVATE/harmless"
  expect "the daemon closes refused fds" eventually daemon_has_closed "$PRIVATE/harmless"
}

# daemon_has_closed PATTERN: succeeds if the daemon has no open file whose name matches.
daemon_has_closed() { ! holds "$DAEMON" "$1"; }

test_lingering_sockets() {
  local i

  for i in {1..8}; do
    expect_status "lingering socket $i is refused" STATUS_INVALID_PARAMETER \
      "linger$i" vail-alice 1 linger
  done
  expect_served "lingering sockets: another user is served" vail-bob
  expect_served "lingering sockets: the sender is served if it sends no fds" vail-alice
  expect_status "lingering sockets: with eight closes under way the sender's fds are refused" \
    STATUS_QUOTA_EXCEEDED linger9 vail-alice 1 /dev/null
  expect_status "lingering sockets: another user's fds are not charged to the sender" \
    STATUS_INVALID_PARAMETER linger-bob vail-bob 1 /dev/null
  expect_equal "lingering sockets: the error names the limit" "closesUnderWay 8 8" \
    "$(tail -n 1 "$PRIVATE/linger9.output" |
      jq -r '.parameters | "\(.limit) \(.maximum) \(.used)"')"
}

# The kernel still delivers fds that a user sends while its closes hang. The daemon must not
# accumulate them.
test_flood_of_fds() {
  local i open

  echo >"$PRIVATE/flood"
  for i in {1..20}; do
    run_as vail-alice "$HELPERS/send-fds" "$SOCKET" 253 "$PRIVATE/flood" \
      </dev/null >"$PRIVATE/flood.$i" 2>&1 &
  done
  eventually all_floods_are_answered || true
  expect_equal "flood of fds: each request is refused" 20 \
    "$(cat "$PRIVATE"/flood.* | grep -c QUOTA || true)"
  open=$(readlink "/proc/$DAEMON/fd/"* | grep -c "^$PRIVATE/flood" || true)
  expect "flood of fds: at most 2024 of 5060 wait to be closed" [ "$open" -le 2024 ]
  expect_served "flood of fds: another user is served" vail-bob
}

all_floods_are_answered() { [ "$(cat "$PRIVATE"/flood.* | grep -c '"error"')" -eq 20 ]; }

test_file_system_that_hangs() {
  local i

  if [ ! -c /dev/fuse ]; then
    skip "a file system that never answers FLUSH" "this machine has no /dev/fuse"
    return
  fi
  mkdir "$PRIVATE/fuse"
  "$HELPERS/never-answers" flush "$PRIVATE/fuse" 2>"$PRIVATE/fuse.log" &
  FUSE=$!
  if ! is_mounted "$PRIVATE/fuse" "$FUSE"; then
    skip "a file system that never answers FLUSH" "$(cat "$PRIVATE/fuse.log")"
    return
  fi
  for i in {1..8}; do
    expect_status "FUSE: file $i is refused" STATUS_INVALID_PARAMETER \
      "fuse$i" vail-bob 1 "$PRIVATE/fuse/file"
  done
  expect_served "FUSE: another user is served" vail-carol
  expect_served "FUSE: the sender is served if it sends no fds" vail-bob
  expect_status "FUSE: with eight closes under way the sender's fds are refused" \
    STATUS_QUOTA_EXCEEDED fuse9 vail-bob 1 /dev/null
  expect_status "FUSE: another user's fds are not charged to the sender" STATUS_INVALID_PARAMETER \
    fuse-carol vail-carol 1 /dev/null
  test_fds_fetched_from_callers
  kill_and_wait "$FUSE"
  expect "FUSE: the closes finish when the file system ends" eventually bob_may_send_again
}

bob_may_send_again() {
  ATTEMPT=$((${ATTEMPT:-0} + 1))
  send_while_stopped "again$ATTEMPT" vail-bob 1 /dev/null
  [ "$STATUS" = STATUS_INVALID_PARAMETER ]
}

# The daemon also fetches fds from a caller to find its GPU device. Closing its copy can hang, too.
test_fds_fetched_from_callers() {
  local i

  ready_vm "$GUID" '{"user":"vail-carol"}'
  for i in {1..30}; do
    exec_as vail-carol "$HELPERS/with-fd" open "$PRIVATE/fuse/file" \
      "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" <<<"$(register "$GUID")" >"$PRIVATE/fetched.$i" &
  done
  eventually all_callers_are_answered || true
  expect_equal "fds fetched from callers: each caller is answered" 30 \
    "$(cat "$PRIVATE"/fetched.* | statuses | wc -w)"
  expect_served "fds fetched from callers: another user is served" root
}

all_callers_are_answered() { [ "$(cat "$PRIVATE"/fetched.* | wc -l)" -eq 30 ]; }

# A child process that hangs in close() outlives a crash of the daemon and shares the daemon's fds,
# including its lock file.
test_crash_while_close_hangs() {
  [ -n "${FUSE:-}" ] || return 0 # already reported as skipped
  mkdir "$PRIVATE/fuse-again"
  "$HELPERS/never-answers" flush "$PRIVATE/fuse-again" 2>"$PRIVATE/fuse.log" &
  FUSE=$!
  is_mounted "$PRIVATE/fuse-again" "$FUSE"
  expect_status "crash: a file whose close hangs is refused" STATUS_INVALID_PARAMETER \
    fuse-crash vail-bob 1 "$PRIVATE/fuse-again/file"
  kill_and_wait "$DAEMON"
  start_daemon "$HELPERS/without-kernel-feature" passrights
  expect_served "crash: the next daemon starts and serves" vail-bob
  kill_and_wait "$FUSE"
}

# The peer exits before the daemon has read its fds, so that they are still queued on the connection.
test_unread_fds() {
  kill -STOP "$DAEMON"
  send queued vail-carol 1 linger
  kill_and_wait $!
  kill -CONT "$DAEMON"
  expect_served "fds queued on a closed connection: another user is served" vail-bob
}

test_kernel_refuses_fds
start_daemon "$HELPERS/without-kernel-feature" passrights
test_harmless_fds
test_unread_fds
test_lingering_sockets
test_flood_of_fds
test_file_system_that_hangs
test_crash_while_close_hangs
expect_clean_stop
finish
