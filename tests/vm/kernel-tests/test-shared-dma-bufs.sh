#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A VMM shares memory and fences of real drivers. A registered process of another user receives the
# same memory and the same fence. Other fds are refused. In the end the daemon has closed all of them.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

GUID=d0a0b0f0-d0a0-4b0f-8d0a-d0a0b0f0d0a0
SIZE=16384 # bytes of a memory of make-fd; share-object's image needs half of it

INVALID=STATUS_INVALID_PARAMETER
MISMATCH=STATUS_OBJECT_TYPE_MISMATCH
MEMORY='object.planes[0].fileDescriptor'
FENCE=object.fence.fileDescriptor

# start_vm KIND[,KIND...]: starts a VMM that has fds of these kinds, from number 3 on, and a viewer
# that is registered for its VM. Sets KINDS. If this machine has no device for a kind, skips the kinds
# and fails.
start_vm() {
  local status=0

  KINDS=$1
  run_as vail-vmm "$HELPERS/make-fd" "$KINDS" true 2>/dev/null || status=$?
  if [ "$status" -eq 3 ]; then
    skip "$KINDS" "this kernel has no device for it"
    return 1
  fi
  session_open_with vmm vail-vmm \
    "$HELPERS/make-fd" "$KINDS" "$HELPERS/share-object" "$SOCKET" "$GUID"
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  expect_equal "$KINDS: the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  expect_reply "$KINDS: the viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
}

# expect_shared ACCESS PART...: makes the VMM share an object. Sets HANDLE to its handle and INODES to
# the inodes of its planes.
expect_shared() {
  session_ask vmm "share $*"
  read -r STATUS HANDLE INODES <<<"$REPLY"
  expect_equal "$KINDS: $* is shared" STATUS_SUCCESS "$STATUS"
}

# expect_refused STATUS PATH PART...: makes the VMM share an object, and checks the status and the path
# of the wrong parameter.
expect_refused() {
  local status=$1 path=$2
  shift 2
  expect_reply "$KINDS: $* is refused" "$status $path" vmm "share read $*"
}

# expect_listed "KIND BYTES SIZE-SEALED ACCESS-ENFORCED": checks the object's memory in the list. The
# size of a dma-buf never changes, so that it counts as sealed. The kernel cannot keep the readers of
# a dma-buf from writing, so that the access is not enforced.
expect_listed() {
  expect_equal "$KINDS: the list says '$1'" "$1" \
    "$(ask root "$(call io.vaild.ListSharedObjects)" | field ".parameters.sharedObjects[] |
      select(.handle == \"$HANDLE\") | [.memory[]] | join(\" \")")"
}

# Checks that the viewer opens the object and receives the same inodes. All fds of a dma-buf are
# writable, because it cannot be reopened.
expect_opened() {
  local inode planes=

  for inode in $INODES; do
    planes+=" $inode:readWrite"
  done
  expect_reply "$KINDS: the viewer opens the object and receives the same fds" "STATUS_SUCCESS$planes" \
    viewer "open $HANDLE"
}

# expect_carried PLANE: checks that the viewer reads the bytes that the VMM writes to a plane.
expect_carried() {
  expect_reply "$KINDS: the VMM writes to plane $1" STATUS_SUCCESS vmm "write $1 pixels of $KINDS $1"
  expect_reply "$KINDS: the viewer reads plane $1" "STATUS_SUCCESS pixels of $KINDS $1" \
    viewer "read $1"
}

# expect_signalled_by NUMBER: checks that the viewer can wait for the fence only after the VMM has
# closed this fd.
expect_signalled_by() {
  expect_reply "$KINDS: waiting for the pending fence times out" STATUS_IO_TIMEOUT viewer "wait 100"
  expect_reply "$KINDS: the VMM signals the fence" STATUS_SUCCESS vmm "close $1"
  expect_reply "$KINDS: waiting for the signalled fence succeeds" STATUS_SUCCESS viewer "wait 5000"
}

# Ends the object: the VMM unshares it and the viewer closes it.
end_object() {
  expect_reply "$KINDS: the VMM unshares the object, which has one holder" "STATUS_SUCCESS 1" vmm \
    unshare
  expect_reply "$KINDS: the viewer closes the object" STATUS_SUCCESS viewer close
}

# Kills the VMM and the viewer.
end_vm() {
  session_kill vmm
  session_kill viewer
  expect "$KINDS: the daemon closes all fds" eventually open_fds_are "$BEFORE"
}

# test_dma_buf KIND
test_dma_buf() {
  start_vm "$1" || return 0
  expect_shared read plane=3
  expect_listed "dmabuf $SIZE true false"
  expect_opened
  expect_carried 0
  end_object
  expect_refused "$INVALID" 'object.planes[0]' "plane=3@$((SIZE / 2 + 1))"
  # Two planes fill one memory to its end. Its size counts once.
  expect_shared readWrite plane=3 "plane=3@$((SIZE / 2))"
  expect_listed "dmabuf $SIZE true false"
  expect_opened
  expect_carried 1
  expect_carried 0
  end_vm # while the object is shared and held
}

test_fences() {
  start_vm pending-fence,signalled-fence || return 0
  expect_shared read fence=3
  expect_listed "none 0 false false"
  expect_opened
  expect_signalled_by 4
  end_object
  expect_shared read fence=5
  expect_opened
  expect_reply "$KINDS: waiting for a signalled fence returns at once" STATUS_SUCCESS viewer \
    "wait 0"
  end_object
  end_vm
}

# The VMM has two memories (3 and 4), a fence (5), and the device that signals it (6).
test_memory_and_fence() {
  start_vm vgem,udmabuf,pending-fence || return 0
  expect_shared read plane=3 fence=5
  expect_listed "dmabuf $SIZE true false"
  expect_opened
  expect_carried 0
  expect_refused "$MISMATCH" "$MEMORY" plane=6
  expect_refused "$MISMATCH" "$FENCE" fence=6
  expect_signalled_by 6
  end_object
  expect_refused "$MISMATCH" "$MEMORY" plane=5
  expect_refused "$MISMATCH" "$FENCE" fence=3
  expect_refused "$MISMATCH" "$MEMORY" plane=5 fence=3
  expect_refused "$MISMATCH" "$FENCE" plane=3 fence=4
  expect_shared read plane=3 plane=4
  expect_listed "dmabuf $((2 * SIZE)) true false"
  expect_opened
  expect_carried 0
  expect_carried 1
  end_object
  end_vm
}

start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
BEFORE=$(idle_descriptors)
for kind in udmabuf dma-heap vgem virtio-gpu; do
  test_dma_buf "$kind"
done
test_fences
test_memory_and_fence
expect_clean_stop
finish
