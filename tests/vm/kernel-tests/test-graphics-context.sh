#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A process that has a GPU node open has a graphics context. The daemon sees this without a capability,
# because its examiner has CAP_SYS_PTRACE. An O_PATH fd of the node is not a graphics context, and
# neither is a dma-buf or a fence.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

GUID=1d1d1d1d-1d1d-4d1d-8d1d-1d1d1d1d1d1d

# expect_registration CHECK "STATUS CONTEXT" WRAPPER...: registers alice with a socat that the wrapper
# executes, and checks the status and the graphics context in the reply.
expect_registration() {
  local check=$1 expected=$2
  shift 2
  register "$GUID" |
    run_as vail-alice "$@" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" >"$PRIVATE/answer" || true
  expect_equal "$check" "$expected" \
    "$(field '.parameters | "\(.status) \(.registration.graphicsContext)"' <"$PRIVATE/answer")"
}

# privileges PID: prints the user and the capabilities of a process.
privileges() { sed -nE 's/^Uid:.*\t([0-9]+)$/\1/p; s/^CapEff:\t//p' "/proc/$1/status" | paste -sd' '; }

# Prints the pid of the process that examines others for the daemon.
examiner() {
  local child

  for child in $(<"/proc/$DAEMON/task/$DAEMON/children"); do
    [ "$(<"/proc/$child/comm")" != vaild-examiner ] || echo "$child"
  done
}

test_node() {
  local node=$1

  if [ ! -c "$node" ]; then
    skip "$node" "this kernel has no such node"
    return
  fi
  expect_registration "an open $node is a graphics context" "STATUS_SUCCESS drm" \
    "$HELPERS/with-fd" open "$node"
  expect_registration "an O_PATH fd of $node is not a graphics context" "STATUS_INVALID_DISPOSITION null" \
    "$HELPERS/with-fd" path "$node"
}

test_other_fds() {
  local kind

  for kind in vgem virtio-gpu signalled-fence; do
    if run_as vail-alice "$HELPERS/make-fd" "$kind" true 2>/dev/null; then
      expect_registration "an fd of kind $kind is not a graphics context" "STATUS_INVALID_DISPOSITION null" \
        "$HELPERS/make-fd" "$kind"
    else
      skip "an fd of kind $kind is not a graphics context" "this kernel has no device for it"
    fi
  done
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
expect_equal "the daemon has no capability" "948 0000000000000000" "$(privileges "$DAEMON")"
expect_equal "its examiner has only CAP_SYS_PTRACE" "948 0000000000080000" "$(privileges "$(examiner)")"
expect_registration "a process without an open node has no graphics context" "STATUS_INVALID_DISPOSITION null" env
for node in /dev/dri/renderD128 /dev/dri/card0 /dev/dri/renderD129 /dev/dri/card1; do
  test_node "$node"
done
test_other_fds
expect_clean_stop
finish
