#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each user pays for the connections of its processes, in every user namespace and also if they exit
# early. Neither root nor another user pays for them. The daemon closes a connection whose maker
# has exited before the daemon accepts it, even if another process has its pid by then.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

LIST=$(call io.vaild.ListRegistrations)
LIMIT=3

# make_namespace USER FIRST-UID: makes a user namespace that USER owns, whose uids 0 to 9 are
# FIRST-UID and the next nine on the host. Sets NAMESPACE to the pid of a process in it.
make_namespace() {
  exec_as "$1" unshare --user sleep infinity &
  NAMESPACE=$!
  eventually grep -q sleep "/proc/$NAMESPACE/comm"
  echo "0 $2 10" >"/proc/$NAMESPACE/uid_map"
  echo "0 $2 10" >"/proc/$NAMESPACE/gid_map"
}

# inside UID COMMAND...: runs the command as this uid of the namespace.
inside() {
  local uid=$1
  shift
  nsenter --user --target "$NAMESPACE" --setuid "$uid" --setgid "$uid" -- "$@"
}

# Prints how many of four new connections are served. WRAPPER... runs the helper program.
served_of_four() {
  "$@" "$HELPERS/open-connections" "$SOCKET" 4 </dev/null | head -n 1
}

ALL_BUT_ONE="served $LIMIT refused 1 closed 0"

# hold WRAPPER...: opens connections up to the limit and one more, and keeps them. Sets OUT to the
# file with the output.
hold() {
  HELD=$((${HELD:-0} + 1))
  OUT=$PRIVATE/held.$HELD
  mkfifo "$PRIVATE/hold.$HELD"
  "$@" "$HELPERS/open-connections" "$SOCKET" $((LIMIT + 1)) <>"$PRIVATE/hold.$HELD" >"$OUT" &
  eventually grep -qs served "$OUT"
}

held() { head -n 1 "$OUT"; }

# A container whose uids root has set up, such as docker with userns-remap.
test_namespace_of_root() {
  make_namespace root 300000
  hold inside 3
  expect_equal "a uid in a namespace of root pays for itself" "$ALL_BUT_ONE" "$(held)"
  expect_equal "another uid in a namespace of root pays for itself" "$ALL_BUT_ONE" \
    "$(served_of_four inside 4)"
  hold inside 0
  expect_equal "root of a namespace of root pays for itself" "$ALL_BUT_ONE" "$(held)"
  hold unshare --user --map-root-user
  expect_equal "uid 0 of the host in a namespace is limited" "$ALL_BUT_ONE" "$(held)"
  # Operators may have 16 connections, whatever the limit is.
  expect_equal "root has all of its connections" "served 4 refused 0 closed 0" \
    "$(served_of_four run_as root)"
}

# A service with PrivateUsers=: the user namespace is root's, the uid is the service's own.
test_private_users() {
  hold run_private_users
  expect_equal "bob in a namespace of root pays for himself" "$ALL_BUT_ONE" "$(held)"
  expect_equal "bob has no more connections outside" "served 0 refused 4 closed 0" \
    "$(served_of_four run_as vail-bob)"
}

run_private_users() {
  make_namespace root "$BOB"
  inside 0 "$@"
}

test_namespace_of_user() {
  make_namespace vail-alice 200000
  hold inside 3
  expect_equal "a subordinate uid of alice is limited" "$ALL_BUT_ONE" "$(held)"
  expect_equal "alice pays for her subordinate uids" "served 0 refused 4 closed 0" \
    "$(served_of_four run_as vail-alice)"
  expect_equal "alice pays for all of her subordinate uids" "served 0 refused 4 closed 0" \
    "$(served_of_four inside 4)"
  expect_equal "alice pays for an unmapped process" "served 0 refused 4 closed 0" \
    "$(served_of_four run_as vail-alice unshare --user)"
}

# Makes set-uid copies of the helper program that belong to subordinate uids of alice. Alice can
# execute them outside of the namespace.
test_set_uid_file() {
  local uid

  mkdir --mode 777 "$PRIVATE/set-uid"
  for uid in 6 7; do
    inside "$uid" cp "$HELPERS/open-connections" "$PRIVATE/set-uid/$uid"
    inside "$uid" chmod 4755 "$PRIVATE/set-uid/$uid"
  done
  echo "vail-alice:200000:10" >"$PRIVATE/etc/subuid"
  mount --bind "$PRIVATE/etc/subuid" /etc/subuid
  expect_equal "a subordinate uid outside of the namespace is limited" "$ALL_BUT_ONE" \
    "$(run_as vail-alice "$PRIVATE/set-uid/6" "$SOCKET" 4 </dev/null | head -n 1)"
  session_open alices vail-alice
  session_status alices "$LIST"
  expect_equal "alice pays for subordinate uids outside of the namespace" \
    "served 2 refused 2 closed 0" \
    "$(run_as vail-alice "$PRIVATE/set-uid/7" "$SOCKET" 4 </dev/null | head -n 1)"
  expect_equal "alice pays for namespaces that her subordinate uids make" \
    "served 2 refused 2 closed 0" \
    "$(served_of_four setpriv --reuid 200007 --regid 200007 --clear-groups unshare --user)"
  session_kill alices
}

# Prints how many connections the daemon counts for a process of alice's namespace whose main thread
# has exited.
counted_without_main_thread() {
  inside 5 "$HELPERS/odd-thread" "$SOCKET" leader-exits \
    <<<"$(call io.vaild.Monitor.GetStatus)" |
    field '.parameters.limits[] | select(.name == "connectionsPerUid") | .used'
}

test_main_thread_exited() {
  session_open alices vail-alice
  session_status alices "$LIST"
  expect_equal "alice pays for a process whose main thread has exited" 2 \
    "$(counted_without_main_thread)"
  session_kill alices
}

# exit_early COMMAND...: stops the daemon, runs early-exit, and continues the daemon when its
# connections are made. Sets SAID to the last line of the output.
exit_early() {
  local output=$PRIVATE/early

  kill -STOP "$DAEMON"
  : >"$output"
  "$@" >"$output" &
  eventually grep -q ready "$output"
  kill -CONT "$DAEMON"
  wait $!
  SAID=$(tail -n 1 "$output")
}

# test_early_exit KERNEL
test_early_exit() {
  exit_early inside 0 "$HELPERS/early-exit" "$SOCKET" dies 3 20
  expect_equal "$1: connections of dead processes of alice are closed" \
    "served 0 refused 0 closed 20" "$SAID"
  exit_early "$HELPERS/early-exit" "$SOCKET" dies 0 20
  expect_equal "$1: connections of dead processes of root are closed" \
    "served 0 refused 0 closed 20" "$SAID"
  exit_early "$HELPERS/early-exit" "$SOCKET" reused "$ALICE" "$BOB" "$LIST"
  expect_equal "$1: a connection is closed if another user has the pid of its maker" closed "$SAID"
  expect "$1: the daemon keeps none of these connections" eventually only_root_is_connected
}

only_root_is_connected() {
  [ "$(ask root "$(call io.vaild.Monitor.GetStatus)" | field .parameters.connections)" = 1 ]
}

# An older kernel does not tell whether the process with that pid is the same.
test_reused_pid() {
  exit_early "$HELPERS/early-exit" "$SOCKET" reused "$ALICE" "$ALICE" "$LIST"
  expect_equal "a connection is closed if another process of the user has the pid of its maker" \
    closed "$SAID"
}

echo "{\"limits\":{\"connectionsPerUid\":$LIMIT}}" >"$CONFIG/vaild.json"
start_daemon
test_namespace_of_root
test_private_users
test_namespace_of_user
expect_clean_stop

start_daemon
make_namespace vail-alice 200000
test_main_thread_exited
if [ -e /etc/subuid ]; then
  test_set_uid_file
else
  skip "alice pays for subordinate uids outside of the namespace" "this machine has no /etc/subuid"
fi
test_early_exit "this kernel"
if "$HELPERS/has-kernel-feature" peerpidfd 2>/dev/null; then
  test_reused_pid
else
  skip "a connection is closed if another process of the user has the pid of its maker" \
    "this kernel has no SO_PEERPIDFD"
fi
expect_clean_stop

start_daemon "$HELPERS/without-kernel-feature" peerpidfd \
  "$HELPERS/without-kernel-feature" passrights
test_early_exit "without SO_PEERPIDFD and SO_PASSRIGHTS"
expect_clean_stop
finish
