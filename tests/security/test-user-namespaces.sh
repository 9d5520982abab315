#!/bin/bash
# SPDX-License-Identifier: MIT
#
# uids of other user namespaces are not the host's: root of a child namespace is no operator, what
# a namespace's processes use is charged to its owner, and the daemon itself has to run in the
# initial one. Nor is a pid of 0, of who is outside the daemon's pid namespace, anybody's.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa
LIST=$(call io.vaild.ListRegistrations)
QUARANTINES=$(call io.vaild.Machine.ListQuarantines)

# A namespace of alice's whose uids 0 to 9 are the host's 200000 to 200009. NAMESPACE is a process.
make_namespace() {
  exec_as vail-alice unshare --user sleep infinity &
  NAMESPACE=$!
  eventually grep -q sleep "/proc/$NAMESPACE/comm"
  echo "0 200000 10" >"/proc/$NAMESPACE/uid_map"
  echo "0 200000 10" >"/proc/$NAMESPACE/gid_map"
}

# talk_inside UID: as that uid of the namespace.
talk_inside() {
  nsenter --user --target "$NAMESPACE" --setuid "$1" --setgid "$1" -- \
    "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET"
}

root_of_a_namespace() {
  expect_equal "alice as root of a namespace of hers is no operator" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$QUARANTINES" |
      run_as vail-alice unshare --user --map-root-user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" |
      statuses)"
  expect_equal "nor is alice there her own self" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$CONTEXT" "$(register "$GUID")" |
      run_as vail-alice unshare --user --map-current-user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" |
      tail -n 1 | statuses)"
  expect_equal "root itself in a child namespace is no operator" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$QUARANTINES" |
      unshare --user --map-root-user "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" | statuses)"
  expect_equal "root of a namespace of alice's is no operator" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$QUARANTINES" | talk_inside 0 | statuses)"
  expect_equal "a user of it may ask what anyone may" STATUS_SUCCESS \
    "$(printf '%s\n' "$LIST" | talk_inside 5 | statuses)"
}

# Two of alice's three connections are those of two uids of her namespace.
charged_to_the_owner() {
  local in

  echo '{"limits":{"connectionsPerUid":3}}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  mkfifo "$PRIVATE/inside.in" "$PRIVATE/inside.out"
  for uid in 3 4; do
    nsenter --user --target "$NAMESPACE" --setuid "$uid" --setgid "$uid" -- \
      "$HELPERS/open-connections" "$SOCKET" 1 <>"$PRIVATE/inside.in" >"$PRIVATE/inside.$uid" &
  done
  expect "uids of the namespace are served" eventually both_are_served
  exec {in}<>"$PRIVATE/inside.in"
  expect_equal "alice has one connection left" "served 1 refused 1 closed 0" \
    "$(run_as vail-alice "$HELPERS/open-connections" "$SOCKET" 2 </dev/null | head -n 1)"
  expect_equal "bob has all of his" "served 3 refused 1 closed 0" \
    "$(run_as vail-bob "$HELPERS/open-connections" "$SOCKET" 4 </dev/null | head -n 1)"
  rm "$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
}

both_are_served() { grep -q 'served 1' "$PRIVATE/inside.3" && grep -q 'served 1' "$PRIVATE/inside.4"; }

# The client stays in our pid namespace, the daemon goes to one further in: it sees pid 0.
outside_the_pid_namespace() {
  expect_clean_stop
  start_daemon unshare --pid --fork --kill-child --mount-proc
  expect_equal "without a pid nobody is anybody" STATUS_ACCESS_DENIED \
    "$(ask vail-alice "$LIST" | statuses)"
  expect_equal "not even root" STATUS_ACCESS_DENIED "$(ask root "$QUARANTINES" | statuses)"
  kill_hard "$DAEMON"
}

daemon_in_a_namespace() {
  local said status=0

  rm -f "$SOCKET"
  said=$(unshare --user --map-root-user "$VAILD" --socket "$PRIVATE/inner.sock" \
    --runtime-dir "$PRIVATE/inner" --state-dir "$PRIVATE/inner" --config "$CONFIG" 2>&1) ||
    status=$?
  expect "a daemon in a child user namespace does not start" [ "$status" -eq 1 ]
  expect_match "and says why in a sentence" 'initial user namespace' "$said"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
make_namespace
root_of_a_namespace
charged_to_the_owner
outside_the_pid_namespace
daemon_in_a_namespace
finish
