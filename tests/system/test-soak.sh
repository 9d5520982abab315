#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Many clients of several users send random requests, connect, crash and hang, while the daemon is
# killed and restarted under a fake service manager. Checks that the daemon returns to its initial
# state whenever all clients have ended: the lists are empty, no limit is charged, the number of fds
# and the used heap are as before, the records file is compacted and the fd store is empty. The heap
# is measured after the first tenth of the operations, which contains all kills and restarts. It may
# grow by 256 KiB, because some buffers and the tables by fd and by uid are kept after their first
# use.
#
#   test-soak.sh [--operations COUNT] [--clients COUNT] [--seed NUMBER]
#
# With --operations, sends COUNT operations to the daemon as it is built for use. Otherwise runs a
# short form, which begins with the daemon that is built with sanitizers.

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
    echo "not ok $NAME: $1 is not an option; use --operations, --clients or --seed"
    exit 1
    ;;
  esac
  shift 2
done

# soak OPTION...: runs soak-clients with the options against the daemon VAILD.
soak() {
  echo "# $VAILD"
  rm -f "$SOCKET" "$CONFIG/vaild.json"
  expect "the daemon returns to its initial state after the soak ($*)" \
    "$ROOT/build/tests/soak-clients" --clients "$CLIENTS" --seed "$SEED" "$@" \
    "$SOCKET" "$PRIVATE/runtime" "$CONFIG/vaild.json" "${AS_DAEMON[@]}" "${WRAPPER[@]}" "$VAILD" \
    --socket "$SOCKET" --runtime-dir "$PRIVATE/runtime" --state-dir "$STATE" --config "$CONFIG"
}

echo "# random seed: --seed $SEED"
[ -n "$OPERATIONS" ] || soak --clients 40 --operations 40000 --rounds 2 --restarts 1
VAILD=$ROOT/build/vaild
# heap-in-use.so makes the daemon print the size of its used heap. malloc's thread cache is off,
# because mallinfo2() counts the free memory in it as used.
cp "$ROOT/build/tests/heap-in-use.so" "$PRIVATE/build/"
WRAPPER=(env "LD_PRELOAD=$PRIVATE/build/heap-in-use.so" GLIBC_TUNABLES=glibc.malloc.tcache_count=0)
if [ -n "$OPERATIONS" ]; then
  soak --operations "$OPERATIONS" --rounds 20 --restarts 20 --bound 262144
else
  soak --operations 200000 --rounds 5 --restarts 4 --bound 262144
fi
finish
