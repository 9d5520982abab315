#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Injects one fault at a time while the daemon executes every request that changes its persisted
# state, and while it restores that state: kills it at a system call, or lets a system call or an
# allocation of memory fail. After a restart, the effect of each request with a reply must exist,
# and that of a request without a reply must be complete or absent. A refused request must succeed
# when it is sent again.
#
#   test-failing-system-calls.sh [--all] [--seed NUMBER] [--only FAULT]
#
# By default, injects one fault of each kind, and then random ones for a limited time, always in the
# same order: a check should fail because of a change, and not by chance. --seed chooses another order,
# --all injects all faults, and --only injects one, as printed when it fails.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

needs_tracing

SECONDS_EACH=20 # for each call of fail_calls
SEED=1
ONLY=()

while [ $# -gt 0 ]; do
  case $1 in
  --all) SECONDS_EACH=0 ;;
  --seed)
    SEED=$2
    shift
    ;;
  --only)
    ONLY=(--only "$2")
    shift
    ;;
  *)
    echo "not ok $NAME: unknown option $1"
    exit 1
    ;;
  esac
  shift
done

# fail_calls DAEMON OPTION...: injects faults in DAEMON and reports a check for each kind of fault.
fail_calls() {
  local daemon=$1 folder
  shift
  folder=$(mktemp -d -p "$PRIVATE")
  chmod 755 "$folder"
  "$HELPERS/fail-calls" "$@" "${ONLY[@]}" --seed "$SEED" --seconds "$SECONDS_EACH" "$folder" \
    "$daemon" "${AS_DAEMON[@]}" || FAILED=1
}

FAULTY=$ROOT/build/sanitized/faults/vaild # its allocator fails on demand

echo "# the seed: --seed $SEED"
case ${ONLY[*]} in
'')
  fail_calls "$ROOT/build/vaild" --kill # sanitizers cannot report after SIGKILL
  fail_calls "$VAILD" --fail
  fail_calls "$FAULTY" --allocate
  ;;
*allocation:*) fail_calls "$FAULTY" ;;
*) fail_calls "$VAILD" ;;
esac
finish
