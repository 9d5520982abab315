#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What this kernel has of GPUs and of buffers that are passed around; the other tests skip what it
# does not have.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

# The device behind a node, as /sys names it.
device_of() {
  basename "$(readlink -f "/sys/dev/char/$(stat -c %Hr:%Lr "$1")/device")"
}

for node in /dev/dri/card0 /dev/dri/renderD128 /dev/dri/card1 /dev/dri/renderD129; do
  if [ -c "$node" ]; then
    ok "$node, of $(device_of "$node")"
  else
    skip "$node" "this kernel has none"
  fi
done
for node in /dev/udmabuf /dev/dma_heap/system /sys/kernel/debug/sync/sw_sync; do
  if [ -e "$node" ]; then ok "$node"; else skip "$node" "this kernel has none"; fi
done
for feature in passrights peerpidfd; do
  if "$HELPERS/has-kernel-feature" "$feature"; then
    ok "SO_${feature^^}"
  else
    skip "SO_${feature^^}" "this kernel has none"
  fi
done
finish
