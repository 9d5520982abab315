#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each command of vailctl takes "--" before its arguments, so that they may begin with "-", as the name of
# a VM may. Behind the arguments of exec, "--" begins a program.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10

# does CHECK ARGUMENT...: checks that vailctl succeeds as root.
does() {
  local check=$1
  shift
  expect_vailctl root 0 "$check" "$@"
}

# refuses CHECK PATTERN ARGUMENT...: checks that the arguments are a usage error.
refuses() {
  local check=$1 pattern=$2
  shift 2
  expect_vailctl root 2 "$check" "$@"
  expect_match "$check: says why" "$pattern" "$SAID"
}

start_daemon
start_vmm vail-vmm
"${CTL[@]}" vm add "$GUID" --pid "$VMM" --name -odd --client-pid $$
assign_gpu "$GUID" >/dev/null
does "show takes the name" show -- -odd
expect_match "show finds the VM" "$GUID" "$SAID"
does "options stand before the dashes" --json describe -- -odd
expect_equal "it is the VM" "$GUID" "$(jq -r .virtualMachine.virtualMachineGuid <<<"$SAID")"
does "the dashes may stand before the command" -- show -odd
does "the dashes may stand between its two words" vm -- update -odd
does "vm update takes an option before the dashes" vm update --name --help -- -odd
does "a name may be an option" displays -- --help
does "vm quarantine" vm quarantine --reason test -- --help
does "vm release" vm release -- --help
does "dashes without an argument" list --
does "exec takes both" exec -- --help -- echo -- one
expect_equal "exec runs the program with its own dashes" "-- one" "$SAID"
does "exec of a GUID" exec "$GUID" -- echo two
expect_equal "exec of a GUID runs the program" two "$SAID"
expect_vailctl root 1 "wait takes the name" wait --timeout 1 --for ended -- -none
expect_match "it is taken for a name" '"-none"' "$SAID"
refuses "a name without dashes is an option" "is not an option" show -odd
refuses "exec needs a program" "exec needs a command to run: vailctl exec VM -- COMMAND" exec "$GUID"
refuses "exec says so before it looks for the VM" "exec needs a command" exec nosuch
refuses "exec needs a VM" "the argument VM is missing" exec -- true
refuses "no program behind register" "runs no command after --.* vailctl exec VM -- COMMAND" register "$GUID" -- true
expect_match "the help says so" "Put -- before.* vailctl show -- -odd" "$("${CTL[@]}" help | paste -sd ' ')"
expect_clean_stop
finish
