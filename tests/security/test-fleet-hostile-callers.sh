#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Callers without rights do not delay vaild-fleet for others. The last close() of an fd that a client
# sends can hang for ever, so vaild-fleet never closes one itself. A user has few places. The groups
# 0 and 65534 give no rights.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

FLEET_SOCKET=$PRIVATE/fleet.sock
LIST=$(call io.vaild.Fleet.ListHosts)

# start_fleet [PREFIX...]: starts vaild-fleet with an etcd that is away. Sets FLEET to its pid.
start_fleet() {
  mkfifo "$PRIVATE/etcd"
  exec {ETCD}<>"$PRIVATE/etcd"
  "$@" "$HELPERS/lone-fleet" "$FLEET_SOCKET" --operators 0 --observers 65534 \
    <"$PRIVATE/etcd" >"$PRIVATE/fleet.log" 2>&1 &
  FLEET=$!
  eventually test -S "$FLEET_SOCKET"
}

# fleet_status COMMAND...: prints the status of a list to a caller that the command starts.
fleet_status() { "$@" "${SOCAT[@]}" - "UNIX-CONNECT:$FLEET_SOCKET" <<<"$LIST" | statuses; }

# send NAME USER COUNT: sends fds whose close hangs. Sets SENDER, and waits until they are sent.
send() {
  mkfifo "$PRIVATE/$1.go"
  exec_as "$2" "$HELPERS/send-fds" "$FLEET_SOCKET" "$3" linger <"$PRIVATE/$1.go" >"$PRIVATE/$1.output" 2>&1 &
  SENDER=$!
  exec {GO}>"$PRIVATE/$1.go"
  eventually has_lines 1 "$PRIVATE/$1.output"
}

has_lines() { [ -e "$2" ] && [ "$(wc -l <"$2")" -ge "$1" ]; }

# The sender closes its own fds while vaild-fleet is stopped, so that the last close() is another's.
check_fds() {
  kill -STOP "$FLEET"
  send one vail-alice 1
  kill -CONT "$FLEET"
  exec {GO}>&-
  eventually has_lines 2 "$PRIVATE/one.output" || true
  expect_match "fds: they are refused" 'STATUS_INVALID_PARAMETER.*send none' "$(tail -n 1 "$PRIVATE/one.output")"
  expect_equal "fds: root is served while their close hangs" STATUS_SUCCESS "$(fleet_status run_as root)"
  kill -STOP "$FLEET"
  send many vail-alice 253
  kill -CONT "$FLEET"
  exec {GO}>&-
  eventually has_lines 2 "$PRIVATE/many.output" || true
  expect_equal "fds: root is served while as many closes hang as fit into a message" STATUS_SUCCESS "$(fleet_status run_as root)"
}

# The peer exits before vaild-fleet has read its fds.
check_unread_fds() {
  kill -STOP "$FLEET"
  send queued vail-alice 1
  kill_and_wait "$SENDER"
  kill -CONT "$FLEET"
  exec {GO}>&-
  expect_equal "fds on a closed connection: root is served" STATUS_SUCCESS "$(fleet_status run_as root)"
}

check_groups() {
  expect_equal "group 0 gives no rights" STATUS_ACCESS_DENIED \
    "$(fleet_status setpriv --reuid vail-bob --regid 0 --clear-groups --inh-caps=-all --)"
  expect_equal "group 0 among others gives no rights" STATUS_ACCESS_DENIED \
    "$(fleet_status setpriv --reuid vail-bob --regid vail-bob --groups 0,65534 --inh-caps=-all --)"
  expect_equal "group 65534 gives no rights" STATUS_ACCESS_DENIED \
    "$(fleet_status setpriv --reuid vail-bob --regid 65534 --clear-groups --inh-caps=-all --)"
}

bob_gets() { [ "$(fleet_status run_as vail-bob)" = "$1" ]; }

bob_is_limited() {
  hold_connections "$FLEET_SOCKET" vail-bob 4
  bob_gets STATUS_QUOTA_EXCEEDED
}

check_places() {
  expect "places: a user who may call nothing has few" eventually bob_is_limited
  expect_equal "places: another such user is answered" STATUS_ACCESS_DENIED "$(fleet_status run_as vail-carol)"
  release_connections
}

start_fleet "$HELPERS/without-kernel-feature" passrights
check_groups
check_places
check_fds
check_unread_fds
kill_and_wait "$FLEET"
exec {ETCD}>&-
finish
