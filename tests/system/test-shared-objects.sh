#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a VM shares reaches the process that is registered for it, and nobody else: two processes of
# two users, through libvail and the real daemon, one memory, no copy.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd

vailctl_as() {
  local user=$1
  shift
  run_as "$user" "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"
}

one_memory() {
  local inode

  session_open_with vmm vail-vmm "$HELPERS/share-object" "$SOCKET" "$GUID"
  expect_equal "the VM" STATUS_SUCCESS "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  session_ask vmm "share read memory"
  read -r STATUS HANDLE inode <<<"$REPLY"
  expect_equal "its VMM shares an image" STATUS_SUCCESS "$STATUS"
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  expect_reply "the display client does not open it unregistered" STATUS_ACCESS_DENIED \
    viewer "open $HANDLE"
  expect_reply "it is registered" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_reply "and opens it: the same memory, for reading alone" "STATUS_SUCCESS $inode:read" \
    viewer "open $HANDLE"
  expect_reply "what the VMM writes" STATUS_SUCCESS vmm "write 0 a guest's pixels"
  expect_reply "the viewer reads" "STATUS_SUCCESS a guest's pixels" viewer "read 0"
}

what_is_told() {
  expect_match "vailctl lists it" "$HANDLE .*64" "$(vailctl_as root --json objects | jq -r \
    '.sharedObjects[] | "\(.handle) \(.object.format) \(.object.width) \(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect_match "sealed, as libvail seals it" "true true" "$(vailctl_as root --json objects | jq -r \
    '.sharedObjects[] | "\(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect_match "and who holds it" "${SESSION_PID[viewer]}" "$(vailctl_as root holders "$HANDLE")"
  expect_equal "to others there is nothing" 0 \
    "$(vailctl_as vail-bob --json objects | jq '.sharedObjects | length')"
  expect "vailctl saves it as a picture" \
    quietly vailctl_as vail-alice save "$HANDLE" "$PRIVATE/pictures/image.png"
  expect_equal "of its size, as its header has it" "64 32" \
    "$(png_size "$PRIVATE/pictures/image.png")"
  expect "the journal has the refusal and the open" \
    grep -q "denied io.vaild.OpenSharedObject .*reason=notRegistered" "$LOG"
  expect "with the object's VM" grep -q "allowed io.vaild.OpenSharedObject vm=$GUID" "$LOG"
}

quietly() { "$@" >/dev/null 2>&1; }

refused() {
  local request

  request=$(call io.vaild.OpenSharedObject "{\"handle\":\"$HANDLE\"}")
  expect_equal "another user opens nothing" "STATUS_ACCESS_DENIED" "$(ask vail-bob "$request" | statuses)"
  expect_equal "nor does root" "STATUS_ACCESS_DENIED" "$(ask root "$request" | statuses)"
  expect_equal "nor who passes as the display client, unregistered" "STATUS_ACCESS_DENIED" \
    "$(ask vail-alice "$request" | statuses)"
  expect_equal "nor can the client share" "STATUS_ACCESS_DENIED" "$(ask vail-alice \
    "$(call io.vaild.ShareObjectWithHost "{\"virtualMachineGuid\":\"$GUID\",\"object\":{\"type\":\"fence\",\"access\":\"read\"}}")" | statuses)"
}

the_end() {
  expect_reply "unsharing tells who holds it" "STATUS_SUCCESS 1" vmm unshare
  expect_equal "nobody opens it any more" "STATUS_INVALID_HANDLE" "$(ask vail-alice \
    "$(call io.vaild.OpenSharedObject "{\"handle\":\"$HANDLE\"}")" | statuses)"
  expect_reply "what was handed out stays" "STATUS_SUCCESS a guest's pixels" viewer "read 0"
  expect_reply "and is closed by its holder" STATUS_SUCCESS viewer close
  session_kill viewer
  session_kill vmm
  expect "the daemon has the descriptors it had" eventually descriptors_are "$BEFORE"
}

mkdir -m 777 "$PRIVATE/pictures"
start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
BEFORE=$(descriptors)
one_memory
what_is_told
refused
the_end
expect_clean_stop
finish
