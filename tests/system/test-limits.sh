#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each user's connections, fds and unread replies are limited, so that a user who takes all of them
# does not prevent others from being served.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

LIST=$(call io.vaild.ListRegistrations)

# served CHECK USER: checks that a request of USER succeeds.
served() {
  expect_equal "$1" STATUS_SUCCESS "$(ask "$2" "$LIST" | statuses)"
}

# hold NAME USER HELPER ARGUMENT...: starts a helper program as USER, which keeps its connections
# until release_held ends its stdin. Sets HOLDER to its pid and OUT to the file with its output.
hold() {
  local name=$1 user=$2 helper=$3
  shift 3
  mkfifo "$PRIVATE/$name.hold"
  exec_as "$user" "$HELPERS/$helper" "$SOCKET" "$@" <"$PRIVATE/$name.hold" \
    >"$PRIVATE/$name.output" &
  HOLDER=$!
  exec {HOLD}>"$PRIVATE/$name.hold"
  OUT=$PRIVATE/$name.output
}

# has_printed NUMBER: tests whether the helper program has printed NUMBER lines.
has_printed() { [ "$(wc -l <"$OUT")" -ge "$1" ]; }

# Ends the stdin of the helper program and waits until it has closed its connections and exited.
release_held() {
  exec {HOLD}>&-
  wait "$HOLDER" || true
}

connections_per_uid() {
  echo '{"limits":{"connectionsPerUid":3}}' >"$CONFIG/vaild.json"
  start_daemon
  hold three vail-alice open-connections 5
  eventually has_printed 2
  expect_equal "per uid: three of five connections are served" "served 3 refused 2 closed 0" \
    "$(sed -n 1p "$OUT")"
  expect_equal "per uid: a refusal names the limit and its maximum" \
    'io.vaild.QuotaExceeded STATUS_QUOTA_EXCEEDED 0xC0000044 connectionsPerUid 3 3' \
    "$(sed -n 2p "$OUT" | jq -r '.error as $e | .parameters |
      "\($e) \(.status) \(.code) \(.limit) \(.maximum) \(.used)"')"
  served "per uid: another user is served" vail-bob
  release_held
  expect_equal "per uid: the three connections stay open" "left 3" "$(tail -n 1 "$OUT")"
  expect "per uid: closed connections can be opened again" eventually alice_is_served
  expect_clean_stop
}

# Tests whether a request of alice succeeds.
alice_is_served() { [ "$(ask vail-alice "$LIST" | statuses)" = STATUS_SUCCESS ]; }

# A tenth of all connections is reserved for operators.
total_connections() {
  echo '{"limits":{"connections":10}}' >"$CONFIG/vaild.json"
  start_daemon
  hold nine vail-alice open-connections 12
  eventually has_printed 2
  expect_equal "total: one user can have nine of ten connections" "served 9 refused 3 closed 0" \
    "$(sed -n 1p "$OUT")"
  expect_equal "total: a refusal names the limit" connections \
    "$(sed -n 2p "$OUT" | jq -r .parameters.limit)"
  expect_equal "total: a connection of another user is refused" "served 0 refused 1 closed 0" \
    "$(run_as vail-bob "$HELPERS/open-connections" "$SOCKET" 1 </dev/null | head -n 1)"
  served "total: a connection of root is served" root
  served "total: a connection of an operator by group is served" vail-carol
  release_held
  expect_clean_stop
}

# An operator's own connections must not keep it from reloading the configuration, and neither must
# those of others.
operators_are_never_locked_out() {
  echo '{"limits":{"connections":10,"connectionsPerUid":1}}' >"$CONFIG/vaild.json"
  start_daemon
  hold carol vail-carol open-connections 20
  eventually has_printed 2
  expect_equal "operators: one has 16 connections whatever the limits are" \
    "served 16 refused 4 closed 0" "$(sed -n 1p "$OUT")"
  expect_equal "operators: a refusal names the limit as it is enforced" "connectionsPerUid 16" \
    "$(sed -n 2p "$OUT" | jq -r '.parameters | "\(.limit) \(.maximum)"')"
  expect_equal "operators: a user is refused while operators have all connections" \
    "served 0 refused 1 closed 0" \
    "$(run_as vail-bob "$HELPERS/open-connections" "$SOCKET" 1 </dev/null | head -n 1)"
  rm "$CONFIG/vaild.json"
  expect "operators: another one reloads the configuration" \
    "$PRIVATE/build/vailctl" --socket "$SOCKET" reload
  served "operators: users are served after that" vail-bob
  release_held
  expect_clean_stop
}

# Every limit, at its lowest values: either the mistake is named, or root can still look, put a VM in
# quarantine and reload. Root watches meanwhile.
no_limit_locks_out() {
  local name value said locked='' refused=0
  local guid=77777777-7777-4777-8777-777777777777

  rm -f "$CONFIG/vaild.json"
  start_daemon
  "${CTL[@]}" watch >/dev/null 2>&1 &
  eventually connections_are 1
  for name in $("${CTL[@]}" --json limits | jq -r '.limits[].name'); do
    [[ $name != @(virtualGpusPerMachine|maxVirtualGpus|closesUnderWay) ]] || continue # no keys
    for value in 0 1; do
      echo "{\"limits\":{\"$name\":$value}}" >"$CONFIG/vaild.json"
      if ! said=$("${CTL[@]}" reload 2>&1); then
        refused=$((refused + 1))
        [[ $said == *"vaild.json:1:12: limits.$name would "* ]] || locked+=" $name=$value ($said)"
      elif ! { "${CTL[@]}" status && "${CTL[@]}" list && "${CTL[@]}" vm quarantine "$guid" &&
        "${CTL[@]}" vm release "$guid"; } >"$PRIVATE/said" 2>&1; then
        locked+=" $name=$value ($(<"$PRIVATE/said"))"
      fi
      rm "$CONFIG/vaild.json"
      "${CTL[@]}" reload >"$PRIVATE/said" 2>&1 || locked+=" $name=$value (reload: $(<"$PRIVATE/said"))"
    done
  done
  expect_equal "lowest values: no limit locks root out" "" "$locked"
  expect_equal "lowest values: eight values are refused by name" 8 "$refused"
  expect_clean_stop
}

# connections_are NUMBER: tests whether NUMBER connections exist besides the one of this request.
connections_are() {
  [ "$(ask root "$(call io.vaild.Monitor.GetStatus)" | field .parameters.connections)" -eq $(($1 + 1)) ]
}

# If the daemon runs out of fds, it closes the newest connection of the user with the most fds.
out_of_fds() {
  rm -f "$CONFIG/vaild.json"
  start_daemon prlimit --nofile=64:64
  session_open early vail-bob
  session_status early "$LIST"
  expect_equal "fds: bob is served before the fds run out" STATUS_SUCCESS "$STATUS"
  hold many vail-alice open-connections 100
  expect "fds: each of alice's 100 connections gets a reply or is closed" eventually has_printed 2
  served "fds: a new connection of bob is served" vail-bob
  served "fds: a new connection of an operator is served" root
  session_status early "$LIST"
  expect_equal "fds: the earlier connection of bob is still open" STATUS_SUCCESS "$STATUS"
  release_held
  expect_match "fds: the oldest connections of alice are still open" '^left [1-9][0-9]*$' \
    "$(tail -n 1 "$OUT")"
  expect "fds: alice is served again when her connections are closed" eventually alice_is_served
  session_kill early
  expect_clean_stop
}

# Prints the daemon's peak resident memory in KiB.
resident_kilobytes() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status"; }

# The daemon stops reading from connections whose replies are not read, and limits the memory for
# the unread replies of each user.
unread_replies() {
  local before after

  VAILD=$ROOT/build/vaild # the sanitizers do not return freed memory
  start_daemon
  before=$(resident_kilobytes)
  hold silent vail-alice never-reads 300
  expect "unread: the daemon stops reading requests" eventually has_printed 1
  served "unread: another user is served" vail-bob
  after=$(resident_kilobytes)
  # At most 8 MiB of replies for the user, 64 KiB of waiting requests for each of the 300
  # connections, and 4 MiB of everything else.
  expect "unread: the daemon's memory is limited" \
    [ $((after - before)) -lt $(((8 + 300 / 16 + 4) * 1024)) ]
  release_held
  # How many replies a connection has depends on turns, so the user may stay below its limit.
  expect_match "unread: the helper saw the end of its connections" '^dropped [0-9]' \
    "$(tail -n 1 "$OUT")"
  expect_clean_stop
}

# 200 connections have sent 12 MB of messages without an end. The daemon holds 8 MiB for a user, which
# is 139 of them.
half_messages() {
  use_test_clock # they have no time to pass
  start_daemon
  hold half vail-alice half-messages 200
  expect "half messages: the daemon has read what it can hold" eventually has_printed 1
  expect_equal "half messages: the fullest connections beyond the limit are closed" \
    "taken 139 dropped 61" "$(cat "$OUT")"
  served "half messages: another user is served" vail-bob
  release_held
  expect_clean_stop
}

connections_per_uid
total_connections
operators_are_never_locked_out
no_limit_locks_out
out_of_fds
unread_replies
half_messages
finish
