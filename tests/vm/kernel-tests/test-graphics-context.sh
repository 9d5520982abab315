#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A GPU's node that another user's process has open is its graphics context, seen with CAP_SYS_PTRACE
# alone; to have named the node is none, nor is what GPUs make and others hold.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

GUID=1d1d1d1d-1d1d-4d1d-8d1d-1d1d1d1d1d1d

# registers CHECK EXPECTED WRAPPER...: alice, by a socat that the wrapper executes.
registers() {
  local check=$1 expected=$2
  shift 2
  register "$GUID" |
    run_as vail-alice "$@" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" >"$PRIVATE/answer" || true
  expect_equal "$check" "$expected" \
    "$(field '.parameters | "\(.status) \(.registration.graphicsContext)"' <"$PRIVATE/answer")"
}

a_node_is_a_context() {
  local node=$1

  if [ ! -c "$node" ]; then
    skip "$node" "this kernel has none"
    return
  fi
  registers "$node that is open" "STATUS_SUCCESS drm" "$HELPERS/with-fd" open "$node"
  registers "an O_PATH descriptor of $node" "STATUS_INVALID_DISPOSITION null" \
    "$HELPERS/with-fd" path "$node"
}

what_a_gpu_made_is_none() {
  local kind

  for kind in vgem virtio-gpu signalled-fence; do
    if run_as vail-alice "$HELPERS/make-fd" "$kind" true 2>/dev/null; then
      registers "$kind, received and held" "STATUS_INVALID_DISPOSITION null" \
        "$HELPERS/make-fd" "$kind"
    else
      skip "$kind, received and held" "this kernel makes none"
    fi
  done
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
expect_equal "the daemon has CAP_SYS_PTRACE alone" "948 0000000000080000" \
  "$(sed -nE 's/^Uid:.*\t([0-9]+)$/\1/p; s/^CapEff:\t//p' "/proc/$DAEMON/status" | paste -sd' ')"
registers "nothing open" "STATUS_INVALID_DISPOSITION null" env
for node in /dev/dri/renderD128 /dev/dri/card0 /dev/dri/renderD129 /dev/dri/card1; do
  a_node_is_a_context "$node"
done
what_a_gpu_made_is_none
expect_clean_stop
finish
