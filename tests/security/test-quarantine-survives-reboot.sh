#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A quarantine belongs to a GUID, not to a VM. It can be set before the VM exists, outlives the VM,
# and survives both an orderly end and a crash of the daemon.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd

# set_quarantine USER true|false [REASON]: prints the status.
set_quarantine() {
  ask "$1" "$(call io.vaild.Machine.SetQuarantine \
    "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":$2${3:+,\"reason\":\"$3\"}}")" | statuses
}

# Registers a new process of alice for the VM and prints the status.
register_alice() {
  ask vail-alice "$CONTEXT" "$(register "$GUID")" | tail -n 1 | statuses
}

# Prints the GUID and reason of each quarantine, separated by commas.
list_quarantines() {
  ask root "$(call io.vaild.Machine.ListQuarantines)" |
    field '[.parameters.quarantines[] | "\(.virtualMachineGuid) \(.reason)"] | join(",")'
}

test_set() {
  session_open registered vail-alice
  session_ask registered "$CONTEXT"
  session_status registered "$(register "$GUID")"
  expect_equal "alice registers before the quarantine" STATUS_SUCCESS "$STATUS"
  expect_equal "alice cannot set a quarantine" STATUS_ACCESS_DENIED "$(set_quarantine vail-alice true)"
  expect_equal "an operator can set a quarantine" STATUS_SUCCESS \
    "$(set_quarantine vail-carol true "GPU hang")"
  expect_equal "the quarantine ends the registrations" "" "$(registered_pids)"
  expect_equal "the quarantine refuses a new process" STATUS_ACCESS_DENIED "$(register_alice)"
  session_status registered "$(register "$GUID")"
  expect_equal "the quarantine refuses a process that was registered" STATUS_ACCESS_DENIED "$STATUS"
  expect_equal "the VM's description shows the quarantine" "true GPU hang" "$(ask root "$(call \
    io.vaild.Machine.DescribeVirtualMachine "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '.parameters.virtualMachine | "\(.quarantined) \(.quarantineReason)"')"
}

# test_restart CHECK: starts the daemon again and checks that the quarantine is still in force.
test_restart() {
  start_daemon
  expect_equal "$1: the quarantine is listed" "$GUID GPU hang" "$(list_quarantines)"
  ready_vm "$GUID" "$ALICE_CLIENT"
  expect_equal "$1: the quarantine refuses a registration" STATUS_ACCESS_DENIED "$(register_alice)"
}

test_lift() {
  expect_equal "root can lift the quarantine" STATUS_SUCCESS "$(set_quarantine root false)"
  expect_equal "alice registers after the quarantine" STATUS_SUCCESS "$(register_alice)"
  expect_clean_stop
  start_daemon
  expect_equal "a lifted quarantine does not reappear after a restart" "" "$(list_quarantines)"
}

# A quarantine that cannot be written to the state directory is refused and changes nothing.
test_full_state_directory() {
  if ! mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs "$STATE/quarantine"; then
    skip "a full state directory" "a tmpfs cannot be mounted there"
    return
  fi
  expect_clean_stop
  start_daemon
  expect_equal "full state directory: the quarantine is refused" STATUS_INSUFFICIENT_RESOURCES \
    "$(set_quarantine root true)"
  expect_equal "full state directory: no quarantine is listed" "" "$(list_quarantines)"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
test_set
expect_clean_stop
test_restart "after SIGTERM"
kill_and_wait "$DAEMON"
test_restart "after SIGKILL"
test_lift
test_full_state_directory
expect_clean_stop
finish
