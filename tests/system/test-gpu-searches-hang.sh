#!/bin/bash
# SPDX-License-Identifier: MIT
#
# To tell which VMs hold GPUs, the examiner fetches fds of their VMMs. Closing them can hang for ever,
# and so can a driver that it asks. Only the answer about that VMM may suffer from it.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

HOLDERS=$(call io.vaild.Gpu.ListHolders)
GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee
FUNCTION=0000:00:02.1

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

# try_to_register USER: prints the status of a registration. A search finds that the process has no
# GPU, so it is refused with STATUS_INVALID_DISPOSITION.
try_to_register() { ask "$1" "$(register "$GUID")" | statuses; }

# completeness GUID: prints whether the VM's VMM could be examined.
completeness() {
  ask root "$(call io.vaild.Gpu.ListHolders "{\"virtualMachineGuid\":\"$1\"}")" |
    field '.parameters.holders[0].complete'
}

is_complete() { [ "$(completeness "$1")" = true ]; }

test_one_process() {
  local i

  start_holder vail-vmm "$PRIVATE/fuse/file"
  for i in {101..109}; do
    [ "$(add_vm "$(vm_guid "$i")" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  done
  expect_equal "nine VMs of a VMM whose file never closes: each is in the list" 10 \
    "$(ask root "$HOLDERS" | field '.parameters.holders | length')"
  ask vail-carol "$HOLDERS" >/dev/null
  expect "not all nine searches of this VMM begin and hang" [ "$(searches)" -lt 8 ]
  expect_equal "the answer about this VMM is not complete" false "$(completeness "$(vm_guid 109)")"
  expect "another VMM of the same user can be examined" eventually is_complete "$GUID"
}

test_many_processes() {
  local i

  for i in {1..20}; do
    add_hanging_vm "$i" vail-alice
  done
  for i in {1..3}; do
    expect_equal "20 VMMs of a user whose files never close: list $i has each" 30 \
      "$(ask vail-carol "$HOLDERS" | field '.parameters.holders | length')"
  done
  expect "another user's VMM can be examined" eventually is_complete "$GUID"
  expect_equal "the operator who asked can be searched" STATUS_INVALID_DISPOSITION \
    "$(try_to_register vail-carol)"
  expect_equal "the user of these VMMs can be searched" STATUS_INVALID_DISPOSITION \
    "$(try_to_register vail-alice)"
}

test_end() {
  kill_and_wait "$FLUSH"
  expect "the searches end with the file system" eventually searches_are 0
  expect "the VMMs can be examined again" eventually is_complete "$(vm_guid 1)"
}

# connections_are NUMBER: tests whether the daemon has this number of connections besides the one that
# asks.
connections_are() {
  [ "$(ask root "$(call io.vaild.Monitor.GetStatus)" | field '.parameters.connections')" = $(($1 + 1)) ]
}

# The VMM has a VFIO group open, with a function whose driver never answers.
test_client_that_closes() {
  local client first

  mkdir -p /sys/dev/char /sys/kernel/iommu_groups/12/devices /sys/bus/pci/devices
  ln -s ../../devices/virtual/vfio/12 /sys/dev/char/1:5
  touch "/sys/kernel/iommu_groups/12/devices/$FUNCTION"
  mount_hanging questions "/sys/bus/pci/devices/$FUNCTION"
  start_holder vail-vmm /dev/zero
  first=$VMM
  [ "$(add_vm "$(vm_guid 201)" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  start_holder vail-vmm /dev/zero
  [ "$(add_vm "$(vm_guid 202)" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  exec_as vail-carol "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" <<<"$HOLDERS" &
  client=$!
  expect "a driver that never answers: the search hangs" eventually searches_are 1
  kill_and_wait "$client"
  expect "the client closes: its connection ends" eventually connections_are 0
  expect_equal "no further VMM is examined for it" 1 "$(searches)"
  kill_and_wait "$FUSE"
  expect "the search ends with the driver" eventually searches_are 0
  kill_and_wait "$first"
  kill_and_wait "$VMM"
  expect "both VMs have ended" eventually running_vms_are ""
}

mount -t tmpfs tmpfs /sys
echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
if [ ! -c /dev/fuse ]; then
  skip "$NAME" "this machine has no /dev/fuse"
  finish
fi
mount_hanging flush "$PRIVATE/fuse" || {
  skip "$NAME" "$(cat "$PRIVATE/fuse.log")"
  finish
}
FLUSH=$FUSE
start_daemon
test_client_that_closes
ready_vm "$GUID" "$ALICE_CLIENT,{\"user\":\"vail-carol\"}"
test_one_process
test_many_processes
test_end
kill_and_wait "$DAEMON"
finish
