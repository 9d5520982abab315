#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Only a process whose privileges equal those of the display client can register, whatever it looks
# like: its main thread has exited, its threads have different uids, or it is in 65,536 groups.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=88888888-8888-4888-8888-888888888888
BOBS_GUID=88888888-8888-4888-8888-888888888887
MANY_GUID=88888888-8888-4888-8888-888888888889
QUARANTINES=$(call io.vaild.Machine.ListQuarantines)
GROUPS_AT_MOST=65536 # NGROUPS_MAX

# ask_on_thread USER MODE REQUEST...: sends the requests from a second thread of odd-thread, and prints
# the statuses of the replies.
ask_on_thread() {
  local user=$1 mode=$2
  shift 2
  printf '%s\n' "$@" | run_as "$user" "$HELPERS/odd-thread" "$SOCKET" "$mode" | statuses
}

# The process lives, and /proc shows the credentials of its main thread.
test_main_thread_exited() {
  expect_equal "the display client can register after its main thread has exited" \
    "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask_on_thread vail-alice leader-exits "$CONTEXT" "$(register "$GUID")")"
  expect_equal "another user cannot register after its main thread has exited" \
    "STATUS_SUCCESS STATUS_ACCESS_DENIED" \
    "$(ask_on_thread vail-bob leader-exits "$CONTEXT" "$(register "$GUID")")"
  expect_equal "root is an operator after its main thread has exited" STATUS_SUCCESS \
    "$(ask_on_thread root leader-exits "$QUARANTINES")"
}

# ask_as_half_bob MODE REQUEST...: the same in a process of root with bob's groups, whose threads
# take bob's uid and gid as MODE says.
ask_as_half_bob() {
  local mode=$1
  shift
  printf '%s\n' "$@" |
    setpriv --groups vail-bob --inh-caps=-all "$HELPERS/odd-thread" "$SOCKET" "$mode" | statuses
}

# Bob is the display client of the VM. Neither the thread's uid nor the main thread's suffices.
test_uid_of_one_thread() {
  expect_equal "a process can register as bob if both threads are bob's" \
    "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask_as_half_bob both "$CONTEXT" "$(register "$BOBS_GUID")")"
  expect_equal "a thread that is bob's cannot register as bob if the main thread is root's" \
    "STATUS_SUCCESS STATUS_ACCESS_DENIED" \
    "$(ask_as_half_bob other-uid "$CONTEXT" "$(register "$BOBS_GUID")")"
  expect_equal "a thread that is root's cannot register as bob if the main thread is bob's" \
    "STATUS_SUCCESS STATUS_ACCESS_DENIED" \
    "$(ask_as_half_bob root-uid "$CONTEXT" "$(register "$BOBS_GUID")")"
  expect_equal "a thread that is bob's is not an operator if the main thread is root's" \
    STATUS_ACCESS_DENIED "$(ask_as_half_bob other-uid "$QUARANTINES")"
}

# alice_in COUNT COMMAND...: executes the command as alice in COUNT supplementary groups.
alice_in() {
  local count=$1
  shift
  exec "$HELPERS/with-groups" "$count" setpriv --reuid vail-alice --regid vail-alice --keep-groups \
    --inh-caps=-all -- "$@"
}

# register_in COUNT: registers for the VM as alice in COUNT supplementary groups.
register_in() {
  printf '%s\n' "$CONTEXT" "$(register "$MANY_GUID")" |
    (alice_in "$1" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET") | tail -n 1
}

test_many_groups() {
  (alice_in "$GROUPS_AT_MOST" sleep infinity) &
  eventually runs_as $! "$ALICE" sleep
  ready_vm "$MANY_GUID" "{\"pid\":$!}"
  expect_equal "a process with the display client's 65,536 groups can register" STATUS_SUCCESS \
    "$(register_in "$GROUPS_AT_MOST" | statuses)"
  expect_equal "a process that lacks one of them cannot register" STATUS_ACCESS_DENIED \
    "$(register_in $((GROUPS_AT_MOST - 1)) | statuses)"
  expect_match "the reason is the groups" "status=STATUS_ACCESS_DENIED reason=groups" \
    "$(tail -n 2 "$LOG")"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
ready_vm "$BOBS_GUID" '{"user":"vail-bob"}'
test_main_thread_exited
test_uid_of_one_thread
test_many_groups
expect_clean_stop
finish
