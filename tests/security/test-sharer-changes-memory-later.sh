#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A VMM shares memory whose size nobody has sealed, as QEMU does, and then truncates it, lets it
# grow, and forbids it to be opened. Who reads by libvail gets bytes or an error, and no signal; the
# daemon's books are those of what it saw last.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=5eed5eed-5eed-4eed-8eed-5eed5eed5eed
NAMED="{\"virtualMachineGuid\":\"$GUID\"}"
SIZE=8192
TEBIBYTE=1099511627776

IMAGE=$(call io.vaild.ShareObjectWithHost "{\"virtualMachineGuid\":\"$GUID\",\"object\":{
  \"type\":\"resource\",\"access\":\"read\",\"width\":64,\"height\":32,\"format\":\"XR24\",
  \"planes\":[{\"fileDescriptor\":0,\"offset\":0,\"stride\":256}]}}" | tr -d '\n')

## The parties

# The VMM does something to its memory.
vmm() {
  session_ask vmm "$1"
  expect_equal "the VMM: $1" "${2:-done}" "$REPLY"
}

with_handle() { call "io.vaild.$1" "{\"handle\":\"$HANDLE\"}"; }

share_what_is_kept() {
  session_ask vmm "kept $IMAGE"
  HANDLE=$(field .parameters.sharedObject.handle <<<"$REPLY")
}

# The answer to one who is registered: its status and a further field.
opens() {
  session_ask opener "$(with_handle OpenSharedObject)"
  expect_equal "$1" "$2" "$(field '.parameters |
    "\(.status) \(.memory.sizeInBytes // .limit)"' <<<"$REPLY")"
}

# hear SESSION WORD: the next line that has the word; VALUE is what follows.
hear() {
  local line

  VALUE="nothing more"
  while IFS= read -r -u "${SESSION_OUT[$1]}" line; do
    [[ $line == *"$2"* ]] || continue
    VALUE=${line#*"$2"}
    return
  done
}

# start_viewer NAME: registers and opens the object by libvail; the status is in STATUS.
start_viewer() {
  session_open_with "$1" vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  session_ask "$1" register
  session_ask "$1" "open $HANDLE"
  STATUS=${REPLY%% *}
}

# reads NAME: from the object's first byte on; the status is in STATUS, the text in VALUE.
reads() {
  session_ask "$1" "read 0"
  STATUS=${REPLY%% *}
  VALUE=${REPLY#* }
}

# viewer_reads CHECK STATUS
viewer_reads() {
  reads viewer
  expect_equal "$1" "$2" "$STATUS"
}

# What an operator is told: objects and mebibytes that are charged, and objects that there are.
books() {
  ask root "$(call io.vaild.Monitor.GetStatus)" | field '.parameters | (.limits | map({(.name): .used})
    | add) as $used | "\($used.objects) \($used.objectMebibytes) \(.sharedObjects)"'
}

# books_are CHECK OBJECTS MEBIBYTES
books_are() {
  expect_equal "$1: the books" "$2 $3 $2" "$(books)"
}

set_up() {
  session_open_with vmm vail-vmm "$HELPERS/talk-with-fds" "$SOCKET"
  eventually runs_as "${SESSION_PID[vmm]}" 947 talk-with-fds
  expect_equal "the VM" STATUS_SUCCESS "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  session_open opener vail-alice
  session_ask opener "$CONTEXT"
  session_status opener "$(register "$GUID")"
  expect_equal "one who opens" STATUS_SUCCESS "$STATUS"
  session_open watcher root
  session_ask watcher "{\"method\":\"io.vaild.Watch\",\"more\":true,\"parameters\":$NAMED}"
  BEFORE=$(descriptors)
}

## What happens

as_it_was_shared() {
  vmm "write a guest's pixels"
  share_what_is_kept
  expect_equal "its size is known not to be sealed" "STATUS_SUCCESS $SIZE false false" \
    "$(field '.parameters | .sharedObject.memory as $memory |
      "\(.status) \($memory.sizeInBytes) \($memory.sizeSealed) \($memory.accessEnforced)"' <<<"$REPLY")"
  start_viewer viewer
  expect_equal "a viewer opens it by libvail" STATUS_SUCCESS "$STATUS"
  viewer_reads "and reads" STATUS_SUCCESS
  expect_equal "what the VMM wrote" "a guest's pixels" "$VALUE"
  opens "another opens it" "STATUS_SUCCESS $SIZE"
  books_are "as it was shared" 1 1
}

seals() {
  vmm "seal 2" EPERM
  vmm "seal 14" EPERM
}

it_is_cut() {
  vmm "truncate 0"
  viewer_reads "cut: the viewer is told" STATUS_INVALID_DEVICE_STATE
  opens "cut: it can be opened" "STATUS_SUCCESS 0"
  books_are "cut" 1 0
  start_viewer late
  expect_equal "cut: by libvail, too" STATUS_SUCCESS "$STATUS"
  reads late
  expect_equal "cut: who opens it then is told" STATUS_INVALID_PARAMETER "$STATUS"
  session_kill late
  vmm "truncate 4096"
  viewer_reads "a page is back: the viewer reads" STATUS_SUCCESS
}

# Reads while the memory comes and goes: bytes or an error, never a signal.
it_flickers() {
  local statuses=''

  echo "flicker 300000" >&"${SESSION_IN[vmm]}"
  for _ in {1..300}; do
    reads viewer
    statuses+="$STATUS"$'\n'
  done
  IFS= read -r -u "${SESSION_OUT[vmm]}" REPLY
  expect_equal "flickering: the VMM" "done" "$REPLY"
  expect_equal "flickering: bytes or an error" 0 \
    "$(grep -cvE '^(STATUS_SUCCESS|STATUS_INVALID_DEVICE_STATE)?$' <<<"$statuses" || true)"
  expect_match "flickering: some were bytes" STATUS_SUCCESS "$statuses"
  viewer_reads "flickering: the viewer lives" STATUS_SUCCESS
}

it_grows() {
  vmm "truncate $((3 << 20))"
  books_are "grown: before it is opened again" 1 0
  opens "grown within the budget: it is opened" "STATUS_SUCCESS $((3 << 20))"
  books_are "grown within the budget" 1 3
  vmm "truncate $TEBIBYTE"
  viewer_reads "grown out of all bounds: the viewer reads" STATUS_SUCCESS
  opens "grown out of all bounds: nobody opens it" "STATUS_QUOTA_EXCEEDED objectMebibytesPerMachine"
  hear watcher '"kind":"unshared"'
  expect_match "it is unshared, and watchers are told why" STATUS_QUOTA_EXCEEDED "$VALUE"
  books_are "it is unshared" 0 0
  session_status opener "$(with_handle OpenSharedObject)"
  expect_equal "it is no more" STATUS_INVALID_HANDLE "$STATUS"
  session_status vmm "- $(with_handle UpdateObject)"
  expect_equal "nor for its VMM" STATUS_INVALID_HANDLE "$STATUS"
}

holders_keep_what_they_have() {
  local in=${SESSION_IN[viewer]}

  viewer_reads "the viewer reads still" STATUS_SUCCESS
  session_status opener "$(with_handle CloseSharedObject)"
  expect_equal "a holder closes" STATUS_SUCCESS "$STATUS"
  kill_hard "${SESSION_PID[viewer]}"
  exec {in}>&-
  expect "nothing is kept" eventually descriptors_are "$BEFORE"
}

shared_again() {
  share_what_is_kept
  expect_equal "too large, it is not shared again" STATUS_QUOTA_EXCEEDED "$(statuses <<<"$REPLY")"
  books_are "too large" 0 0
  expect "too large: nothing is kept" eventually descriptors_are "$BEFORE"
  vmm "truncate $SIZE"
  share_what_is_kept
  expect_equal "cut to its size, it is" STATUS_SUCCESS "$(statuses <<<"$REPLY")"
  books_are "shared again" 1 1
}

its_mode_forbids() {
  vmm "mode 0"
  session_ask opener "$(with_handle OpenSharedObject)"
  expect_equal "with a mode that forbids it, it is not opened" STATUS_OBJECT_TYPE_MISMATCH \
    "$(statuses <<<"$REPLY")"
  expect_match "and that is said" "mode" "$(field .parameters.message <<<"$REPLY")"
  expect_equal "who did not open it is no holder" 0 "$(ask root "$(call io.vaild.ListSharedObjects)" |
    field '.parameters.sharedObjects[0].holders | length')"
  vmm "mode 438" # 0666
  opens "with its mode back, it is" "STATUS_SUCCESS $SIZE"
}

it_ends() {
  session_kill vmm
  session_kill opener
  session_kill watcher
  expect "all is given back" eventually descriptors_are "$AT_START"
  books_are "at the end" 0 0
}

echo '{"limits":{"objectMebibytesPerMachine":4}}' >"$CONFIG/vaild.json"
start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
AT_START=$(descriptors)
set_up
as_it_was_shared
seals
it_is_cut
it_flickers
it_grows
holders_keep_what_they_have
shared_again
its_mode_forbids
it_ends
expect_clean_stop
finish
