#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Descriptors that strangers send can hang whoever closes them. The daemon takes none where the
# kernel lets it say so, and elsewhere never closes one where it would wait.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

LIST=$(call io.vaild.ListRegistrations)
GUID=13131313-1313-4313-8313-131313131313

# send NAME USER COUNT WHAT: what the sender says of it is in $PRIVATE/NAME.said; it lives on.
send() {
  mkfifo "$PRIVATE/$1.go"
  exec_as "$2" "$HELPERS/send-fds" "$SOCKET" "$3" "$4" <"$PRIVATE/$1.go" \
    >"$PRIVATE/$1.said" 2>&1 &
  exec {GO}>"$PRIVATE/$1.go"
  eventually has_said "$1" 1
}

has_said() { [ -e "$PRIVATE/$1.said" ] && [ "$(wc -l <"$PRIVATE/$1.said")" -ge "$2" ]; }

# send_while_held NAME USER COUNT WHAT: the sender has closed its own descriptors before the daemon
# goes on, so the daemon is the last to close. The status of the answer is in STATUS.
send_while_held() {
  kill -STOP "$DAEMON"
  send "$@"
  kill -CONT "$DAEMON"
  exec {GO}>&-
  eventually has_said "$1" 2 || true
  STATUS=$(tail -n 1 "$PRIVATE/$1.said" | statuses)
}

# expect_answer CHECK EXPECTED NAME USER COUNT WHAT
expect_answer() {
  local check=$1 expected=$2
  shift 2
  send_while_held "$@"
  expect_equal "$check" "$expected" "$STATUS"
}

# served CHECK USER: is answered while the closes hang, each for ten hours or for ever.
served() {
  expect_equal "$1" STATUS_SUCCESS "$(ask "$2" "$LIST" | statuses)"
}

refused_by_the_kernel() {
  if ! "$HELPERS/has-kernel-feature" passrights; then
    skip "descriptors are refused by the kernel" "this one has no SO_PASSRIGHTS"
    return
  fi
  start_daemon
  send kernel vail-alice 1 /dev/null
  expect_equal "descriptors are refused by the kernel" EPERM "$(head -n 1 "$PRIVATE/kernel.said")"
  send kernel-many vail-alice 253 /dev/null
  expect_equal "so are 253" EPERM "$(head -n 1 "$PRIVATE/kernel-many.said")"
  kill -STOP "$DAEMON"
  send kernel-early vail-alice 1 /dev/null
  expect_equal "so is one before the connection is accepted" EPERM \
    "$(head -n 1 "$PRIVATE/kernel-early.said")"
  kill -CONT "$DAEMON"
  expect_clean_stop
}

harmless_ones() {
  echo >"$PRIVATE/harmless"
  expect_answer "one that nobody asked for" STATUS_INVALID_PARAMETER \
    one vail-alice 1 "$PRIVATE/harmless"
  expect_answer "253 of them" STATUS_INVALID_PARAMETER many vail-alice 253 "$PRIVATE/harmless"
  expect "they are closed" eventually daemon_holds_no "$PRIVATE/harmless"
}

daemon_holds_no() { ! holds "$DAEMON" "$1"; }

lingering_sockets() {
  local i

  for i in {1..8}; do
    expect_answer "lingering socket $i" STATUS_INVALID_PARAMETER "linger$i" vail-alice 1 linger
  done
  served "lingering: another is served" vail-bob
  served "lingering: so is the sender, without descriptors" vail-alice
  expect_answer "lingering: with eight closes under way a user sends no more" \
    STATUS_QUOTA_EXCEEDED linger9 vail-alice 1 /dev/null
  expect_answer "lingering: another user may" STATUS_INVALID_PARAMETER \
    linger-bob vail-bob 1 /dev/null
  expect_equal "lingering: which limit" "closesUnderWay 8 8" \
    "$(tail -n 1 "$PRIVATE/linger9.said" |
      jq -r '.parameters | "\(.limit) \(.maximum) \(.used)"')"
}

# What a user sends on while its closes hang has to be taken, and must not pile up.
the_daemon_does_not_drown() {
  local i held

  echo >"$PRIVATE/flood"
  for i in {1..20}; do
    run_as vail-alice "$HELPERS/send-fds" "$SOCKET" 253 "$PRIVATE/flood" \
      </dev/null >"$PRIVATE/flood.$i" 2>&1 &
  done
  eventually all_are_told || true
  expect_equal "drowning: each is told" 20 "$(cat "$PRIVATE"/flood.* | grep -c QUOTA || true)"
  held=$(readlink "/proc/$DAEMON/fd/"* | grep -c "^$PRIVATE/flood" || true)
  expect "drowning: what waits to be closed is bounded (5060 were sent)" [ "$held" -le 2024 ]
  served "drowning: another is served" vail-bob
}

all_are_told() { [ "$(cat "$PRIVATE"/flood.* | grep -c '"error"')" -eq 20 ]; }

file_system_that_hangs() {
  local i

  if [ ! -c /dev/fuse ]; then
    skip "a file system that never answers FLUSH" "no /dev/fuse"
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
    expect_answer "FUSE: file $i" STATUS_INVALID_PARAMETER \
      "fuse$i" vail-bob 1 "$PRIVATE/fuse/file"
  done
  served "FUSE: another is served" vail-carol
  served "FUSE: so is the sender, without descriptors" vail-bob
  expect_answer "FUSE: with eight closes under way a user sends no more" STATUS_QUOTA_EXCEEDED \
    fuse9 vail-bob 1 /dev/null
  expect_answer "FUSE: another user may" STATUS_INVALID_PARAMETER fuse-carol vail-carol 1 /dev/null
  looked_at_in_the_caller
  kill_hard "$FUSE"
  expect "FUSE: when the file system is gone, they close" eventually bob_may_send_again
}

bob_may_send_again() {
  AGAIN=$((${AGAIN:-0} + 1))
  send_while_held "again$AGAIN" vail-bob 1 /dev/null
  [ "$STATUS" = STATUS_INVALID_PARAMETER ]
}

# What the daemon fetches from a caller, to see whether it is a GPU, can hang as well.
looked_at_in_the_caller() {
  local i

  ready_vm "$GUID" '{"user":"vail-carol"}'
  for i in {1..30}; do
    exec_as vail-carol "$HELPERS/with-fd" open "$PRIVATE/fuse/file" \
      "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" <<<"$(register "$GUID")" >"$PRIVATE/fetched.$i" &
  done
  eventually all_have_answers || true
  expect_equal "fetched: each is answered" 30 \
    "$(cat "$PRIVATE"/fetched.* | statuses | wc -w)"
  served "fetched: another is served" root
}

all_have_answers() { [ "$(cat "$PRIVATE"/fetched.* | wc -l)" -eq 30 ]; }

# The child that hangs in the close shares the dead daemon's descriptors, its lock among them.
a_crash_while_one_hangs() {
  [ -n "${FUSE:-}" ] || return 0 # there is no /dev/fuse, and that was said
  mkdir "$PRIVATE/fuse-again"
  "$HELPERS/never-answers" flush "$PRIVATE/fuse-again" 2>"$PRIVATE/fuse.log" &
  FUSE=$!
  is_mounted "$PRIVATE/fuse-again" "$FUSE"
  expect_answer "crash: one hangs" STATUS_INVALID_PARAMETER \
    fuse-crash vail-bob 1 "$PRIVATE/fuse-again/file"
  kill_hard "$DAEMON"
  start_daemon "$HELPERS/without-kernel-feature" passrights
  served "crash: the next daemon starts and serves" vail-bob
  kill_hard "$FUSE"
}

# A connection that is closed by its peer with descriptors queued in it is no different.
queued_and_never_read() {
  kill -STOP "$DAEMON"
  send queued vail-carol 1 linger
  kill_hard $!
  kill -CONT "$DAEMON"
  served "queued: another is served" vail-bob
}

refused_by_the_kernel
start_daemon "$HELPERS/without-kernel-feature" passrights
harmless_ones
queued_and_never_read
lingering_sockets
the_daemon_does_not_drown
file_system_that_hangs
a_crash_while_one_hangs
expect_clean_stop
finish
