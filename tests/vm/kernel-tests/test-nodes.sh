#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Lists the GPU nodes, the sources of dma-bufs and fences, and the socket options of this kernel. The
# other tests skip the checks that need missing ones.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

# device_of NODE: prints the name of its device in /sys.
device_of() {
  basename "$(readlink -f "/sys/dev/char/$(stat -c %Hr:%Lr "$1")/device")"
}

for node in /dev/dri/card0 /dev/dri/renderD128 /dev/dri/card1 /dev/dri/renderD129; do
  if [ -c "$node" ]; then
    ok "$node is a node of $(device_of "$node")"
  else
    skip "$node" "this kernel has no such node"
  fi
done
for node in /dev/udmabuf /dev/dma_heap/system /sys/kernel/debug/sync/sw_sync; do
  if [ -e "$node" ]; then ok "$node exists"; else skip "$node" "this kernel has no such node"; fi
done
for feature in passrights peerpidfd; do
  if "$HELPERS/has-kernel-feature" "$feature"; then
    ok "this kernel has SO_${feature^^}"
  else
    skip "SO_${feature^^}" "this kernel lacks it"
  fi
done
finish
