#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A quarantine belongs to the GUID: it is there before the VM, stays when it goes, and survives the
# daemon, however that ends.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd

# set_quarantine USER true|false [REASON]
set_quarantine() {
  ask "$1" "$(call io.vaild.Machine.SetQuarantine \
    "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":$2${3:+,\"reason\":\"$3\"}}")" | statuses
}

alice_registers() {
  ask vail-alice "$CONTEXT" "$(register "$GUID")" | tail -n 1 | statuses
}

quarantines() {
  ask root "$(call io.vaild.Machine.ListQuarantines)" |
    field '[.parameters.quarantines[] | "\(.virtualMachineGuid) \(.reason)"] | join(",")'
}

imposed() {
  session_open registered vail-alice
  session_ask registered "$CONTEXT"
  session_status registered "$(register "$GUID")"
  expect_equal "before: alice registers" STATUS_SUCCESS "$STATUS"
  expect_equal "alice may not impose it" STATUS_ACCESS_DENIED "$(set_quarantine vail-alice true)"
  expect_equal "an operator may" STATUS_SUCCESS "$(set_quarantine vail-carol true "GPU hang")"
  expect_equal "registrations end" "" "$(registered_pids)"
  expect_equal "new ones are refused" STATUS_ACCESS_DENIED "$(alice_registers)"
  session_status registered "$(register "$GUID")"
  expect_equal "to who was registered too" STATUS_ACCESS_DENIED "$STATUS"
  expect_equal "the VM says so" "true GPU hang" "$(ask root "$(call \
    io.vaild.Machine.DescribeVirtualMachine "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '.parameters.virtualMachine | "\(.quarantined) \(.quarantineReason)"')"
}

# restarted CHECK
restarted() {
  start_daemon
  expect_equal "$1: it is there" "$GUID GPU hang" "$(quarantines)"
  ready_vm "$GUID" "$ALICE_CLIENT"
  expect_equal "$1: it refuses" STATUS_ACCESS_DENIED "$(alice_registers)"
}

lifted() {
  expect_equal "lifted" STATUS_SUCCESS "$(set_quarantine root false)"
  expect_equal "lifted: alice registers" STATUS_SUCCESS "$(alice_registers)"
  expect_clean_stop
  start_daemon
  expect_equal "lifted: it does not come back" "" "$(quarantines)"
}

# A state directory that takes no more: nothing has changed then.
not_written() {
  if ! mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs "$STATE/quarantine"; then
    skip "a full state directory" "tmpfs does not mount there"
    return
  fi
  expect_clean_stop
  start_daemon
  expect_equal "not written: refused" STATUS_INSUFFICIENT_RESOURCES "$(set_quarantine root true)"
  expect_equal "not written: nothing has changed" "" "$(quarantines)"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
imposed
expect_clean_stop
restarted "after SIGTERM"
kill_hard "$DAEMON"
restarted "after SIGKILL"
lifted
not_written
expect_clean_stop
finish
