#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The tool of administrators and scripts, against the real daemon: what it prints, and that its exit
# status is 0 on STATUS_SUCCESS alone.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=14141414-1414-4414-8414-141414141414
UNKNOWN=15151515-1515-4515-8515-151515151515

administration() {
  local gpu

  start_vmm vail-vmm
  ctl_as vail-alice 1 "vm add, by an ordinary user" vm add "$GUID" --pid "$VMM"
  ctl_as root 0 "vm add" vm add "$GUID" --name demo --pid "$VMM" --user vail-alice
  ctl_as root 0 "list" list
  expect_match "list names the VM" "$GUID" "$SAID"
  ctl_as root 0 "list --json" --json list
  expect "list --json is JSON" jq -e . <<<"$SAID" >/dev/null
  ctl_as root 0 "describe" describe "$GUID"
  expect_match "describe names the display client" vail-alice "$SAID"
  ctl_as root 1 "describe what does not run" describe "$UNKNOWN"
  expect_match "and says its status" STATUS_NOT_FOUND "$SAID"
  ctl_as vail-alice 1 "exec before there is a vGPU" exec "$GUID" -- true
  ctl_as root 0 "vgpu assign" vgpu assign "$GUID"
  ctl_as root 0 "vgpu assign, a second" --json vgpu assign "$GUID"
  gpu=$(jq -r '.. | strings | select(test("^[0-9a-f]{32}$"))' <<<"$SAID" | head -n 1)
  ctl_as root 0 "vgpu remove" vgpu remove "$gpu"
  ctl_as root 1 "vgpu remove, the same again" vgpu remove "$gpu"
}

registrations() {
  ctl_as vail-alice 0 "exec runs a program that is registered" exec "$GUID" -- sh -c 'echo "$$"'
  ctl_as vail-alice 3 "exec hands the program's exit status on" exec "$GUID" -- sh -c 'exit 3'
  ctl_as vail-bob 1 "exec as another user runs nothing" exec "$GUID" -- sh -c 'echo ran'
  expect "really nothing" [ "${SAID#*ran}" = "$SAID" ]
  exec_as vail-alice "${CTL[@]}" register "$GUID" --context >/dev/null 2>&1 &
  expect "register holds the registration" eventually registered_are $!
  kill -INT $!
  expect "until it is interrupted" eventually registered_are ""
  ctl_as vail-bob 1 "register as another user" register "$GUID" --context
}

gpus() {
  local adapters

  ctl_as root 0 "adapters" adapters
  adapters=$SAID
  ctl_as root 0 "gpu adapters" gpu adapters
  expect_equal "they are the same" "$adapters" "$SAID"
  ctl_as root 2 "gpu alone" gpu
  ctl_as root 2 "gpu with what is none" gpu nonsense
  ctl_as root 2 "gpu map of nothing" gpu map
  ctl_as root 1 "gpu map of what there is not" gpu map 00000000000000000000000000000000
}

the_rest() {
  ctl_as root 0 "vm quarantine" vm quarantine "$GUID" --reason "GPU hang"
  ctl_as root 0 "vm quarantines" vm quarantines
  expect_match "says why" "GPU hang" "$SAID"
  ctl_as vail-alice 1 "exec in quarantine" exec "$GUID" -- true
  ctl_as root 0 "vm release" vm release "$GUID"
  ctl_as root 0 "call" call org.varlink.service.GetInfo
  expect_equal "call prints the reply's parameters" vaild "$(jq -r .product <<<"$SAID")"
  ctl_as root 1 "call of no method" call io.vaild.Nothing
  ctl_as root 0 "vm remove" vm remove "$GUID"
  ctl_as root 1 "vm remove, again" vm remove "$GUID"
  ctl_as root 2 "a command that is none" nonsense
  ctl_as root 0 "--help" --help
  expect_clean_stop
  ctl_as root 1 "without a daemon" list
}

start_daemon
administration
registrations
gpus
the_rest
finish
