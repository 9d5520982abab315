#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Many clients of several users ask for everything at random, and come, crash and hang meanwhile;
# so does the daemon, under a played service manager. Whenever all have gone it has what it had at
# first: nothing is listed, all books are at zero, it has the same descriptors and as much memory,
# its records are compacted and the descriptor store is empty. Memory is what is in use on its heap,
# from the first tenth on, in which it is killed and restarted often: 256 KiB more are some buffers
# that stay once they were needed, and tables by descriptor and by uid.
#
#   test-soak.sh [--operations COUNT] [--clients COUNT] [--seed NUMBER]
#
# So many operations go to the daemon as it is built for use. Without a number of them it is a short
# form, which begins with a daemon that has sanitizers.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

OPERATIONS=
CLIENTS=200
WRAPPER=()
SEED=$(date +%s)

while [ $# -gt 0 ]; do
  case $1 in
  --operations) OPERATIONS=$2 ;;
  --clients) CLIENTS=$2 ;;
  --seed) SEED=$2 ;;
  *)
    echo "not ok $NAME: $1 is not understood"
    exit 1
    ;;
  esac
  shift 2
done

# soak OPTION...
soak() {
  echo "# $VAILD"
  rm -f "$SOCKET" "$CONFIG/vaild.json"
  expect "$NAME: $*" "$ROOT/build/tests/soak-clients" --clients "$CLIENTS" --seed "$SEED" "$@" \
    "$SOCKET" "$PRIVATE/runtime" "$CONFIG/vaild.json" "${AS_DAEMON[@]}" "${WRAPPER[@]}" "$VAILD" \
    --socket "$SOCKET" --runtime-dir "$PRIVATE/runtime" --state-dir "$STATE" --config "$CONFIG"
}

echo "# the seed: --seed $SEED"
[ -n "$OPERATIONS" ] || soak --clients 40 --operations 40000 --rounds 2 --restarts 1
VAILD=$ROOT/build/vaild
# How much of the heap is in use; of pieces that malloc lays aside for a thread it would say that they
# are.
cp "$ROOT/build/tests/heap-in-use.so" "$PRIVATE/build/"
WRAPPER=(env "LD_PRELOAD=$PRIVATE/build/heap-in-use.so" GLIBC_TUNABLES=glibc.malloc.tcache_count=0)
if [ -n "$OPERATIONS" ]; then
  soak --operations "$OPERATIONS" --rounds 20 --restarts 20 --bound 262144
else
  soak --operations 200000 --rounds 5 --restarts 4 --bound 262144
fi
finish
