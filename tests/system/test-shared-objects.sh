#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a VM shares reaches the process that is registered for it, and nobody else: two processes of
# two users, through libvail and the real daemon, one memory, no copy.

# shellcheck source=tests/system/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd

vailctl_as() {
  local user=$1
  shift
  run_as "$user" "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"
}

descriptors() { find "/proc/$DAEMON/fd" -mindepth 1 2>/dev/null | wc -l; }
descriptors_are() { [ "$(descriptors)" -eq "$1" ]; }

one_memory() {
  start_program vmm vail-vmm "$TOOLS/share-image" "$SOCKET" "$GUID"
  VMM=$PROGRAM
  expect_equal "the VM" STATUS_SUCCESS "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  tell vmm go
  expect "its VMM shares an image" within 10 said vmm '^inode '
  HANDLE=$(value vmm handle)
  start_program viewer vail-alice "$TOOLS/open-image" "$SOCKET" "$GUID" "$HANDLE"
  VIEWER=$PROGRAM
  expect "the display client opens it" within 10 said viewer '^writable '
  expect_equal "but not before it is registered" \
    "STATUS_ACCESS_DENIED STATUS_SUCCESS STATUS_SUCCESS STATUS_SUCCESS" \
    "$(value viewer open-unregistered) $(value viewer context) $(value viewer register) $(value viewer open)"
  expect_equal "it is the same memory" "$(value vmm inode)" "$(value viewer inode)"
  expect_equal "open for reading alone" 0 "$(value viewer writable)"
  tell vmm "a guest's pixels"
  expect "what the VMM writes" within 10 said vmm '^written'
  tell viewer read
  expect "the viewer reads" within 10 said viewer "^text a guest's pixels"
}

what_is_told() {
  expect_match "vailctl lists it" "$HANDLE .*64" "$(vailctl_as root --json objects | jq -r \
    '.sharedObjects[] | "\(.handle) \(.object.format) \(.object.width) \(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect_match "sealed, as libvail seals it" "true true" "$(vailctl_as root --json objects | jq -r \
    '.sharedObjects[] | "\(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect_match "and who holds it" "$VIEWER" "$(vailctl_as root holders "$HANDLE")"
  expect_equal "to others there is nothing" 0 \
    "$(vailctl_as vail-bob --json objects | jq '.sharedObjects | length')"
  expect "vailctl saves it as a picture" \
    quietly vailctl_as vail-alice save "$HANDLE" "$PRIVATE/pictures/image.png"
  expect_match "of its size" "PNG image data, 64 x 32" "$(file -b "$PRIVATE/pictures/image.png")"
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
  tell vmm unshare
  expect "unsharing tells who holds it" within 10 said vmm '^holders 1'
  expect_equal "nobody opens it any more" "STATUS_INVALID_HANDLE" "$(ask vail-alice \
    "$(call io.vaild.OpenSharedObject "{\"handle\":\"$HANDLE\"}")" | statuses)"
  tell viewer read
  expect "what was handed out stays" within 10 said viewer "^text a guest's pixels"
  local input=${INPUT[viewer]}
  exec {input}>&-
  expect "and is closed by its holder" within 10 said viewer '^close STATUS_SUCCESS'
  kill_hard "$VMM"
  expect "the daemon has the descriptors it had" within 10 descriptors_are "$BEFORE"
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
