#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A VMM and a viewer send many random requests about shared objects, the VMM with fds of all kinds.
# Afterwards the daemon has the same number of fds as before, and no more memory.
#
#   test-random-requests-leak-no-fd.sh [--requests COUNT] [--seed NUMBER]
#
# COUNT requests go to the daemon as it is built for use. The daemon with sanitizers gets fewer.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=4a4d0a4d-4a4d-4a4d-8a4d-4a4d4a4d4a4d
REQUESTS=100000
SANITIZED_REQUESTS=6000
SEED=$(date +%s)

while [ $# -gt 0 ]; do
  case $1 in
  --requests) REQUESTS=$2 ;;
  --seed) SEED=$2 ;;
  *)
    echo "not ok $NAME: unknown option $1"
    exit 1
    ;;
  esac
  shift 2
done

# start_random ROLE USER COUNT: starts random-requests in a session that is named after its role.
start_random() {
  session_open_with "$1" "$2" "$HELPERS/random-requests" "$SOCKET" "$GUID" "$3" "$SEED" "$1"
}

# read_counts ROLE: waits until random-requests has sent everything. Sets COUNTS to the lines that
# it prints, "NAME NUMBER" each.
read_counts() {
  local line

  COUNTS=
  while IFS= read -r -u "${SESSION_OUT[$1]}" line && [ "$line" != "done" ]; do
    COUNTS+=$line$'\n'
  done
  expect_equal "$1: all requests are sent" "done" "${line:-}"
  echo "# $1: ${COUNTS//$'\n'/, }"
}

# count_of NAME: prints the number in COUNTS with this name, or nothing.
count_of() { sed -n "s/^$1 //p" <<<"$COUNTS"; }

# expect_statuses CHECK STATUS...: checks that each status was in at least one reply.
expect_statuses() {
  local check=$1 status
  shift
  for status in "$@"; do
    expect_match "$check: some replies have $status" '^[1-9]' "$(count_of "$status")"
  done
  expect_equal "$check: the daemon closes no connection" 0 "$(count_of lost)"
  expect_equal "$check: no reply says that a running process is terminating" "" \
    "$(count_of STATUS_PROCESS_IS_TERMINATING)"
}

# Prints the number of fds that the shared objects keep open.
count_object_fds() {
  ask root "$(call io.vaild.ListSharedObjects)" | field '[.parameters.sharedObjects[].object |
    (.planes | length) + (if .fence then 1 else 0 end)] | add // 0'
}

# Succeeds if the daemon has no fds except those of the shared objects, and a connection and a pidfd
# of each of the two clients.
has_only_object_fds() { open_fds_are $((BEFORE + 2 * 2 + $(count_object_fds))); }

resident_kilobytes() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status"; }

# send_random_requests CHECK COUNT: half of the requests come from the VMM, half from the viewer.
send_random_requests() {
  local check=$1 begin=$SECONDS

  start_random vmm vail-vmm $(($2 / 2))
  eventually runs_as "${SESSION_PID[vmm]}" 947 random-requests
  expect_equal "$check: the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  start_random viewer vail-alice $(($2 / 2))
  echo go >&"${SESSION_IN[vmm]}"
  echo go >&"${SESSION_IN[viewer]}"
  read_counts vmm
  expect_statuses "$check: vmm" STATUS_SUCCESS STATUS_INVALID_PARAMETER STATUS_INVALID_HANDLE \
    STATUS_OBJECT_TYPE_MISMATCH STATUS_ACCESS_DENIED STATUS_QUOTA_EXCEEDED
  read_counts viewer
  expect_statuses "$check: viewer" STATUS_SUCCESS STATUS_INVALID_HANDLE STATUS_ACCESS_DENIED
  expect_match "$check: viewer: some replies bring fds" '^[1-9]' "$(count_of received)"
  expect "$check: the daemon has only the fds of shared objects" eventually has_only_object_fds
  session_kill vmm
  session_kill viewer
  expect "$check: the daemon closes them with the VMM" eventually open_fds_are "$BEFORE"
  echo "# $check: $2 requests in $((SECONDS - begin)) s"
}

# Starts a daemon. Sets BEFORE to its number of fds.
begin() {
  start_daemon
  ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
  BEFORE=$(idle_descriptors)
}

# Memory is measured without sanitizers, because they retain freed memory.
test_without_sanitizers() {
  local before

  VAILD=$ROOT/build/vaild
  begin
  send_random_requests "warm-up" 10000
  before=$(resident_kilobytes)
  send_random_requests "$REQUESTS requests" "$REQUESTS"
  echo "# resident: $before kB before, $(resident_kilobytes) kB after"
  expect "the daemon's memory grows by less than 1 MiB" \
    [ $(($(resident_kilobytes) - before)) -lt 1024 ]
  expect_clean_stop
}

test_with_sanitizers() {
  begin
  send_random_requests "sanitized" "$SANITIZED_REQUESTS"
  expect_clean_stop
}

echo "# repeat with --seed $SEED"
echo '{"limits":{"objectsPerMachine":48}}' >"$CONFIG/vaild.json"
test_with_sanitizers
test_without_sanitizers
finish
