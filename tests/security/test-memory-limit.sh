#!/bin/bash
# SPDX-License-Identifier: MIT
#
# One user's process reserves addresses until the daemon reaches the memory limit of its cgroup, which
# MemoryMax sets. The kernel kills the daemon, and the restart loses nothing of other users.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

VAILD=$ROOT/build/vaild # sanitizers need much more memory
LIMIT=$((12 << 20))     # much less than the ranges below need
RANGES=60000
CGROUP= # the folder of the daemon's cgroup

# Moves the daemon into a new cgroup with the limit. Fails if this machine cannot limit memory.
limit_memory() {
  local root=/sys/fs/cgroup

  if [ -e "$root/memory/memory.limit_in_bytes" ]; then
    CGROUP=$(mktemp -d "$root/memory/vaild-test.XXXXXX")
    echo "$LIMIT" >"$CGROUP/memory.limit_in_bytes"
  elif grep -qw memory "$root/cgroup.subtree_control" 2>/dev/null; then
    CGROUP=$(mktemp -d "$root/vaild-test.XXXXXX")
    echo "$LIMIT" >"$CGROUP/memory.max"
    echo 0 >"$CGROUP/memory.swap.max" 2>/dev/null || true # absent without swap
  else
    return 1
  fi
  echo "$DAEMON" >"$CGROUP/cgroup.procs"
}

# Prints all entities of make_entities.
list_entities() {
  snapshot | sed -n 1,5p |
    jq -cS --argjson pid "$FILLER" 'del(.parameters.processes[]? | select(.pid == $pid))'
}

# The user's process reserves ranges until the daemon is killed.
fill_memory() {
  local process request

  process=$(field .parameters.process <<<"$REPLY")
  request=$(call io.vaild.Gpu.ReserveGpuVirtualAddress \
    "{\"process\":\"$process\",\"sizeInBytes\":65536}")
  { yes "$request" || true; } 2>/dev/null | head -n "$RANGES" >&"${SESSION_IN[filler]}" &
  cat <&"${SESSION_OUT[filler]}" >/dev/null &
  expect "the kernel kills the daemon" eventually is_gone_or_zombie "$DAEMON"
}

trap '[ -z "$CGROUP" ] || rmdir "$CGROUP"' EXIT
start_manager 64
start_service
make_entities
session_open filler vail-bob
session_ask filler "$CONTEXT"
FILLER=${SESSION_PID[filler]}
BEFORE=$(list_entities)
if ! limit_memory; then
  skip "$NAME" "this machine has no cgroup that limits memory"
  finish
fi
RUNNING= # otherwise the end of the daemon would end the wait for it
fill_memory
start_service
expect_equal "everything of other users is the same as before" "$BEFORE" "$(list_entities)"
expect_match "the user's process had more than 10000 ranges" \
  'reservation [0-9]+ and [1-9][0-9]{4} others' "$(<"$LOG")"
expect_clean_stop
finish
