#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A VMM shares memory that is huge but sparse. vaild, vailctl save and vail-view need neither memory
# nor disk space for its holes, and images that are too large are refused with an error that says so.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=7e2a7e2a-7e2a-4e2a-8e2a-7e2a7e2a7e2a
GIB=$((1 << 30))
TIB=$((1 << 40))
PICTURES=$PRIVATE/pictures

# The programs may use this many bytes of address space, much less than the objects have.
BOUNDED=(prlimit --as=$((256 << 20)) --fsize=$((1 << 20)))

# share WIDTH HEIGHT STRIDE OFFSET: shares the VMM's memory as an image. Sets STATUS and HANDLE.
share() {
  local object

  object=$(printf '"type":"resource","access":"read","width":%d,"height":%d,"format":"XR24",' "$1" "$2")
  object+=$(printf '"planes":[{"fileDescriptor":0,"stride":%d,"offset":%d}]' "$3" "$4")
  session_status vmm "own $(call io.vaild.ShareObjectWithHost \
    "{\"virtualMachineGuid\":\"$GUID\",\"object\":{$object}}")"
  HANDLE=$(field '.parameters.sharedObject.handle // empty' <<<"$REPLY")
}

unshare() { session_ask vmm "- $(call io.vaild.UnshareObject "{\"handle\":\"$HANDLE\"}")"; }

# resize BYTES
resize() {
  session_ask vmm "truncate $1"
  expect_equal "the memory has $1 bytes" "done" "$REPLY"
}

# Prints the number of blocks that the VMM's memory really uses.
used_blocks() {
  local file

  for file in /proc/"${SESSION_PID[vmm]}"/fd/*; do
    [[ $(readlink "$file") != /memfd:* ]] || stat -L -c %b "$file"
  done
}

# run_bounded EXPECTED-STATUS CHECK COMMAND...: runs a program of vail-alice. Sets SAID to its output.
run_bounded() {
  local expected=$1 check=$2 status=0
  shift 2
  SAID=$(cd "$PICTURES" && run_as vail-alice "${BOUNDED[@]}" "$@" 2>&1 </dev/null) || status=$?
  expect_equal "$check" "$expected" "$status"
}

# expect_too_large CHECK: checks that both programs refuse the object, and leave no file.
expect_too_large() {
  run_bounded 1 "$1: vailctl save fails" "${CTL[@]}" save "$HANDLE" saved.png
  expect_match "$1: vailctl save says why" 'only images of 4 bytes to 1 GiB' "$SAID"
  : >"$PRIVATE/said" # the subshell may empty it later than the first look at it
  (cd "$PICTURES" && exec_as vail-alice "${BOUNDED[@]}" "${VIEW[@]}" "$GUID" --png viewed.png) \
    2>"$PRIVATE/said" &
  expect "$1: vail-view says why" eventually_unless_gone $! \
    grep -q 'only images of 4 bytes to 1 GiB' "$PRIVATE/said"
  kill_and_wait $!
  expect_equal "$1: neither leaves a file" "" "$(ls -A "$PICTURES")"
}

test_quota() {
  resize "$TIB"
  share 64 32 256 0
  expect_equal "an object of 1 TiB is refused" STATUS_QUOTA_EXCEEDED "$STATUS"
  expect_equal "the error names the limit" objectMebibytesPerMachine \
    "$(field .parameters.limit <<<"$REPLY")"
}

test_huge_image() {
  resize $((16 * GIB))
  share 65536 65536 262144 0
  expect_equal "an image of 16 GiB is shared" STATUS_SUCCESS "$STATUS"
  expect_too_large "an image of 16 GiB"
  unshare
  share 64 2 $((8 * GIB)) 0
  expect_equal "an image with rows of 8 GiB is shared" STATUS_SUCCESS "$STATUS"
  expect_too_large "an image with rows of 8 GiB"
  unshare
}

# The image itself is small, and the rest of the memory is never read.
test_small_image() {
  resize $((30 * GIB))
  share 64 32 256 $((29 * GIB))
  expect_equal "a small image in 30 GiB of memory is shared" STATUS_SUCCESS "$STATUS"
  run_bounded 0 "a small image in 30 GiB: vailctl save succeeds" "${CTL[@]}" save "$HANDLE" saved.png
  run_bounded 0 "a small image in 30 GiB: vail-view succeeds" "${VIEW[@]}" "$GUID" --png viewed.png
  expect_equal "a small image in 30 GiB: both pictures have its size" "64 32 64 32" \
    "$(png_size "$PICTURES/saved.png") $(png_size "$PICTURES/viewed.png")"
}

install -d -m 777 "$PICTURES"
cp "$ROOT/build/vail-view" "$PRIVATE/build/"
VIEW=("$PRIVATE/build/vail-view" --socket "$SOCKET")
start_daemon
session_open_with vmm vail-vmm "$HELPERS/talk-with-fds" "$SOCKET"
expect_equal "the VM is registered" STATUS_SUCCESS \
  "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
assign_gpu "$GUID" >/dev/null
session_ask vmm "- $(call io.vaild.ListRegistrations)"
test_quota
test_huge_image
test_small_image
expect_equal "the memory still uses nothing" 0 "$(used_blocks)"
expect_clean_stop
finish
