#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a VMM shares of real drivers' memory and fences reaches the process of another user that is
# registered for its VM, and is the same memory and the same fence there; what is no such thing is
# refused. The daemon keeps none of it.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

GUID=d0a0b0f0-d0a0-4b0f-8d0a-d0a0b0f0d0a0
SIZE=16384 # of what make-fd makes; an image, of share-object's, is half of it

INVALID=STATUS_INVALID_PARAMETER
MISMATCH=STATUS_OBJECT_TYPE_MISMATCH
MEMORY='object.planes[0].fileDescriptor'
FENCE=object.fence.fileDescriptor

# start_vm KIND[,KIND...]: a VM whose VMM has these, from descriptor 3 on, and a viewer that is
# registered for it. Where the kernel has no device for one of them, skips it and fails.
start_vm() {
  local status=0

  WHAT=$1
  run_as vail-vmm "$HELPERS/make-fd" "$WHAT" true 2>/dev/null || status=$?
  if [ "$status" -eq 3 ]; then
    skip "$WHAT" "this kernel has no device that makes one"
    return 1
  fi
  session_open_with vmm vail-vmm \
    "$HELPERS/make-fd" "$WHAT" "$HELPERS/share-object" "$SOCKET" "$GUID"
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  expect_equal "$WHAT: the VM" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  expect_reply "$WHAT: the viewer is registered" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
}

# share ACCESS PART...: the object is in HANDLE, and in INODES its planes'.
share() {
  session_ask vmm "share $*"
  read -r STATUS HANDLE INODES <<<"$REPLY"
  expect_equal "$WHAT: $*: is shared" STATUS_SUCCESS "$STATUS"
}

# refused STATUS PATH PART...
refused() {
  local status=$1 path=$2
  shift 2
  expect_reply "$WHAT: $*: is refused" "$status $path" vmm "share read $*"
}

# is_told MEMORY: what everybody hears of the object: which kind, how many bytes, whether they stay
# that many, as a dma-buf's do, and whether the kernel keeps readers from writing, as it never does.
is_told() {
  expect_equal "$WHAT: vaild knows what it is" "$1" \
    "$(ask root "$(call io.vaild.ListSharedObjects)" | field ".parameters.sharedObjects[] |
      select(.handle == \"$HANDLE\") | [.memory[]] | join(\" \")")"
}

# opens: the viewer has the object's memory itself, as the kernel counts it. A dma-buf is open for
# writing in all its copies, since it cannot be opened anew.
opens() {
  local inode planes=

  for inode in $INODES; do
    planes+=" $inode:readWrite"
  done
  expect_reply "$WHAT: the viewer opens it, and has the same" "STATUS_SUCCESS$planes" \
    viewer "open $HANDLE"
}

# carries PLANE: what the VMM writes there, the viewer reads.
carries() {
  expect_reply "$WHAT: the VMM writes to plane $1" STATUS_SUCCESS vmm "write $1 pixels of $WHAT $1"
  expect_reply "$WHAT: the viewer reads plane $1" "STATUS_SUCCESS pixels of $WHAT $1" \
    viewer "read $1"
}

# is_signalled_by NUMBER: the fence, when the VMM closes this.
is_signalled_by() {
  expect_reply "$WHAT: the viewer waits for the fence in vain" STATUS_IO_TIMEOUT viewer "wait 100"
  expect_reply "$WHAT: the VM's GPU is done" STATUS_SUCCESS vmm "close $1"
  expect_reply "$WHAT: and so is the wait" STATUS_SUCCESS viewer "wait 5000"
}

# is_over: the object.
is_over() {
  expect_reply "$WHAT: is unshared, and held by one" "STATUS_SUCCESS 1" vmm unshare
  expect_reply "$WHAT: the viewer closes it" STATUS_SUCCESS viewer close
}

# end_vm: its VMM is killed.
end_vm() {
  session_kill vmm
  session_kill viewer
  expect "$WHAT: the daemon has the descriptors it had" eventually descriptors_are "$BEFORE"
}

a_dma_buf() {
  start_vm "$1" || return 0
  share read plane=3
  is_told "dmabuf $SIZE true false"
  opens
  carries 0
  is_over
  refused "$INVALID" 'object.planes[0]' "plane=3@$((SIZE / 2 + 1))"
  # Two planes of one memory have its bytes once, and reach to its end.
  share readWrite plane=3 "plane=3@$((SIZE / 2))"
  is_told "dmabuf $SIZE true false"
  opens
  carries 1
  carries 0
  end_vm # while all is shared, and held
}

fences() {
  start_vm pending-fence,signalled-fence || return 0
  share read fence=3
  is_told "none 0 false false"
  opens
  is_signalled_by 4
  is_over
  share read fence=5
  opens
  expect_reply "$WHAT: nobody waits for the other" STATUS_SUCCESS viewer "wait 0"
  is_over
  end_vm
}

# Two of memory, a fence, and a GPU's node: the one that the fence was made with.
memory_and_fences() {
  start_vm vgem,udmabuf,pending-fence || return 0
  share read plane=3 fence=5
  is_told "dmabuf $SIZE true false"
  opens
  carries 0
  refused "$MISMATCH" "$MEMORY" plane=6
  refused "$MISMATCH" "$FENCE" fence=6
  is_signalled_by 6
  is_over
  refused "$MISMATCH" "$MEMORY" plane=5
  refused "$MISMATCH" "$FENCE" fence=3
  refused "$MISMATCH" "$MEMORY" plane=5 fence=3
  refused "$MISMATCH" "$FENCE" plane=3 fence=4
  share read plane=3 plane=4
  is_told "dmabuf $((2 * SIZE)) true false"
  opens
  carries 0
  carries 1
  is_over
  end_vm
}

start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
BEFORE=$(descriptors)
for kind in udmabuf dma-heap vgem virtio-gpu; do
  a_dma_buf "$kind"
done
fences
memory_and_fences
expect_clean_stop
finish
