#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What libvail does with dma-bufs and fences of real drivers: reads the ones, and waits for the
# others no longer than it is told to.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

# reads KIND memory|fence EXPECTED: what read-object prints of a new one.
reads() {
  local said status=0

  said=$("$HELPERS/make-fd" "$1" "$HELPERS/read-object" "$PRIVATE/object" "$2" 2>&1) || status=$?
  if [ "$status" -eq 3 ]; then
    skip "$1" "this kernel has no device that makes one"
  else
    expect_equal "$1: $2" "$3" "$said"
  fi
}

IMAGE_READ="open STATUS_SUCCESS
image STATUS_SUCCESS
pixels abcdABCDefghijklIJKLmnop
beyond STATUS_INVALID_PARAMETER
map STATUS_NOT_SUPPORTED
close STATUS_SUCCESS"

for kind in udmabuf dma-heap vgem virtio-gpu memfd; do
  reads "$kind" memory "$IMAGE_READ"
done
reads pending-fence fence "open STATUS_SUCCESS
pending STATUS_IO_TIMEOUT
signalled STATUS_SUCCESS
close STATUS_SUCCESS"
finish
