#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a VMM sends that cannot be shared is refused with a status, a path and a sentence; its
# connection goes on, and the daemon has the descriptors that it had before: none is lost, none kept.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=0dd0dd0d-0dd0-4dd0-8dd0-0dd0dd0dd0dd
LIST=$(call io.vaild.ListRegistrations)
FORGED=$PRIVATE/forged
DETACHED=$PRIVATE/detached

MISMATCH=STATUS_OBJECT_TYPE_MISMATCH
INVALID=STATUS_INVALID_PARAMETER
PLANE='object.planes[0].fileDescriptor'
FENCE=object.fence.fileDescriptor

## Requests

share() {
  call io.vaild.ShareObjectWithHost "{\"virtualMachineGuid\":\"$GUID\",\"object\":{$1}}"
}

# image ACCESS INDEX...: an image with a plane for each index.
image() {
  local planes='' access=$1 index
  shift
  for index in "$@"; do
    planes+="${planes:+,}{\"fileDescriptor\":$index,\"offset\":0,\"stride\":256}"
  done
  printf '"type":"resource","access":"%s","width":64,"height":32,"format":"XR24","planes":[%s]' \
    "$access" "$planes"
}

IMAGE=$(share "$(image read 0)")
A_FENCE=$(share '"type":"fence","access":"read","fence":{"fileDescriptor":0}')

# with_fence PLANE-INDEX FENCE-INDEX
with_fence() {
  local object

  object=$(image read "$1")
  share "${object/resource/resourceWithFence},\"fence\":{\"fileDescriptor\":$2}"
}

# Of what REPLY says was shared.
unshare() {
  call io.vaild.UnshareObject "{\"handle\":\"$(field .parameters.sharedObject.handle <<<"$REPLY")\"}"
}

## Rows

# The status of REPLY, or Varlink's own error, and the path of what is wrong, or "none".
verdict() {
  jq -r 'if (.error // "" | startswith("org.varlink.")) then .error
    elif .error and (.parameters.message // "") == "" then "without a sentence"
    else .parameters | "\(.status) \(.parameter // "none")" end' <<<"$REPLY" 2>/dev/null ||
    echo "$REPLY"
}

# Whatever was refused: the same connection is served, and the daemon has what it had.
nothing_came_of() {
  session_status vmm "- $LIST"
  [ "$STATUS" = STATUS_SUCCESS ] || not_ok "$1: the connection goes on" "it got '$REPLY'"
  eventually descriptors_are "$BEFORE" ||
    not_ok "$1: the daemon's descriptors" "$(descriptors) instead of $BEFORE"
}

# row CHECK KINDS REQUEST VERDICT
row() {
  session_ask vmm "$2 $3"
  if [[ $REPLY == none:* ]]; then
    skip "$1" "${REPLY#none: }"
    return
  fi
  expect_equal "$1" "$4" "$(verdict)"
  nothing_came_of "$1"
}

# closes CHECK KINDS REQUEST: answered, and the connection is closed.
closes() {
  session_ask vmm "$2 $3"
  expect_equal "$1" "$INVALID none" "$(verdict)"
  session_ask vmm reconnect
  expect_equal "$1: the connection is closed" closed "$REPLY"
  nothing_came_of "$1"
}

# shared CHECK KINDS REQUEST: but for what is wrong in the other rows it would have been taken.
shared() {
  session_ask vmm "$2 $3"
  expect_equal "$1" "STATUS_SUCCESS none" "$(verdict)"
  session_ask vmm "- $(unshare)"
  expect_equal "$1, and is unshared" "STATUS_SUCCESS none" "$(verdict)"
  nothing_came_of "$1"
}

what_can_be_shared() {
  shared "sealed memory is taken" sealed "$IMAGE"
  shared "so is a scanout like QEMU's" scanout "$IMAGE"
  shared "and memory that is open for reading alone" read-only "$IMAGE"
  shared "readWrite is for what is open for both" sealed "$(share "$(image readWrite 0)")"
  shared "two planes in two memories" sealed,sealed "$(share "$(image read 1 0)")"
  shared "two planes in one memory, sent once" sealed "$(share "$(image read 0 0)")"
}

kinds() {
  local kind

  for kind in socket pipe directory device namespace file epoll eventfd timerfd pidfd inotify \
    huge secret path write-only sealable forbidden; do
    row "as a plane: $kind" "$kind" "$IMAGE" "$MISMATCH $PLANE"
  done
  for kind in socket pipe device file eventfd sealed path; do
    row "as a fence: $kind" "$kind" "$A_FENCE" "$MISMATCH $FENCE"
  done
  row "memory that is open for reading, to be written" read-only \
    "$(share "$(image readWrite 0)")" "$MISMATCH $PLANE"
  row "empty memory" empty "$IMAGE" "$INVALID object.planes[0]"
  row "the second plane is a pipe" sealed,pipe "$(share "$(image read 0 1)")" \
    "$MISMATCH object.planes[1].fileDescriptor"
  row "the second plane cannot be opened" sealed,forbidden "$(share "$(image read 0 1)")" \
    "$MISMATCH object.planes[1].fileDescriptor"
  row "a plane, and a pipe for its fence" sealed,pipe "$(with_fence 0 1)" "$MISMATCH $FENCE"
}

# Each of these is inherited by the VMM under a number.
forged_names() {
  local number

  for number in "${!FORGED_NAMES[@]}"; do
    row "as a plane: ${FORGED_NAMES[number]}" "$number" "$IMAGE" "$MISMATCH $PLANE"
    row "as a fence: ${FORGED_NAMES[number]}" "$number" "$A_FENCE" "$MISMATCH $FENCE"
  done
}

indexes() {
  local index

  for index in 1 7 253 4294967296 9223372036854775807; do
    row "an index of nothing: $index" sealed "$(share "$(image read "$index")")" \
      "$INVALID $PLANE"
  done
  for index in -1 9223372036854775808 1.5 '"0"' true '[]'; do
    row "what is no index: $index" sealed "$(share "$(image read "$index")")" "$INVALID $PLANE"
  done
  row "a null index" sealed "$(share "$(image read null)")" "$INVALID $PLANE"
  row "no descriptor at all" - "$IMAGE" "$INVALID $PLANE"
  row "fewer than are named" sealed "$(share "$(image read 0 1)")" \
    "$INVALID object.planes[1].fileDescriptor"
  row "more than are named" sealed,sealed "$IMAGE" "$INVALID object"
  row "a fence's index of nothing" sealed "$(with_fence 0 1)" "$INVALID $FENCE"
  row "one index twice, and another not" sealed,sealed "$(share "$(image read 0 0)")" \
    "$INVALID object"
  row "one index for a plane and the fence" sealed "$(with_fence 0 0)" "$MISMATCH $FENCE"
  row "an index past 64 that looks like 0" 'sealed*65' "$(share "$(image read 64)")" \
    "$INVALID object"
  row "five planes" 'sealed*5' "$(share "$(image read 0 1 2 3 4)")" "$INVALID object.planes"
}

how_they_are_sent() {
  local half=${IMAGE:0:40}^${IMAGE:40}

  row "as many as one sendmsg can carry" 'pipe*253' "$IMAGE" "$INVALID object"
  row "one more, behind them" "sealed*253+sealed" "$half" "$INVALID parameters"
  row "two times as many" "sealed*253+sealed*253" "$half" "$INVALID parameters"
  row "with the second half of a message, too many" sealed+sealed "$half" "$INVALID object"
  row "with a blank line alone, then a good request" "pipe+-" "|^$LIST" "STATUS_SUCCESS none"
  row "oneway, then a good request" "pipe+-" "${IMAGE/\{/\{\"oneway\":true,}|^$LIST" "STATUS_SUCCESS none"
  row "a method that takes none" pipe "$LIST" "$INVALID parameters"
  row "no such method" pipe '{"method":"io.vaild.Nothing"}' \
    org.varlink.service.MethodNotFound
  row "no method" pipe '{}' "$INVALID method"
  row "parameters that are none" pipe '{"method":"io.vaild.ShareObjectWithHost","parameters":7}' \
    "$INVALID parameters"
  closes "no JSON" 'pipe*3' '{"method":}'
  closes "half a message, and then another's half" "pipe+pipe" '{"method"^}}}}'
}

# They belong to the last message that begins in what they were sent with.
with_several_messages() {
  local check="with three messages at once" verdicts

  session_ask vmm "sealed $LIST|$IMAGE|$IMAGE"
  verdicts=$(verdict)
  session_ask vmm "- |" # no message
  verdicts+=", $(verdict)"
  session_ask vmm "- |"
  expect_equal "$check" "STATUS_SUCCESS none, $INVALID $PLANE, STATUS_SUCCESS none" \
    "$verdicts, $(verdict)"
  session_ask vmm "- $(unshare)"
  nothing_came_of "$check"
}

setting_for_sealed_memory() {
  echo '{"requireSealedMemory":true}' >"$CONFIG/vaild.json"
  ask root "$(call io.vaild.Monitor.ReloadConfiguration)" >/dev/null
  row "a scanout like QEMU's where sealed memory is required" scanout "$IMAGE" "$MISMATCH $PLANE"
  shared "sealed memory is taken there" sealed "$IMAGE"
  rm "$CONFIG/vaild.json"
  ask root "$(call io.vaild.Monitor.ReloadConfiguration)" >/dev/null
}

## Who may send none

# sends_none CHECK SESSION
sends_none() {
  session_ask "$2" "pipe $LIST"
  if "${KERNEL[@]}" "$HELPERS/has-kernel-feature" passrights; then
    expect_equal "$1: the kernel refuses it" EPERM "$REPLY"
  else
    expect_equal "$1: is refused" "$INVALID parameters" "$(verdict)"
  fi
  session_status "$2" "- $LIST"
  expect_equal "$1: the connection goes on" STATUS_SUCCESS "$STATUS"
}

those_who_may_send_none() {
  session_open_with stranger vail-alice "$HELPERS/talk-with-fds" "$SOCKET"
  session_status stranger "- $LIST"
  BEFORE=$(descriptors)
  sends_none "a stranger" stranger
  session_ask stranger "- $CONTEXT"
  session_status stranger "- $(register "$GUID")"
  expect_equal "a stranger is registered" STATUS_SUCCESS "$STATUS"
  eventually registered_are "${SESSION_PID[stranger]}"
  BEFORE=$(descriptors)
  sends_none "who is registered" stranger
  nothing_came_of "who may send none"
  session_kill stranger
}

# Who may send some changes under the connections that there are.
those_who_may_no_longer() {
  session_open_with agent vail-bob "$HELPERS/talk-with-fds" "$SOCKET"
  session_status agent "- $LIST"
  sends_none "an agent before it is one" agent
  expect_equal "the VM gets an agent" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.Machine.UpdateVirtualMachine "{\"virtualMachineGuid\":\"$GUID\",
      \"agent\":{\"pid\":${SESSION_PID[agent]}}}")" | statuses)"
  session_status agent "sealed $IMAGE"
  expect_equal "an agent shares" STATUS_SUCCESS "$STATUS"
  ask root "$(call io.vaild.Machine.UnregisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\"}")" >/dev/null
  sends_none "a VMM whose VM is gone" vmm
  sends_none "an agent whose VM is gone" agent
  session_kill agent
  session_kill vmm
  expect "nothing is kept of a VM that is gone" eventually descriptors_are "$AT_START"
}

## What is inherited

declare -a FORGED_NAMES

# forge NUMBER WHAT NAME: what the name is in a mount that is gone becomes a descriptor.
forge() {
  local number=$1

  mount --bind "$FORGED" "$DETACHED"
  eval "exec $number<>\"\$DETACHED/\$3\"" # a redirection's number cannot be a variable
  umount -l "$DETACHED"
  FORGED_NAMES[number]="$2 called $(readlink "/proc/self/fd/$number")"
}

forge_on_tmpfs() {
  mount -t tmpfs tmpfs "$FORGED"
  mkdir -p "$FORGED/dev/dri"
  mknod -m 666 "$FORGED/dev/dri/renderD128" c 1 3
  head -c 8192 /dev/zero | (cd "$FORGED" && tee dmabuf: "memfd:x (deleted)" memfd:y \
    anon_inode:sync_file) >/dev/null
  forge 20 "a file" dmabuf:
  forge 21 "a file" "memfd:x (deleted)"
  forge 22 "a file" anon_inode:sync_file
  forge 23 "/dev/null" dev/dri/renderD128
  forge 24 "a file" memfd:y
  rm "$FORGED/memfd:y"
  FORGED_NAMES[24]="a file called $(readlink /proc/self/fd/24)"
  umount "$FORGED"
}

# start_fuse MODE FOLDER
start_fuse() {
  [ -c /dev/fuse ] || {
    echo "no /dev/fuse" >"$PRIVATE/fuse.log"
    return 1
  }
  "$HELPERS/never-answers" "$1" "$2" 2>"$PRIVATE/fuse.log" &
  FUSE=$!
  is_mounted "$2" "$FUSE"
}

forge_on_fuse() {
  start_fuse questions "$FORGED" || {
    skip "a file system that never answers" "$(cat "$PRIVATE/fuse.log")"
    return
  }
  forge 25 "a FUSE file" dmabuf:
  forge 26 "a FUSE file" "memfd:x (deleted)"
}

open_gpu() {
  local node

  for node in /dev/dri/renderD* /dev/dri/card*; do
    if [ -c "$node" ] && exec 27<>"$node"; then
      FORGED_NAMES[27]="a GPU's node called $node"
      return
    fi
  done
  skip "a GPU's node" "this machine has none"
}

## What hangs when it is closed

# Of a user's closes eight may hang; meanwhile it is served, but sends no more.
closes_that_hang() {
  local hangs=$PRIVATE/hangs i

  mkdir "$hangs"
  start_fuse flush "$hangs" || {
    skip "a file whose close hangs" "$(cat "$PRIVATE/fuse.log")"
    return
  }
  for i in {1..8}; do
    row "a file whose close hangs: $i" "$hangs/file" "$IMAGE" "$MISMATCH $PLANE"
  done
  session_ask vmm "sealed $IMAGE"
  expect_equal "with eight that hang no more are taken" "STATUS_QUOTA_EXCEEDED closesUnderWay" \
    "$(field '.parameters | "\(.status) \(.limit)"' <<<"$REPLY")"
  session_ask vmm reconnect
  expect_equal "and the connection is closed, with what is queued in it" closed "$REPLY"
  kill_hard "$FUSE"
  nothing_came_of "when the file system is gone"
  shared "when the file system is gone, the VMM shares again" sealed "$IMAGE"
}

## The VMM

start_vmm_that_talks() {
  session_open_with vmm vail-vmm "$HELPERS/talk-with-fds" "$SOCKET"
  session_status vmm "- $LIST"
  expect_equal "the VMM is served" STATUS_SUCCESS "$STATUS"
  sends_none "a VMM before it is one" vmm
  expect_equal "the VM" STATUS_SUCCESS "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  session_status vmm "- $LIST"
  BEFORE=$(descriptors)
  shared "the VMM shares on the connection that it has" sealed "$IMAGE"
}

# What was inherited goes with the VMM.
close_forged() {
  local number

  for number in "${!FORGED_NAMES[@]}"; do
    eval "exec $number<&-"
  done
}

# In the middle of a message, or with what it shares, the VMM dies.
the_vmm_dies() {
  session_ask vmm "sealed $IMAGE"
  expect_equal "the VMM shares" "STATUS_SUCCESS none" "$(verdict)"
  session_kill vmm
  expect "the VMM dies: nothing is kept" eventually descriptors_are "$AT_START"
}

begin() {
  start_daemon "$@"
  ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
  AT_START=$(descriptors)
}

on_this_kernel() {
  KERNEL=()
  begin
  forge_on_tmpfs
  forge_on_fuse
  open_gpu
  start_vmm_that_talks
  close_forged
  what_can_be_shared
  kinds
  forged_names
  indexes
  how_they_are_sent
  with_several_messages
  setting_for_sealed_memory
  closes_that_hang
  the_vmm_dies
  start_vmm_that_talks
  those_who_may_send_none
  those_who_may_no_longer
  expect_clean_stop
}

# Where the kernel keeps nothing out, the daemon closes what strangers send.
on_a_kernel_that_keeps_nothing_out() {
  KERNEL=("$HELPERS/without-kernel-feature" passrights)
  begin "${KERNEL[@]}"
  start_vmm_that_talks
  those_who_may_send_none
  those_who_may_no_longer
  expect_clean_stop
}

# The kernel cuts control data where the daemon has no room for more descriptors.
out_of_descriptors() {
  KERNEL=()
  begin prlimit --nofile=64:64
  start_vmm_that_talks
  row "control data that is cut" 'sealed*64' "$IMAGE" 'STATUS_INSUFFICIENT_RESOURCES none'
  row "and that of a method that takes none" 'sealed*64' "$LIST" "$INVALID parameters"
  shared "what has room is taken" sealed "$IMAGE"
  the_vmm_dies
  expect_clean_stop
}

mkdir "$FORGED" "$DETACHED"
on_this_kernel
on_a_kernel_that_keeps_nothing_out
out_of_descriptors
finish
