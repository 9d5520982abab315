#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the output and the exit status of vailctl against the real daemon. The exit status is 0
# only on STATUS_SUCCESS.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=14141414-1414-4414-8414-141414141414
UNKNOWN=15151515-1515-4515-8515-151515151515

check_administration() {
  local gpu

  start_vmm vail-vmm
  expect_vailctl vail-alice 1 "vm add fails for an ordinary user" vm add "$GUID" --pid "$VMM"
  expect_vailctl root 0 "vm add succeeds" vm add "$GUID" --name demo --pid "$VMM" --user vail-alice
  expect_vailctl root 0 "list succeeds" list
  expect_match "list names the VM" "$GUID" "$SAID"
  expect_vailctl root 0 "list --json succeeds" --json list
  expect "list --json prints valid JSON" jq -e . <<<"$SAID" >/dev/null
  expect_vailctl root 0 "describe succeeds" describe "$GUID"
  expect_match "describe names the display client" vail-alice "$SAID"
  expect_vailctl root 1 "describe fails for an unknown VM" describe "$UNKNOWN"
  expect_match "describe prints the status for an unknown VM" STATUS_NOT_FOUND "$SAID"
  expect_vailctl vail-alice 1 "exec fails for a VM without a vGPU" exec "$GUID" -- true
  expect_vailctl root 0 "vgpu assign succeeds" vgpu assign "$GUID"
  expect_vailctl root 0 "vgpu assign --json succeeds for a second vGPU" --json vgpu assign "$GUID"
  gpu=$(jq -r '.. | strings | select(test("^[0-9a-f]{32}$"))' <<<"$SAID" | head -n 1)
  expect_vailctl root 0 "vgpu remove succeeds" vgpu remove "$gpu"
  expect_vailctl root 1 "vgpu remove fails for a removed vGPU" vgpu remove "$gpu"
}

check_registrations() {
  expect_vailctl vail-alice 0 "exec runs a program that is registered" exec "$GUID" -- sh -c 'echo "$$"'
  expect_vailctl vail-alice 3 "exec returns the exit status of the program" exec "$GUID" -- sh -c 'exit 3'
  expect_vailctl vail-bob 1 "exec fails for another user" exec "$GUID" -- sh -c 'echo ran'
  expect "exec runs nothing for another user" [ "${SAID#*ran}" = "$SAID" ]
  exec_as vail-alice "${CTL[@]}" register "$GUID" --context >/dev/null 2>&1 &
  expect "register holds a registration while it runs" eventually registered_pids_are $!
  kill -INT $!
  expect "the registration of register ends when it is interrupted" eventually registered_pids_are ""
  expect_vailctl vail-bob 1 "register fails for another user" register "$GUID" --context
}

check_gpu_commands() {
  local adapters

  expect_vailctl root 0 "adapters succeeds" adapters
  adapters=$SAID
  expect_vailctl root 0 "gpu adapters succeeds" gpu adapters
  expect_equal "gpu adapters prints the same as adapters" "$adapters" "$SAID"
  expect_vailctl root 2 "gpu without a command is a usage error" gpu
  expect_vailctl root 2 "gpu with an unknown command is a usage error" gpu nonsense
  expect_vailctl root 2 "gpu map without a process is a usage error" gpu map
  expect_vailctl root 1 "gpu map fails for an unknown process" gpu map 00000000000000000000000000000000
}

check_other_commands() {
  expect_vailctl root 0 "vm quarantine succeeds" vm quarantine "$GUID" --reason "GPU hang"
  expect_vailctl root 0 "vm quarantines succeeds" vm quarantines
  expect_match "vm quarantines prints the reason" "GPU hang" "$SAID"
  expect_vailctl vail-alice 1 "exec fails for a VM in quarantine" exec "$GUID" -- true
  expect_vailctl root 0 "vm release succeeds" vm release "$GUID"
  expect_vailctl root 0 "call succeeds" call org.varlink.service.GetInfo
  expect_equal "call prints the reply's parameters" vaild "$(jq -r .product <<<"$SAID")"
  expect_vailctl root 1 "call fails for an unknown method" call io.vaild.Nothing
  expect_vailctl root 0 "vm remove succeeds" vm remove "$GUID"
  expect_vailctl root 1 "vm remove fails for a removed VM" vm remove "$GUID"
  expect_vailctl root 2 "an unknown command is a usage error" nonsense
  expect_vailctl root 0 "--help succeeds" --help
  expect_clean_stop
  expect_vailctl root 1 "list fails when no daemon runs" list
}

start_daemon
check_administration
check_registrations
check_gpu_commands
check_other_commands
finish
