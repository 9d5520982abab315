#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that a process registered for a VM can open an object that the VM shares, and that other
# processes cannot. Two processes of two users share one memfd without a copy, through libvail and
# the daemon.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd

vailctl_as() {
  local user=$1
  shift
  run_as "$user" "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"
}

# Sets HANDLE to the object that the VMM shares.
check_sharing() {
  local inode

  session_open_with vmm vail-vmm "$HELPERS/share-object" "$SOCKET" "$GUID"
  expect_equal "the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  session_ask vmm "share read memory"
  read -r STATUS HANDLE inode <<<"$REPLY"
  expect_equal "the VMM shares an image" STATUS_SUCCESS "$STATUS"
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  expect_reply "the display client may not open the image before it registers" \
    STATUS_ACCESS_DENIED viewer "open $HANDLE"
  expect_reply "the display client registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_reply "the registered display client opens the same memfd, read-only" \
    "STATUS_SUCCESS $inode:read" viewer "open $HANDLE"
  expect_reply "the VMM writes to the image" STATUS_SUCCESS vmm "write 0 a guest's pixels"
  expect_reply "the display client reads what the VMM wrote" "STATUS_SUCCESS a guest's pixels" \
    viewer "read 0"
}

check_reports() {
  expect_match "vailctl objects lists the image with its width" "$HANDLE .*64" \
    "$(vailctl_as root --json objects | jq -r \
      '.sharedObjects[] | "\(.handle) \(.object.format) \(.object.width) \(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect_match "memory that libvail allocated is reported as sealed" "true true" \
    "$(vailctl_as root --json objects | jq -r \
      '.sharedObjects[] | "\(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect_match "vailctl holders lists the display client" "${SESSION_PID[viewer]}" \
    "$(vailctl_as root holders "$HANDLE")"
  expect_equal "another user sees no objects" 0 \
    "$(vailctl_as vail-bob --json objects | jq '.sharedObjects | length')"
  expect "vailctl save writes the image as a PNG file" \
    quietly vailctl_as vail-alice save "$HANDLE" "$PRIVATE/pictures/image.png"
  expect_equal "the PNG header has the size of the image" "64 32" \
    "$(png_size "$PRIVATE/pictures/image.png")"
  expect "the log has the denied call with its reason" \
    grep -q "denied io.vaild.OpenSharedObject .*reason=notRegistered" "$LOG"
  expect "the log has the allowed call with the object's VM" \
    grep -q "allowed io.vaild.OpenSharedObject vm=$GUID" "$LOG"
}

quietly() { "$@" >/dev/null 2>&1; }

check_denials() {
  local request

  request=$(call io.vaild.OpenSharedObject "{\"handle\":\"$HANDLE\"}")
  expect_equal "another user may not open the image" "STATUS_ACCESS_DENIED" \
    "$(ask vail-bob "$request" | statuses)"
  expect_equal "root may not open the image" "STATUS_ACCESS_DENIED" \
    "$(ask root "$request" | statuses)"
  expect_equal "an unregistered process of the display client's user may not open the image" \
    "STATUS_ACCESS_DENIED" "$(ask vail-alice "$request" | statuses)"
  expect_equal "the display client's user may not share objects" "STATUS_ACCESS_DENIED" \
    "$(ask vail-alice \
      "$(call io.vaild.ShareObjectWithHost "{\"virtualMachineGuid\":\"$GUID\",\"object\":{\"type\":\"fence\",\"access\":\"read\"}}")" | statuses)"
}

check_end() {
  expect_reply "unsharing the image reports its one holder" "STATUS_SUCCESS 1" vmm unshare
  expect_equal "an unshared image cannot be opened" "STATUS_INVALID_HANDLE" "$(ask vail-alice \
    "$(call io.vaild.OpenSharedObject "{\"handle\":\"$HANDLE\"}")" | statuses)"
  expect_reply "the holder can still read an unshared image" "STATUS_SUCCESS a guest's pixels" \
    viewer "read 0"
  expect_reply "the holder can close an unshared image" STATUS_SUCCESS viewer close
  session_kill viewer
  session_kill vmm
  expect "the daemon has as many fds as at the beginning" eventually open_fds_are "$FDS_BEFORE"
}

mkdir -m 777 "$PRIVATE/pictures"
start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
FDS_BEFORE=$(idle_descriptors)
check_sharing
check_reports
check_denials
check_end
expect_clean_stop
finish
