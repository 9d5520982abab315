#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the output and the exit status of vailctl against the real daemon. The exit status is 0
# only on STATUS_SUCCESS.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=14141414-1414-4414-8414-141414141414
UNKNOWN=15151515-1515-4515-8515-151515151515
RUN_GUID=16161616-1616-4616-8616-161616161616

check_administration() {
  local gpu

  start_vmm vail-vmm
  expect_vailctl vail-alice 1 "vm add fails for an ordinary user" vm add "$GUID" --pid "$VMM"
  expect_vailctl root 0 "vm add succeeds" vm add "$GUID" --name demo --pid "$VMM" --user vail-alice
  expect_vailctl root 0 "list succeeds" list
  expect_match "list names the VM" "$GUID" "$SAID"
  expect_vailctl root 0 "list --json succeeds" --json list
  expect "list --json prints valid JSON" is_true "$SAID" 'type == "object"'
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

# add_and_run CHECK EXPECTED-EXIT COMMAND...: adds a VM that COMMAND runs. Sets SAID to the output.
add_and_run() {
  local check=$1 expected=$2
  shift 2
  expect_vailctl root "$expected" "$check" vm add "$RUN_GUID" -- "$@"
}

# ends_at_once: tests whether vm add reports a command that ends at once. A machine that stops for a
# while between the start and the end of the command hides that, so the test is repeated.
ends_at_once() {
  ! SAID=$(run_as root "${CTL[@]}" vm add "$RUN_GUID" -- true 2>&1)
}

# vmm_is_child_of PID: tests whether the VMM is a sleep that this process has started.
vmm_is_child_of() {
  VMM=$(ask root "$(call io.vaild.Machine.ListVirtualMachines)" | field \
    ".parameters.virtualMachines[] | select(.virtualMachineGuid == \"$RUN_GUID\") | .vmmPid")
  [ -n "$VMM" ] && runs_as "$VMM" 0 sleep && grep -q "^PPid:	$1\$" "/proc/$VMM/status"
}

check_commands_of_vms() {
  local daemonize=$PRIVATE/daemonize tool signal status

  # Forks twice, as daemon(3) does, and tells its pid to the FIFO.
  mkfifo "$PRIVATE/daemon"
  cat >"$daemonize" <<-EOF
	#!/bin/bash
	(setsid bash -c 'echo \$\$ >$PRIVATE/daemon; exec sleep infinity' >/dev/null 2>&1 </dev/null &)
	EOF
  chmod +x "$daemonize"
  exec {daemon_pid}<>"$PRIVATE/daemon"
  add_and_run "vm add fails for a command that daemonizes" 1 "$daemonize"
  read -r tool <&"$daemon_pid"
  expect_match "vm add says why there is no VM" \
    "has ended, .*$daemonize continues in the background as process $tool.*--pid $tool" "$SAID"
  kill "$tool"
  add_and_run "vm add fails for a command that leaves a child" 1 sh -c 'sleep infinity >/dev/null 2>&1 & echo $!'
  expect_match "vm add names the child" "as process ${SAID%%[!0-9]*}[^0-9]" "$SAID"
  kill "${SAID%%[!0-9]*}"
  expect "vm add fails for a command that ends at once" eventually ends_at_once
  expect_match "vm add says that the command ended at once" "true ended at once" "$SAID"
  add_and_run "vm add returns the exit status of the command" 3 sh -c 'exit 3'
  add_and_run "vm add fails if the command does not exist" 127 /none/vmm
  expect_match "vm add names the missing command" "cannot run /none/vmm" "$SAID"
  add_and_run "vm add fails if the command is no program" 126 /etc/passwd
  expect_vailctl root 2 "register takes no command" register "$RUN_GUID" -- true
  expect_match "register names exec" "vailctl exec VM" "$SAID"
  expect_equal "no VM is left" "$GUID" "$(running_vms)"
  expect_vailctl vail-bob 1 "vm add runs nothing if it is refused" vm add "$RUN_GUID" -- echo ran
  expect_equal "nothing has run" 0 "$(grep -c '^ran' <<<"$SAID")"
  for signal in TERM KILL; do
    exec_as root "${CTL[@]}" vm add "$RUN_GUID" -- sleep infinity &
    tool=$!
    expect "SIG$signal: the command is the VMM" eventually vmm_is_child_of "$tool"
    kill "-$signal" "$tool"
    status=0
    wait "$tool" 2>/dev/null || status=$?
    expect "SIG$signal: the VM ends with vailctl" eventually running_vms_are "$GUID"
    expect "SIG$signal: vailctl ends by the signal" [ "$status" -gt 128 ]
  done
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
check_commands_of_vms
check_gpu_commands
check_other_commands
finish
