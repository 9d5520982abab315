#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A VMM shares memory with an unsealed size, as QEMU does. Later it truncates or grows the memory, or
# removes the permission to open it. A reader that uses libvail gets bytes or an error, never a
# signal. The daemon charges the size that it last saw.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=5eed5eed-5eed-4eed-8eed-5eed5eed5eed
NAMED="{\"virtualMachineGuid\":\"$GUID\"}"
SIZE=8192
TEBIBYTE=1099511627776

SHARE_IMAGE=$(call io.vaild.ShareObjectWithHost "{\"virtualMachineGuid\":\"$GUID\",\"object\":{
  \"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32,\"format\":\"XR24\",
  \"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":256}]}}" | tr -d '\n')

## The clients

# command_vmm COMMAND [EXPECTED]: makes talk-with-fds change its memory, and checks that it prints
# EXPECTED, or "done" if left out.
command_vmm() {
  session_ask vmm "$1"
  expect_equal "the VMM's command '$1' returns ${2:-done}" "${2:-done}" "$REPLY"
}

# on_object METHOD: prints a request about the object in HANDLE.
on_object() { call "io.vaild.$1" "{\"handle\":\"$HANDLE\"}"; }

# Makes the VMM share its memory. Sets HANDLE.
share_memory() {
  session_ask vmm "own $SHARE_IMAGE"
  HANDLE=$(field .parameters.sharedObject.handle <<<"$REPLY")
}

# expect_open CHECK "STATUS SIZE|LIMIT": opens the object as a registered process, and checks the
# status and the size of the memory, or the status and the name of the limit.
expect_open() {
  session_ask opener "$(on_object OpenSharedObject)"
  expect_equal "$1" "$2" "$(field '.parameters |
    "\(.status) \(.memory.sizeInBytes // .limit)"' <<<"$REPLY")"
}

# find_line SESSION WORD: reads up to the next line that contains WORD. Sets VALUE to the text after
# it, or to "no such line" at the end of the output.
find_line() {
  local line

  VALUE="no such line"
  while IFS= read -r -u "${SESSION_OUT[$1]}" line; do
    [[ $line == *"$2"* ]] || continue
    VALUE=${line#*"$2"}
    return
  done
}

# start_viewer NAME: starts open-object, registers it and opens the object. Sets STATUS.
start_viewer() {
  session_open_with "$1" vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  session_ask "$1" register
  session_ask "$1" "open $HANDLE"
  STATUS=${REPLY%% *}
}

# read_memory NAME: reads the beginning of the object through libvail. Sets STATUS, and VALUE to the
# text that it read.
read_memory() {
  session_ask "$1" "read 0"
  STATUS=${REPLY%% *}
  VALUE=${REPLY#* }
}

# expect_read CHECK STATUS: checks the status when the viewer reads.
expect_read() {
  read_memory viewer
  expect_equal "$1" "$2" "$STATUS"
}

# Prints the charged objects, the charged mebibytes, and the number of shared objects, as an operator
# sees them.
charges() {
  ask root "$(call io.vaild.Monitor.GetStatus)" | field '.parameters |
    (.limits | map({(.name): .used}) | add) as $used |
    "\($used.objects) \($used.objectMebibytes) \(.sharedObjects)"'
}

# expect_charged CHECK OBJECTS MEBIBYTES
expect_charged() {
  expect_equal "$1: $2 objects and $3 MiB are charged" "$2 $3 $2" "$(charges)"
}

# Starts the VMM, a registered process and a watcher. Sets BEFORE to the daemon's number of fds.
start_clients() {
  session_open_with vmm vail-vmm "$HELPERS/talk-with-fds" "$SOCKET"
  eventually runs_as "${SESSION_PID[vmm]}" 947 talk-with-fds
  expect_equal "the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  session_open opener vail-alice
  session_ask opener "$CONTEXT"
  session_status opener "$(register "$GUID")"
  expect_equal "a process registers for the VM" STATUS_SUCCESS "$STATUS"
  session_open watcher root
  session_ask watcher "{\"method\":\"io.vaild.Watch\",\"more\":true,\"parameters\":$NAMED}"
  BEFORE=$(idle_descriptors)
}

## The changes

test_unchanged_memory() {
  command_vmm "write a guest's pixels"
  share_memory
  expect_equal "the reply says that the size is not sealed and the access not enforced" \
    "STATUS_SUCCESS $SIZE false false" \
    "$(field '.parameters | .sharedObject.memory as $memory |
      "\(.status) \($memory.sizeInBytes) \($memory.sizeSealed) \($memory.accessEnforced)"' \
      <<<"$REPLY")"
  start_viewer viewer
  expect_equal "a viewer opens the object through libvail" STATUS_SUCCESS "$STATUS"
  expect_read "the viewer reads the memory" STATUS_SUCCESS
  expect_equal "the viewer sees the bytes that the VMM wrote" "a guest's pixels" "$VALUE"
  expect_open "a second process opens the object" "STATUS_SUCCESS $SIZE"
  expect_charged "unchanged memory" 1 1
}

# The only seal of the memory is F_SEAL_SEAL, as with QEMU, so that its size cannot be sealed later.
test_later_seals() {
  command_vmm "seal 2" EPERM
  command_vmm "seal 14" EPERM
}

test_truncated_memory() {
  command_vmm "truncate 0"
  expect_read "truncated memory: the viewer gets an error" STATUS_INVALID_DEVICE_STATE
  expect_open "truncated memory: the object can be opened" "STATUS_SUCCESS 0"
  expect_charged "truncated memory" 1 0
  start_viewer late
  expect_equal "truncated memory: the object can be opened through libvail" STATUS_SUCCESS "$STATUS"
  read_memory late
  expect_equal "truncated memory: a viewer that opened it afterwards cannot read" \
    STATUS_INVALID_PARAMETER "$STATUS"
  session_kill late
  command_vmm "truncate 4096"
  expect_read "the viewer reads again after the memory has a page again" STATUS_SUCCESS
}

# The viewer reads while the VMM truncates the memory and restores its size in a loop.
test_flickering_memory() {
  local statuses=''

  echo "flicker 300000" >&"${SESSION_IN[vmm]}"
  for _ in {1..300}; do
    read_memory viewer
    statuses+="$STATUS"$'\n'
  done
  IFS= read -r -u "${SESSION_OUT[vmm]}" REPLY
  expect_equal "flickering memory: the VMM changes the size" "done" "$REPLY"
  expect_equal "flickering memory: each read returns bytes or an error" 0 \
    "$(grep -cvE '^(STATUS_SUCCESS|STATUS_INVALID_DEVICE_STATE)?$' <<<"$statuses" || true)"
  expect_match "flickering memory: some reads return bytes" STATUS_SUCCESS "$statuses"
  expect_read "flickering memory: the viewer survives" STATUS_SUCCESS
}

test_growing_memory() {
  command_vmm "truncate $((3 << 20))"
  expect_charged "grown memory that is not opened again" 1 0
  expect_open "grown memory within the limit can be opened" "STATUS_SUCCESS $((3 << 20))"
  expect_charged "grown memory within the limit" 1 3
  command_vmm "truncate $TEBIBYTE"
  expect_read "grown memory beyond the limit: the viewer still reads" STATUS_SUCCESS
  expect_open "grown memory beyond the limit cannot be opened" \
    "STATUS_QUOTA_EXCEEDED objectMebibytesPerMachine"
  find_line watcher '"kind":"unshared"'
  expect_match "a watcher is notified that the object was unshared, and why" \
    STATUS_QUOTA_EXCEEDED "$VALUE"
  expect_charged "an unshared object" 0 0
  session_status opener "$(on_object OpenSharedObject)"
  expect_equal "an unshared object cannot be opened" STATUS_INVALID_HANDLE "$STATUS"
  session_status vmm "- $(on_object UpdateObject)"
  expect_equal "an unshared object cannot be updated" STATUS_INVALID_HANDLE "$STATUS"
}

test_holders() {
  local in=${SESSION_IN[viewer]}

  expect_read "a holder still reads an unshared object" STATUS_SUCCESS
  session_status opener "$(on_object CloseSharedObject)"
  expect_equal "a holder closes an unshared object" STATUS_SUCCESS "$STATUS"
  kill_and_wait "${SESSION_PID[viewer]}"
  exec {in}>&-
  expect "the daemon closes the fds of an object without holders" eventually \
    open_fds_are "$BEFORE"
}

test_sharing_again() {
  share_memory
  expect_equal "memory beyond the limit cannot be shared" STATUS_QUOTA_EXCEEDED \
    "$(statuses <<<"$REPLY")"
  expect_charged "memory beyond the limit" 0 0
  expect "the daemon closes the fds of memory beyond the limit" eventually \
    open_fds_are "$BEFORE"
  command_vmm "truncate $SIZE"
  share_memory
  expect_equal "memory truncated to its first size can be shared" STATUS_SUCCESS \
    "$(statuses <<<"$REPLY")"
  expect_charged "memory shared again" 1 1
}

test_file_mode() {
  command_vmm "mode 0"
  session_ask opener "$(on_object OpenSharedObject)"
  expect_equal "memory whose mode forbids it cannot be opened" STATUS_OBJECT_TYPE_MISMATCH \
    "$(statuses <<<"$REPLY")"
  expect_match "the error message names the mode" "mode" "$(field .parameters.message <<<"$REPLY")"
  expect_equal "a process that could not open the object is no holder" 0 \
    "$(ask root "$(call io.vaild.ListSharedObjects)" |
      field '.parameters.sharedObjects[0].holders | length')"
  command_vmm "mode 438" # 0666
  expect_open "memory with its first mode can be opened" "STATUS_SUCCESS $SIZE"
}

test_end() {
  session_kill vmm
  session_kill opener
  session_kill watcher
  expect "the daemon closes all fds of the clients" eventually open_fds_are "$AT_START"
  expect_charged "after the clients have exited" 0 0
}

echo '{"limits":{"objectMebibytesPerMachine":4}}' >"$CONFIG/vaild.json"
start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
AT_START=$(idle_descriptors)
start_clients
test_unchanged_memory
test_later_seals
test_truncated_memory
test_flickering_memory
test_growing_memory
test_holders
test_sharing_again
test_file_mode
test_end
expect_clean_stop
finish
