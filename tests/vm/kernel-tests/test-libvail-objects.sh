#!/bin/bash
# SPDX-License-Identifier: MIT
#
# libvail reads dma-bufs of real drivers, and waits for their fences no longer than the timeout.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

# expect_output KIND memory|fence EXPECTED: checks what read-object prints about a new fd of this kind.
expect_output() {
  local output status=0

  output=$("$HELPERS/make-fd" "$1" "$HELPERS/read-object" "$PRIVATE/object" "$2" 2>&1) || status=$?
  if [ "$status" -eq 3 ]; then
    skip "$1" "this kernel has no device for it"
  else
    expect_equal "libvail opens and reads a $2 of kind $1" "$3" "$output"
  fi
}

IMAGE_READ="open STATUS_SUCCESS
image STATUS_SUCCESS
pixels abcdABCDefghijklIJKLmnop
beyond STATUS_INVALID_PARAMETER
map STATUS_NOT_SUPPORTED
close STATUS_SUCCESS"

for kind in udmabuf dma-heap vgem virtio-gpu memfd; do
  expect_output "$kind" memory "$IMAGE_READ"
done
expect_output pending-fence fence "open STATUS_SUCCESS
pending STATUS_IO_TIMEOUT
signalled STATUS_SUCCESS
close STATUS_SUCCESS"
finish
