#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A VMM sends fds that cannot be shared. The daemon refuses each with a status, the path of the
# wrong parameter and a message. The connection stays open, and the daemon closes exactly the fds
# that it received.

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

# share OBJECT: prints a request that shares an object with these members.
share() {
  call io.vaild.ShareObjectWithHost "{\"virtualMachineGuid\":\"$GUID\",\"object\":{$1}}"
}

# image ACCESS INDEX...: prints the members of an image with a plane for each index.
image() {
  local planes='' access=$1 index
  shift
  for index in "$@"; do
    planes+="${planes:+,}{\"fileDescriptor\":$index,\"offset\":0,\"stride\":256}"
  done
  printf '"type":"resource","access":"%s","width":64,"height":32,"format":"XR24","planes":[%s]' \
    "$access" "$planes"
}

SHARE_IMAGE=$(share "$(image read 0)")
SHARE_FENCE=$(share '"type":"fence","access":"read","fence":{"fileDescriptor":0}')

# share_with_fence PLANE-INDEX FENCE-INDEX: prints a request that shares an image with a fence.
share_with_fence() {
  local object

  object=$(image read "$1")
  share "${object/resource/resourceWithFence},\"fence\":{\"fileDescriptor\":$2}"
}

# Prints a request that unshares the object in REPLY.
unshare() {
  call io.vaild.UnshareObject "{\"handle\":\"$(field .parameters.sharedObject.handle <<<"$REPLY")\"}"
}

## Checks

# Prints the status in REPLY, or the name of Varlink's own error, and the path of the wrong
# parameter, or "none". An error without a message is a fault of the daemon.
verdict() {
  jq -r 'if (.error // "" | startswith("org.varlink.")) then .error
    elif .error and (.parameters.message // "") == "" then "without a message"
    else .parameters | "\(.status) \(.parameter // "none")" end' <<<"$REPLY" 2>/dev/null ||
    echo "$REPLY"
}

# expect_unchanged CHECK: fails unless the connection is still served and the daemon has as many fds
# as before. Prints nothing on success.
expect_unchanged() {
  session_status vmm "- $LIST"
  [ "$STATUS" = STATUS_SUCCESS ] || not_ok "$1: the connection stays open" "it got '$REPLY'"
  eventually open_fds_are "$BEFORE" ||
    not_ok "$1: the daemon closes the fds" "it has $(descriptors) instead of $BEFORE"
}

# expect_verdict CHECK KINDS REQUEST VERDICT: sends the request with fds of these kinds, which are
# explained in talk-with-fds.c. Skips the check if this machine cannot make one of them.
expect_verdict() {
  session_ask vmm "$2 $3"
  if [[ $REPLY == none:* ]]; then
    skip "$1" "${REPLY#none: }"
    return
  fi
  expect_equal "$1" "$4" "$(verdict)"
  expect_unchanged "$1"
}

# expect_closed CHECK KINDS REQUEST: checks that the request gets an error and that the daemon closes
# the connection.
expect_closed() {
  session_ask vmm "$2 $3"
  expect_equal "$1 gets an error" "$INVALID none" "$(verdict)"
  session_ask vmm reconnect
  expect_equal "$1 ends the connection" closed "$REPLY"
  expect_unchanged "$1"
}

# expect_shared CHECK KINDS REQUEST: checks that the object can be shared and unshared. This shows
# that the refused requests have no other fault.
expect_shared() {
  session_ask vmm "$2 $3"
  expect_equal "$1 is shared" "STATUS_SUCCESS none" "$(verdict)"
  session_ask vmm "- $(unshare)"
  expect_equal "$1 is unshared" "STATUS_SUCCESS none" "$(verdict)"
  expect_unchanged "$1"
}

test_valid_fds() {
  expect_shared "sealed memory" sealed "$SHARE_IMAGE"
  expect_shared "memory like a scanout of QEMU" scanout "$SHARE_IMAGE"
  expect_shared "memory opened read-only" read-only "$SHARE_IMAGE"
  expect_shared "memory opened for writing, with access readWrite," sealed \
    "$(share "$(image readWrite 0)")"
  expect_shared "an image of two planes in two memories" sealed,sealed "$(share "$(image read 1 0)")"
  expect_shared "an image of two planes in one memory" sealed "$(share "$(image read 0 0)")"
}

test_kinds() {
  local kind

  for kind in socket pipe directory device namespace file epoll eventfd timerfd pidfd inotify \
    huge secret path write-only sealable forbidden; do
    expect_verdict "a plane of kind $kind is refused" "$kind" "$SHARE_IMAGE" "$MISMATCH $PLANE"
  done
  for kind in socket pipe device file eventfd sealed path; do
    expect_verdict "a fence of kind $kind is refused" "$kind" "$SHARE_FENCE" "$MISMATCH $FENCE"
  done
  expect_verdict "read-only memory with access readWrite is refused" read-only \
    "$(share "$(image readWrite 0)")" "$MISMATCH $PLANE"
  expect_verdict "empty memory is refused" empty "$SHARE_IMAGE" "$INVALID object.planes[0]"
  expect_verdict "a pipe as the second plane is refused" sealed,pipe "$(share "$(image read 0 1)")" \
    "$MISMATCH object.planes[1].fileDescriptor"
  expect_verdict "a second plane that cannot be opened is refused" sealed,forbidden \
    "$(share "$(image read 0 1)")" "$MISMATCH object.planes[1].fileDescriptor"
  expect_verdict "a plane with a pipe as its fence is refused" sealed,pipe \
    "$(share_with_fence 0 1)" "$MISMATCH $FENCE"
}

# The VMM has inherited each of these fds under its number.
test_forged_names() {
  local number

  for number in "${!FORGED_NAMES[@]}"; do
    expect_verdict "a plane that is ${FORGED_NAMES[number]} is refused" "$number" "$SHARE_IMAGE" \
      "$MISMATCH $PLANE"
    expect_verdict "a fence that is ${FORGED_NAMES[number]} is refused" "$number" "$SHARE_FENCE" \
      "$MISMATCH $FENCE"
  done
}

test_indexes() {
  local index

  for index in 1 7 253 4294967296 9223372036854775807; do
    expect_verdict "an index without an fd is refused: $index" sealed \
      "$(share "$(image read "$index")")" "$INVALID $PLANE"
  done
  for index in -1 9223372036854775808 1.5 '"0"' true '[]'; do
    expect_verdict "an invalid index is refused: $index" sealed \
      "$(share "$(image read "$index")")" "$INVALID $PLANE"
  done
  expect_verdict "an index of null is refused" sealed "$(share "$(image read null)")" \
    "$INVALID $PLANE"
  expect_verdict "a request without fds is refused" - "$SHARE_IMAGE" "$INVALID $PLANE"
  expect_verdict "fewer fds than indexes are refused" sealed "$(share "$(image read 0 1)")" \
    "$INVALID object.planes[1].fileDescriptor"
  expect_verdict "more fds than indexes are refused" sealed,sealed "$SHARE_IMAGE" "$INVALID object"
  expect_verdict "a fence's index without an fd is refused" sealed "$(share_with_fence 0 1)" \
    "$INVALID $FENCE"
  expect_verdict "an fd without an index is refused if another index occurs twice" sealed,sealed \
    "$(share "$(image read 0 0)")" "$INVALID object"
  expect_verdict "one index for a plane and the fence is refused" sealed \
    "$(share_with_fence 0 0)" "$MISMATCH $FENCE"
  expect_verdict "index 64 does not count as index 0" 'sealed*65' "$(share "$(image read 64)")" \
    "$INVALID object"
  expect_verdict "five planes are refused" 'sealed*5' "$(share "$(image read 0 1 2 3 4)")" \
    "$INVALID object.planes"
}

test_ways_of_sending() {
  local halves=${SHARE_IMAGE:0:40}^${SHARE_IMAGE:40}

  expect_verdict "253 fds, the most that one sendmsg() can carry, are refused" 'pipe*253' \
    "$SHARE_IMAGE" "$INVALID object"
  expect_verdict "253 fds and one with the second half of a message are refused" \
    "sealed*253+sealed" "$halves" "$INVALID parameters"
  expect_verdict "253 fds with each half of a message are refused" "sealed*253+sealed*253" \
    "$halves" "$INVALID parameters"
  expect_verdict "an additional fd with the second half of a message is refused" sealed+sealed \
    "$halves" "$INVALID object"
  expect_verdict "an fd with a blank line does not harm the next request" "pipe+-" "|^$LIST" \
    "STATUS_SUCCESS none"
  expect_verdict "a refused fd of a oneway call does not harm the next request" "pipe+-" \
    "${SHARE_IMAGE/\{/\{\"oneway\":true,}|^$LIST" "STATUS_SUCCESS none"
  expect_verdict "an fd for a method that takes none is refused" pipe "$LIST" "$INVALID parameters"
  expect_verdict "an fd for an unknown method is refused" pipe '{"method":"io.vaild.Nothing"}' \
    org.varlink.service.MethodNotFound
  expect_verdict "an fd without a method is refused" pipe '{}' "$INVALID method"
  expect_verdict "an fd with parameters that are not an object is refused" pipe \
    '{"method":"io.vaild.ShareObjectWithHost","parameters":7}' "$INVALID parameters"
  expect_closed "malformed JSON with fds" 'pipe*3' '{"method":}'
  expect_closed "malformed JSON with fds in each half" "pipe+pipe" '{"method"^}}}}'
}

# Fds belong to the last message that begins in the bytes of the same sendmsg().
test_several_messages() {
  local check="fds sent with three messages belong to the last one" verdicts

  session_ask vmm "sealed $LIST|$SHARE_IMAGE|$SHARE_IMAGE"
  verdicts=$(verdict)
  session_ask vmm "- |" # sends a blank line, to read the next reply
  verdicts+=", $(verdict)"
  session_ask vmm "- |"
  expect_equal "$check" "STATUS_SUCCESS none, $INVALID $PLANE, STATUS_SUCCESS none" \
    "$verdicts, $(verdict)"
  session_ask vmm "- $(unshare)"
  expect_unchanged "$check"
}

test_require_sealed_memory() {
  echo '{"requireSealedMemory":true}' >"$CONFIG/vaild.json"
  ask root "$(call io.vaild.Monitor.ReloadConfiguration)" >/dev/null
  expect_verdict "requireSealedMemory: memory like a scanout of QEMU is refused" scanout \
    "$SHARE_IMAGE" "$MISMATCH $PLANE"
  expect_shared "requireSealedMemory: sealed memory" sealed "$SHARE_IMAGE"
  rm "$CONFIG/vaild.json"
  ask root "$(call io.vaild.Monitor.ReloadConfiguration)" >/dev/null
}

## Clients that may not send fds

# expect_fds_refused CLIENT SESSION: checks that the kernel or the daemon refuses an fd from the
# session, and that its connection stays open.
expect_fds_refused() {
  session_ask "$2" "pipe $LIST"
  if "${KERNEL[@]}" "$HELPERS/has-kernel-feature" passrights; then
    expect_equal "$1: the kernel refuses an fd" EPERM "$REPLY"
  else
    expect_equal "$1: the daemon refuses an fd" "$INVALID parameters" "$(verdict)"
  fi
  session_status "$2" "- $LIST"
  expect_equal "$1: the connection stays open" STATUS_SUCCESS "$STATUS"
}

test_display_client_sends_fds() {
  session_open_with stranger vail-alice "$HELPERS/talk-with-fds" "$SOCKET"
  session_status stranger "- $LIST"
  BEFORE=$(idle_descriptors)
  expect_fds_refused "a stranger" stranger
  session_ask stranger "- $CONTEXT"
  session_status stranger "- $(register "$GUID")"
  expect_equal "the stranger registers" STATUS_SUCCESS "$STATUS"
  eventually registered_pids_are "${SESSION_PID[stranger]}"
  BEFORE=$(idle_descriptors)
  expect_fds_refused "a registered process" stranger
  expect_unchanged "clients that may not send fds"
  session_kill stranger
}

# A client may send fds while it is the VMM or the agent of a VM, on connections that it already had.
test_changes_of_role() {
  session_open_with agent vail-bob "$HELPERS/talk-with-fds" "$SOCKET"
  session_status agent "- $LIST"
  expect_fds_refused "a process before it is an agent" agent
  expect_equal "the VM gets an agent" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.Machine.UpdateVirtualMachine "{\"virtualMachineGuid\":\"$GUID\",
      \"agent\":{\"pid\":${SESSION_PID[agent]}}}")" | statuses)"
  session_status agent "sealed $SHARE_IMAGE"
  expect_equal "the agent shares an object" STATUS_SUCCESS "$STATUS"
  ask root "$(call io.vaild.Machine.UnregisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\"}")" >/dev/null
  expect_fds_refused "the VMM of an unregistered VM" vmm
  expect_fds_refused "the agent of an unregistered VM" agent
  session_kill agent
  session_kill vmm
  expect "the daemon closes all fds of an unregistered VM" eventually open_fds_are "$AT_START"
}

## Fds that the VMM inherits

declare -a FORGED_NAMES

# forge NUMBER FILE NAME: opens $FORGED/NAME as fd NUMBER and detaches the mount, which makes its
# name /NAME. Describes it in FORGED_NAMES[NUMBER].
forge() {
  local number=$1

  mount --bind "$FORGED" "$DETACHED"
  eval "exec $number<>\"\$DETACHED/\$3\"" # the number of a redirection cannot be a variable
  umount -l "$DETACHED"
  FORGED_NAMES[number]="$2 called $(readlink "/proc/self/fd/$number")"
}

forge_in_tmpfs() {
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

# start_fuse MODE FOLDER: mounts the file system of never-answers. Sets FUSE to its pid. Fails if it
# cannot be mounted, with the reason in $PRIVATE/fuse.log.
start_fuse() {
  [ -c /dev/fuse ] || {
    echo "this machine has no /dev/fuse" >"$PRIVATE/fuse.log"
    return 1
  }
  "$HELPERS/never-answers" "$1" "$2" 2>"$PRIVATE/fuse.log" &
  FUSE=$!
  is_mounted "$2" "$FUSE"
}

forge_in_fuse() {
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
      FORGED_NAMES[27]="a GPU node called $node"
      return
    fi
  done
  skip "a GPU node as a plane" "this machine has no GPU"
}

# The VMM keeps its inherited copies.
close_forged() {
  local number

  for number in "${!FORGED_NAMES[@]}"; do
    eval "exec $number<&-"
  done
}

## Fds whose close hangs

# At most eight closes of a user may hang. Until they finish, the user is served but may send no fds.
test_hanging_closes() {
  local hangs=$PRIVATE/hangs i

  mkdir "$hangs"
  start_fuse flush "$hangs" || {
    skip "a file whose close hangs" "$(cat "$PRIVATE/fuse.log")"
    return
  }
  for i in {1..8}; do
    expect_verdict "file $i whose close hangs is refused" "$hangs/file" "$SHARE_IMAGE" \
      "$MISMATCH $PLANE"
  done
  session_ask vmm "sealed $SHARE_IMAGE"
  expect_equal "with eight closes that hang, further fds are refused" \
    "STATUS_QUOTA_EXCEEDED closesUnderWay" \
    "$(field '.parameters | "\(.status) \(.limit)"' <<<"$REPLY")"
  session_ask vmm reconnect
  expect_equal "the refusal ends the connection, including fds queued on it" closed "$REPLY"
  kill_and_wait "$FUSE"
  expect_unchanged "the file system has ended"
  expect_shared "memory, after the file system has ended," sealed "$SHARE_IMAGE"
}

## The VMM

# Starts talk-with-fds, registers it as the VMM, and sets BEFORE to the daemon's number of fds.
start_vmm_session() {
  session_open_with vmm vail-vmm "$HELPERS/talk-with-fds" "$SOCKET"
  session_status vmm "- $LIST"
  expect_equal "the VMM is served" STATUS_SUCCESS "$STATUS"
  expect_fds_refused "a process before it is a VMM" vmm
  expect_equal "the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  session_status vmm "- $LIST"
  BEFORE=$(idle_descriptors)
  expect_shared "memory sent on the VMM's old connection" sealed "$SHARE_IMAGE"
}

test_vmm_exit() {
  session_ask vmm "sealed $SHARE_IMAGE"
  expect_equal "the VMM shares an object before it is killed" "STATUS_SUCCESS none" "$(verdict)"
  session_kill vmm
  expect "the daemon closes all fds of a killed VMM" eventually open_fds_are "$AT_START"
}

# begin [WRAPPER...]: starts a daemon. Sets AT_START to its number of fds.
begin() {
  start_daemon "$@"
  ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
  AT_START=$(idle_descriptors)
}

test_this_kernel() {
  KERNEL=()
  begin
  forge_in_tmpfs
  forge_in_fuse
  open_gpu
  start_vmm_session
  close_forged
  test_valid_fds
  test_kinds
  test_forged_names
  test_indexes
  test_ways_of_sending
  test_several_messages
  test_require_sealed_memory
  test_hanging_closes
  test_vmm_exit
  start_vmm_session
  test_display_client_sends_fds
  test_changes_of_role
  expect_clean_stop
}

# Without SO_PASSRIGHTS, the daemon receives the fds of strangers and closes them.
test_without_passrights() {
  KERNEL=("$HELPERS/without-kernel-feature" passrights)
  begin "${KERNEL[@]}"
  start_vmm_session
  test_display_client_sends_fds
  test_changes_of_role
  expect_clean_stop
}

# The kernel truncates control data if the daemon has reached its limit of open fds.
test_truncated_control_data() {
  KERNEL=()
  begin prlimit --nofile=64:64
  start_vmm_session
  expect_verdict "a request with truncated control data is refused" 'sealed*64' "$SHARE_IMAGE" \
    'STATUS_INSUFFICIENT_RESOURCES none'
  expect_verdict "truncated control data for a method that takes no fds is refused" 'sealed*64' \
    "$LIST" "$INVALID parameters"
  expect_shared "memory that fits into the limit" sealed "$SHARE_IMAGE"
  test_vmm_exit
  expect_clean_stop
}

mkdir "$FORGED" "$DETACHED"
test_this_kernel
test_without_passrights
test_truncated_control_data
finish
