#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The uids of a child user namespace are not those of the host. Root in such a namespace is not an
# operator, and the processes in it are charged to its owner. The daemon itself must run in the
# initial user namespace. A client outside the daemon's pid namespace has pid 0 and is refused.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa
LIST=$(call io.vaild.ListRegistrations)
QUARANTINES=$(call io.vaild.Machine.ListQuarantines)

# Makes a user namespace of alice, whose uids 0 to 9 are 200000 to 200009 on the host. Sets NAMESPACE
# to the pid of a process in it.
make_namespace() {
  exec_as vail-alice unshare --user sleep infinity &
  NAMESPACE=$!
  eventually grep -q sleep "/proc/$NAMESPACE/comm"
  echo "0 200000 10" >"/proc/$NAMESPACE/uid_map"
  echo "0 200000 10" >"/proc/$NAMESPACE/gid_map"
}

# talk_inside UID: sends stdin to the daemon as this uid of the namespace, and prints the replies.
talk_inside() {
  nsenter --user --target "$NAMESPACE" --setuid "$1" --setgid "$1" -- \
    "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET"
}

test_root_in_namespace() {
  expect_equal "alice as root in her own namespace is not an operator" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$QUARANTINES" |
      run_as vail-alice unshare --user --map-root-user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" |
      statuses)"
  expect_equal "alice with her own uid in her own namespace cannot register" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$CONTEXT" "$(register "$GUID")" |
      run_as vail-alice unshare --user --map-current-user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" |
      tail -n 1 | statuses)"
  expect_equal "the host's root in a child namespace is not an operator" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$QUARANTINES" |
      unshare --user --map-root-user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" | statuses)"
  expect_equal "uid 0 of a namespace of alice is not an operator" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$QUARANTINES" | talk_inside 0 | statuses)"
  expect_equal "a user of the namespace can list registrations" STATUS_SUCCESS \
    "$(printf '%s\n' "$LIST" | talk_inside 5 | statuses)"
}

# In its own namespace, each of these processes has the uid of nobody. The kernel tells the daemon the
# uid of the host, but the namespace is another one.
test_unmapped() {
  local user

  expect_equal "alice in a namespace that maps no uid cannot register" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$CONTEXT" "$(register "$GUID")" |
      run_as vail-alice unshare --user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" |
      tail -n 1 | statuses)"
  for user in root vail-alice; do
    expect_equal "$user in a namespace that maps no uid is not an operator" STATUS_ACCESS_DENIED \
      "$(printf '%s\n' "$QUARANTINES" |
        run_as "$user" unshare --user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" | statuses)"
  done
}

# Two uids of alice's namespace use two of her three connections.
test_charged_to_owner() {
  local in

  echo '{"limits":{"connectionsPerUid":3}}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  mkfifo "$PRIVATE/inside.in" "$PRIVATE/inside.out"
  for uid in 3 4; do
    nsenter --user --target "$NAMESPACE" --setuid "$uid" --setgid "$uid" -- \
      "$HELPERS/open-connections" "$SOCKET" 1 <>"$PRIVATE/inside.in" >"$PRIVATE/inside.$uid" &
  done
  expect "two uids of alice's namespace are served" eventually both_are_served
  exec {in}<>"$PRIVATE/inside.in"
  expect_equal "alice has one connection left" "served 1 refused 1 closed 0" \
    "$(run_as vail-alice "$HELPERS/open-connections" "$SOCKET" 2 </dev/null | head -n 1)"
  expect_equal "bob has all of his connections" "served 3 refused 1 closed 0" \
    "$(run_as vail-bob "$HELPERS/open-connections" "$SOCKET" 4 </dev/null | head -n 1)"
  rm "$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
}

both_are_served() {
  grep -q 'served 1' "$PRIVATE/inside.3" && grep -q 'served 1' "$PRIVATE/inside.4"
}

test_charged_without_pid() {
  mkfifo "$PRIVATE/without.in"
  exec_as vail-alice "$HELPERS/open-connections" "$SOCKET" 3 <>"$PRIVATE/without.in" \
    >"$PRIVATE/without.out" &
  eventually grep -qs 'refused 3' "$PRIVATE/without.out"
  expect_equal "a client without a pid is charged" STATUS_QUOTA_EXCEEDED \
    "$(run_as vail-alice socat -u "UNIX-CONNECT:$SOCKET" - | statuses)"
  expect_equal "another user without a pid is not charged for it" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$LIST" | statuses)"
}

# The daemon is the child of unshare, whose pid is DAEMON.
test_dead_without_pid() {
  local inner

  if ! "$HELPERS/has-kernel-feature" peerpidfd; then
    skip "connections of dead clients without a pid are closed" "this kernel has no SO_PEERPIDFD"
    return
  fi
  inner=$(pgrep --parent "$DAEMON")
  kill -STOP "$inner"
  "$HELPERS/early-exit" "$SOCKET" dies "$BOB" 5 >"$PRIVATE/dead.out" &
  eventually grep -qs ready "$PRIVATE/dead.out"
  kill -CONT "$inner"
  wait $!
  expect_equal "connections of dead clients without a pid are closed" \
    "served 0 refused 0 closed 5" "$(tail -n 1 "$PRIVATE/dead.out")"
}

# Starts the daemon in a child pid namespace. The clients stay outside, so that it sees pid 0.
test_outside_pid_namespace() {
  expect_clean_stop
  echo '{"limits":{"connectionsPerUid":3}}' >"$CONFIG/vaild.json"
  start_daemon unshare --pid --fork --kill-child --mount-proc
  expect_equal "a client without a pid is refused" STATUS_ACCESS_DENIED \
    "$(ask vail-alice "$LIST" | statuses)"
  expect_equal "root without a pid is refused" STATUS_ACCESS_DENIED \
    "$(ask root "$QUARANTINES" | statuses)"
  test_charged_without_pid
  test_dead_without_pid
  kill_and_wait "$DAEMON"
}

test_daemon_in_namespace() {
  local output status=0

  rm -f "$SOCKET"
  output=$(unshare --user --map-root-user "$VAILD" --socket "$PRIVATE/inner.sock" \
    --runtime-dir "$PRIVATE/inner" --state-dir "$PRIVATE/inner" --config "$CONFIG" 2>&1) ||
    status=$?
  expect "a daemon in a child user namespace does not start" [ "$status" -eq 1 ]
  expect_match "a daemon in a child user namespace prints the reason" 'initial user namespace' \
    "$output"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
make_namespace
test_root_in_namespace
test_unmapped
test_charged_to_owner
test_outside_pid_namespace
test_daemon_in_namespace
finish
