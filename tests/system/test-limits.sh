#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What one user takes is bounded, and what one user has taken is not another's lack: connections,
# descriptors, and output that nobody reads.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

LIST=$(call io.vaild.ListRegistrations)

served() {
  expect_equal "$1" STATUS_SUCCESS "$(ask "$2" "$LIST" | statuses)"
}

# A tool that reads stdin to its end holds what it has until then; OUT is where it prints.
# hold NAME USER TOOL ARGUMENT...
hold() {
  local name=$1 user=$2 tool=$3
  shift 3
  mkfifo "$PRIVATE/$name.hold"
  exec_as "$user" "$HELPERS/$tool" "$SOCKET" "$@" <"$PRIVATE/$name.hold" >"$PRIVATE/$name.said" &
  HOLDER=$!
  exec {HOLD}>"$PRIVATE/$name.hold"
  OUT=$PRIVATE/$name.said
}

has_said() { [ "$(wc -l <"$OUT")" -ge "$1" ]; }

let_go() {
  exec {HOLD}>&-
  wait "$HOLDER" || true
}

connections_per_uid() {
  echo '{"limits":{"connectionsPerUid":3}}' >"$CONFIG/vaild.json"
  start_daemon
  hold three vail-alice open-connections 5
  eventually has_said 2
  expect_equal "per uid: three of five are served" "served 3 refused 2 closed 0" "$(sed -n 1p "$OUT")"
  expect_equal "per uid: who is refused is told why, and what" \
    'io.vaild.QuotaExceeded STATUS_QUOTA_EXCEEDED 0xC0000044 connectionsPerUid 3 3' \
    "$(sed -n 2p "$OUT" | jq -r '.error as $e | .parameters |
      "\($e) \(.status) \(.code) \(.limit) \(.maximum) \(.used)"')"
  served "per uid: another is served" vail-bob
  let_go
  expect_equal "per uid: the three were served to the end" "left 3" "$(tail -n 1 "$OUT")"
  expect "per uid: released, they can be had again" eventually alice_is_served
  expect_clean_stop
}

alice_is_served() { [ "$(ask vail-alice "$LIST" | statuses)" = STATUS_SUCCESS ]; }

# A tenth of all is kept for operators.
connections_in_all() {
  echo '{"limits":{"connections":10}}' >"$CONFIG/vaild.json"
  start_daemon
  hold nine vail-alice open-connections 12
  eventually has_said 2
  expect_equal "in all: nine of ten are for anyone" "served 9 refused 3 closed 0" \
    "$(sed -n 1p "$OUT")"
  expect_equal "in all: the limit's name" connections \
    "$(sed -n 2p "$OUT" | jq -r .parameters.limit)"
  expect_equal "in all: there is none for another" "served 0 refused 1 closed 0" \
    "$(run_as vail-bob "$HELPERS/open-connections" "$SOCKET" 1 </dev/null | head -n 1)"
  served "in all: there is one for an operator" root
  served "in all: there is one for an operator by group" vail-carol
  let_go
  expect_clean_stop
}

# Out of descriptors the heaviest uid pays with its newest connection.
out_of_descriptors() {
  rm "$CONFIG/vaild.json"
  start_daemon prlimit --nofile=64:64
  session_open early vail-bob
  session_status early "$LIST"
  expect_equal "descriptors: bob is served before" STATUS_SUCCESS "$STATUS"
  hold many vail-alice open-connections 100
  expect "descriptors: alice's hundredth is answered or closed" eventually has_said 2
  served "descriptors: bob's new connection is served" vail-bob
  served "descriptors: so is an operator's" root
  session_status early "$LIST"
  expect_equal "descriptors: bob's old one was not closed" STATUS_SUCCESS "$STATUS"
  let_go
  expect_match "descriptors: alice's oldest are served still" '^left [1-9][0-9]*$' \
    "$(tail -n 1 "$OUT")"
  expect "descriptors: it is over when they are closed" eventually alice_is_served
  session_kill early
  expect_clean_stop
}

resident_kilobytes() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status"; }

# Who never reads is not read from any more; the daemon holds a bounded amount for a uid.
output_that_nobody_reads() {
  local before after

  VAILD=$ROOT/build/vaild # the sanitizers keep freed memory
  start_daemon
  before=$(resident_kilobytes)
  hold silent vail-alice never-reads 300
  expect "unread: the daemon takes no more" eventually has_said 1
  served "unread: another is served" vail-bob
  after=$(resident_kilobytes)
  # 8 MiB of answers, and of questions that wait at most 64 KiB a connection.
  expect "unread: memory is bounded" [ $((after - before)) -lt $(((8 + 300 / 16 + 4) * 1024)) ]
  let_go
  expect_match "unread: past the uid's bound connections are dropped" '^dropped [1-9]' \
    "$(tail -n 1 "$OUT")"
  expect_clean_stop
}

connections_per_uid
connections_in_all
out_of_descriptors
output_that_nobody_reads
finish
