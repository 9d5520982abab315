#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon is killed at its system calls in turn, and they fail in turn, as do its allocations of
# memory, while it does everything that lasts, and while it restores it: what was answered is there
# after a restart, what was not is whole or absent, and what was refused succeeds when it is asked
# for again.
#
#   test-system-calls-fail.sh [--all] [--seed NUMBER] [--only FAULT]
#
# As many as there is time for, at random, and one of each kind; or all of them; or one, as it is
# printed where it fails.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

needs_tracing

SECONDS_EACH=20
SEED=$(date +%s)
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
    echo "not ok $NAME: $1 is not understood"
    exit 1
    ;;
  esac
  shift
done

# fail_calls DAEMON OPTION...: a line a kind of fault.
fail_calls() {
  local daemon=$1 folder
  shift
  folder=$(mktemp -d -p "$PRIVATE")
  chmod 755 "$folder"
  "$HELPERS/fail-calls" "$@" "${ONLY[@]}" --seed "$SEED" --seconds "$SECONDS_EACH" "$folder" \
    "$daemon" "${AS_DAEMON[@]}" || FAILED=1
}

FAULTY=$ROOT/build/sanitized/faults/vaild # its own allocations can fail

echo "# the seed: --seed $SEED"
case ${ONLY[*]} in
'')
  fail_calls "$ROOT/build/vaild" --kill # who is killed reports nothing
  fail_calls "$VAILD" --fail
  fail_calls "$FAULTY" --allocate
  ;;
*allocation:*) fail_calls "$FAULTY" ;;
*) fail_calls "$VAILD" ;;
esac
finish
