#!/bin/bash
# SPDX-License-Identifier: MIT
#
# To tell which VMs hold GPUs, the examiner fetches fds of their VMMs. Closing them can hang for ever.
# Only the answer about that VMM may suffer from it.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

HOLDERS=$(call io.vaild.Gpu.ListHolders)
GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee

# vm_guid NUMBER: prints the GUID of the VM with this number.
vm_guid() { printf 'aaaaaaaa-0000-4000-8000-%012x' "$1"; }

# mount_hanging MODE FOLDER: mounts a file system that never answers some requests. Sets FUSE to the
# pid of its server.
mount_hanging() {
  mkdir -p "$2"
  "$HELPERS/never-answers" "$1" "$2" 2>"$PRIVATE/fuse.log" &
  FUSE=$!
  is_mounted "$2" "$FUSE"
}

# start_holder USER FILE: starts a process of the user that has the file open. Sets VMM to its pid.
start_holder() {
  exec_as "$1" "$HELPERS/with-fd" open "$2" sleep infinity &
  VMM=$!
  eventually runs_as "$VMM" "$(id -u "$1")" sleep
}

# add_hanging_vm NUMBER USER: registers a VM whose VMM has a file open that never closes.
add_hanging_vm() {
  start_holder "$2" "$PRIVATE/fuse/file"
  [ "$(add_vm "$(vm_guid "$1")" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
}

# Prints the number of child processes of the examiner.
searches() { pgrep --parent "$(pgrep --exact vaild-examiner --parent "$DAEMON")" | wc -l; }
searches_are() { [ "$(searches)" -eq "$1" ]; }

# try_to_register USER: prints the status of a registration. It needs a search for a GPU.
try_to_register() { ask "$1" "$(register "$GUID")" | statuses; }

# completeness GUID: prints whether the VM's VMM could be examined.
completeness() {
  ask root "$(call io.vaild.Gpu.ListHolders "{\"virtualMachineGuid\":\"$1\"}")" |
    field '.parameters.holders[0].complete'
}

test_one_process() {
  local i

  start_holder vail-vmm "$PRIVATE/fuse/file"
  for i in {101..109}; do
    [ "$(add_vm "$(vm_guid "$i")" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  done
  expect_equal "nine VMs of a VMM whose file never closes: each is in the list" 10 \
    "$(ask root "$HOLDERS" | field '.parameters.holders | length')"
  ask vail-carol "$HOLDERS" >/dev/null
  expect_equal "one search of this VMM hangs, and no other begins" 1 "$(searches)"
  expect_equal "the answer about this VMM is not complete" false "$(completeness "$(vm_guid 109)")"
  expect_equal "another VMM of the same user can be examined" true "$(completeness "$GUID")"
}

test_many_processes() {
  local i

  for i in {1..20}; do
    add_hanging_vm "$i" vail-alice
  done
  for i in {1..3}; do
    expect_equal "20 VMMs of a user whose files never close: list $i has each" 30 \
      "$(ask root "$HOLDERS" | field '.parameters.holders | length')"
  done
  expect_equal "another user's VMM can be examined" true "$(completeness "$GUID")"
  expect_equal "the operator who asked can be searched" "$ROOT_BEFORE" "$(try_to_register root)"
  expect_equal "the user of these VMMs can be searched" "$ALICE_BEFORE" \
    "$(try_to_register vail-alice)"
}

test_end() {
  kill_and_wait "$FUSE"
  expect "the searches end with the file system" eventually searches_are 0
  expect_equal "the VMMs can be examined again" true "$(completeness "$(vm_guid 1)")"
}

echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
if [ ! -c /dev/fuse ]; then
  skip "$NAME" "this machine has no /dev/fuse"
  finish
fi
mount_hanging flush "$PRIVATE/fuse" || {
  skip "$NAME" "$(cat "$PRIVATE/fuse.log")"
  finish
}
start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
ROOT_BEFORE=$(try_to_register root)
ALICE_BEFORE=$(try_to_register vail-alice)
test_one_process
test_many_processes
test_end
kill_and_wait "$DAEMON"
finish
