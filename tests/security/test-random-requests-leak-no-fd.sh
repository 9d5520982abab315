#!/bin/bash
# SPDX-License-Identifier: MIT
#
# After many random requests about shared objects, of a VMM with descriptors of all kinds and of a
# viewer, the daemon has the descriptors and the memory that it had before.
#
#   test-random-requests-keep-no-descriptor.sh [--requests COUNT] [--seed NUMBER]
#
# So many go to the daemon as it is built for use; a daemon with sanitizers gets less of them.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=4a4d0a4d-4a4d-4a4d-8a4d-4a4d4a4d4a4d
REQUESTS=100000
SANITIZED=6000
SEED=$(date +%s)

while [ $# -gt 0 ]; do
  case $1 in
  --requests) REQUESTS=$2 ;;
  --seed) SEED=$2 ;;
  *)
    echo "not ok $NAME: $1 is not understood"
    exit 1
    ;;
  esac
  shift 2
done

# start_random ROLE USER COUNT
start_random() {
  session_open_with "$1" "$2" "$HELPERS/random-requests" "$SOCKET" "$GUID" "$3" "$SEED" "$1"
}

# results ROLE: what it has to say at its end is in RESULTS, "NAME NUMBER" a line.
results() {
  local line

  RESULTS=
  while IFS= read -r -u "${SESSION_OUT[$1]}" line && [ "$line" != "done" ]; do
    RESULTS+=$line$'\n'
  done
  expect_equal "$1: comes to its end" "done" "${line:-}"
  echo "# $1: ${RESULTS//$'\n'/, }"
}

result() { sed -n "s/^$1 //p" <<<"$RESULTS"; }

# expect_results ROLE STATUS...: these were among the answers.
expect_results() {
  local role=$1 status
  shift
  for status in "$@"; do
    expect_match "$role: some are answered with $status" '^[1-9]' "$(result "$status")"
  done
  expect_equal "$role: no connection is lost" 0 "$(result lost)"
  expect_equal "$role: who lives is not told to be gone" "" "$(result STATUS_PROCESS_IS_TERMINATING)"
}

# What the objects that there are keep open.
kept_by_objects() {
  ask root "$(call io.vaild.ListSharedObjects)" | field '[.parameters.sharedObjects[].object |
    (.planes | length) + (if .fence then 1 else 0 end)] | add // 0'
}

# Beside what is shared each of the two clients has a connection and a pidfd.
only_what_is_shared_is_kept() { descriptors_are $((BEFORE + 2 * 2 + $(kept_by_objects))); }

resident_kilobytes() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status"; }

# random_requests CHECK COUNT: half of them the VMM's.
random_requests() {
  local check=$1 begin=$SECONDS

  start_random vmm vail-vmm $(($2 / 2))
  eventually runs_as "${SESSION_PID[vmm]}" 947 random-requests
  expect_equal "$check: the VM" STATUS_SUCCESS "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  start_random viewer vail-alice $(($2 / 2))
  echo go >&"${SESSION_IN[vmm]}"
  echo go >&"${SESSION_IN[viewer]}"
  results vmm
  expect_results "$check: vmm" STATUS_SUCCESS STATUS_INVALID_PARAMETER STATUS_INVALID_HANDLE \
    STATUS_OBJECT_TYPE_MISMATCH STATUS_ACCESS_DENIED STATUS_QUOTA_EXCEEDED
  results viewer
  expect_results "$check: viewer" STATUS_SUCCESS STATUS_INVALID_HANDLE STATUS_ACCESS_DENIED
  expect_match "$check: viewer: descriptors are received" '^[1-9]' "$(result received)"
  expect "$check: then the daemon keeps what is shared alone" eventually only_what_is_shared_is_kept
  session_kill vmm
  session_kill viewer
  expect "$check: and at the end nothing" eventually descriptors_are "$BEFORE"
  echo "# $check: $2 requests in $((SECONDS - begin)) s"
}

begin() {
  start_daemon
  ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
  BEFORE=$(descriptors)
}

# Freed memory is kept by sanitizers, and by nobody else.
without_sanitizers() {
  local before

  VAILD=$ROOT/build/vaild
  begin
  random_requests "warming up" 10000
  before=$(resident_kilobytes)
  random_requests "$REQUESTS requests" "$REQUESTS"
  echo "# resident: $before kB before, $(resident_kilobytes) kB after"
  expect "memory is what it was" [ $(($(resident_kilobytes) - before)) -lt 1024 ]
  expect_clean_stop
}

with_sanitizers() {
  begin
  random_requests "sanitized" "$SANITIZED"
  expect_clean_stop
}

echo "# the seed: --seed $SEED"
echo '{"limits":{"objectsPerMachine":48}}' >"$CONFIG/vaild.json"
with_sanitizers
without_sanitizers
finish
