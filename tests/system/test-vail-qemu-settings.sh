#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks how vail-qemu joins a VM, with the helper fake-qemu: the VM's name, the settings that an
# operator has chosen, refusals, and a QEMU that shows no screen.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-qemu.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-qemu.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
QMP=$PRIVATE/guest/qmp
VAIL_QEMU=$PRIVATE/vail-qemu
CLOCK_VAIL_QEMU=$ROOT/build/sanitized/clock/vail-qemu
AGENT_LOG=$PRIVATE/agent.log

# start_qemu NAME [USER]: starts a fake QEMU with one console, which shows nothing yet.
start_qemu() {
  rm -f "$QMP"
  session_open_with qemu "${2:-root}" "$HELPERS/fake-qemu" "$QMP" "$1" "$GUID" Graphic
  eventually test -S "$QMP"
  chmod 777 "$QMP"
}

# start_agent_as USER [OPTION...]: starts vail-qemu. Sets AGENT to its pid.
start_agent_as() {
  local user=$1
  shift
  : >"$AGENT_LOG"
  exec_as "$user" "$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" "$@" 2>"$AGENT_LOG" &
  AGENT=$!
}
start_agent() { start_agent_as root "$@"; }

says() { grep -qE -- "$1" "$AGENT_LOG"; }

# agent_exits CHECK PATTERN: expects vail-qemu to exit with status 1 and the message.
agent_exits() {
  local status=0
  wait "$AGENT" || status=$?
  expect_equal "$1: exit status" 1 "$status"
  expect_match "$1: message" "$2" "$(cat "$AGENT_LOG")"
}

end_qemu() {
  session_kill qemu
  wait "$AGENT" 2>/dev/null || true
  eventually running_vms_are ""
}

# settings: prints the name, the display clients and the agent of the VM.
settings() {
  ask root "$(call io.vaild.Machine.DescribeVirtualMachine "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '.parameters.virtualMachine |
      "\(.name) | \([.displayClients[]?.user] | join(",")) | \(.agent | .user // .pid)"'
}
settings_are() { [ "$(settings)" = "$1" ]; }

objects() { "${CTL[@]}" --json objects | jq -r '.sharedObjects[].sharedByPid'; }
is_shared_by_agent() { [ "$(objects)" = "$AGENT" ]; }

# add_machine OPTION...: registers the VM as an operator does, before vail-qemu comes.
add_machine() { "${CTL[@]}" vm add "$GUID" --pid "${SESSION_PID[qemu]}" "$@" >/dev/null; }

# is_called NAME: tests whether the VM has the name.
is_called() { [[ $(settings) = "$1 | "* ]]; }

# expect_name CHECK GIVEN EXPECTED
expect_name() {
  start_qemu "$2"
  start_agent
  expect "$1" eventually is_called "$3"
  end_qemu
}

repeat() { printf "$2%.0s" $(seq "$1"); }

check_names() {
  expect_name "the name of QEMU is that of the VM" "a guest" "a guest"
  expect_name "a VM without a name is called by the first part of its GUID" "" "QEMU 1b4e28ba"
  expect_name "a name of 255 bytes is kept" "$(repeat 255 x)" "$(repeat 255 x)"
  expect_name "a longer name is shortened" "$(repeat 300 x)" "$(repeat 255 x)"
  expect_name "a name is shortened before a character" "$(repeat 128 ж)" "$(repeat 127 ж)"
  expect_name "control characters of a name become spaces" $'a\tguest\e[31m' "a guest [31m"
}

# The settings are those of the operator when vail-qemu joins, and after restarts of both.
check_kept_settings() {
  local kept
  start_qemu "a guest"
  add_machine --name Accounting --user vail-alice --agent-user vail-bob
  kept="Accounting | vail-alice | vail-bob"
  start_agent --user vail-carol
  expect "vail-qemu says that an operator has chosen another agent" eventually says \
    "the VM's agent is user vail-bob; run vail-qemu as that user, or make it the agent with: vailctl vm update $GUID --agent-pid $AGENT"
  expect "vail-qemu says that the display clients in vaild apply" eventually says \
    "vaild has other display clients for this VM than vail-qemu was started with, and those in vaild apply; change them with: vailctl vm update $GUID --user USER, or for root --client-pid PID"
  expect_equal "name, display client and agent of an operator are kept" "$kept" "$(settings)"
  qemu "listen 0 1"
  qemu "map 0 64 48"
  "${CTL[@]}" vm update "$GUID" --agent-pid "$AGENT" >/dev/null
  expect "vail-qemu shares as soon as an operator makes it the agent" eventually is_shared_by_agent
  kept="Accounting | vail-alice"
  "${CTL[@]}" vm update "$GUID" --user vail-carol >/dev/null
  "${CTL[@]}" vm update "$GUID" --user vail-alice >/dev/null
  kill_and_wait "$DAEMON"
  start_daemon
  expect "they are the same after a restart of vaild that has forgotten the VM" \
    eventually settings_are "$kept | $AGENT"
  expect "vail-qemu shares again after the restart" eventually is_shared_by_agent
  expect_equal "it says once that other display clients apply, whatever changes later" 1 \
    "$(grep -c "other display clients" "$AGENT_LOG")"
  kill_and_wait "$AGENT"
  start_agent
  expect "they are the same after a restart of vail-qemu, which is the agent" \
    eventually settings_are "$kept | $AGENT"
  expect "vail-qemu shares after its restart" eventually is_shared_by_agent
  end_qemu
}

check_agent_of_own_user() {
  start_qemu "a guest"
  add_machine --agent-user root
  start_agent --user vail-alice
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "vail-qemu shares if its user is the agent" eventually is_shared_by_agent
  expect_equal "missing settings are added, and the agent is kept" \
    "a guest | vail-alice | root" "$(settings)"
  kill_and_wait "$DAEMON"
  start_daemon
  expect "they are the same after a restart of vaild" \
    eventually settings_are "a guest | vail-alice | root"
  expect_equal "vail-qemu has nothing to say about the settings" "" \
    "$(grep -E 'agent|--user' "$AGENT_LOG" || true)"
  end_qemu
}

# rights: prints the display clients of the VM with their rights.
rights() {
  ask root "$(call io.vaild.Machine.DescribeVirtualMachine "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '.parameters.virtualMachine |
      [.displayClients[]? | "\(.user // .pid):\(.rights | join(","))"] | join(" ")'
}
rights_are() { [ "$(rights)" = "$1" ]; }

# Rights come from --user, and those of an operator are kept over restarts and hand-overs.
check_rights() {
  local client kept

  start_qemu "a guest"
  start_agent --user vail-alice:input,clipboard --user vail-bob
  expect "--user gives the rights that it names" eventually rights_are \
    "vail-alice:view,input,clipboard vail-bob:view"
  kill_and_wait "$DAEMON"
  start_daemon
  expect "they are the same after a restart of vaild that has forgotten the VM" \
    eventually rights_are "vail-alice:view,input,clipboard vail-bob:view"
  expect_equal "vail-qemu has nothing to say about its own rights" "" \
    "$(grep -e --user "$AGENT_LOG" || true)"
  exec_as vail-carol sleep infinity &
  client=$!
  eventually runs_as "$client" "$(id -u vail-carol)" sleep
  "${CTL[@]}" vm update "$GUID" --user vail-alice:audioOutput --client-pid "$client:input"
  kept="vail-alice:view,audioOutput $client:view,input"
  expect "vail-qemu says that --user does not change rights of an operator" eventually says \
    "change them with: vailctl vm update $GUID --user USER, or for root --client-pid PID"
  kill_and_wait "$DAEMON"
  start_daemon
  expect "rights of an operator are the same after a restart of vaild that has forgotten the VM" \
    eventually rights_are "$kept"
  kill_and_wait "$AGENT"
  start_agent --user vail-alice
  expect "vail-qemu says that --user changes no rights" eventually says \
    "change them with: vailctl vm update $GUID --user USER, or for root --client-pid PID"
  expect_equal "they are the same after a restart of vail-qemu" "$kept" "$(rights)"
  end_qemu
  kill_and_wait "$client"
}

check_other_process() {
  local other
  start_qemu "a guest"
  sleep infinity &
  other=$!
  add_machine --agent-pid "$other"
  start_agent --user vail-alice
  expect "vail-qemu says that another process is the agent" eventually says \
    "the VM's agent is process $other; stop it"
  # That process may be a vail-qemu that was started at the same time, without the user.
  expect_equal "it changes no settings meanwhile" "null |  | $other" "$(settings)"
  expect_equal "it leaves QEMU's display alone meanwhile" 0 "$(qemu "joins 0" && echo "$REPLY")"
  kill_and_wait "$other"
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "vail-qemu shares when the other agent has ended" eventually is_shared_by_agent
  expect "it adds its settings then" eventually settings_are "a guest | vail-alice | $AGENT"
  end_qemu
}

check_refusals() {
  local reason="only operators may add a VM here; call as root or as a member of the group vaild, or ask an administrator to set allowUserMachines in vaild.json"
  start_qemu "a guest"
  start_agent_as vail-bob
  agent_exits "a user who is no operator learns the reason" "$reason"
  expect_match "vailctl gives the same reason" "$reason" \
    "$(run_as vail-bob "${CTL[@]}" vm add "$GUID" --pid "${SESSION_PID[qemu]}" 2>&1)"
  add_machine --user vail-bob
  start_agent_as vail-bob
  agent_exits "a user who is not the agent of a VM learns how to become it" \
    "not its agent; have an operator run: vailctl vm update $GUID --agent-user vail-bob"
  end_qemu
  start_qemu "a guest"
  add_machine --user vail-bob --agent-user vail-bob
  start_agent_as vail-bob
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "without a virtual GPU vail-qemu says that it cannot assign one" eventually says \
    "cannot assign a vGPU: .*; nobody can see the VM until an operator runs: vailctl vgpu assign $GUID"
  expect "a user who is the agent of a VM shares for it" eventually is_shared_by_agent
  expect "the settings of the operator are kept" settings_are "null | vail-bob | vail-bob"
  end_qemu
}

bob_may_register() {
  [ "$(ask vail-bob "$(call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"${GUID%0}1\"}")" | statuses)" = STATUS_SUCCESS ]
}

# check_agent_of_qemu USER: with allowUserMachines, vaild refuses the VM of an operator for another
# reason, which depends on the user of QEMU.
check_agent_of_qemu() {
  start_qemu "a guest" "$1"
  add_machine --user vail-bob --agent-user vail-bob
  start_agent_as vail-bob
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "with allowUserMachines, the agent of an operator's VM shares the screen of $1's QEMU" \
    eventually is_shared_by_agent
  kill_and_wait "$AGENT"
  start_agent_as vail-alice
  agent_exits "with allowUserMachines, another user than $1 learns how to become the agent" \
    "if an operator has added this VM, have an operator run: vailctl vm update $GUID --agent-user"
  end_qemu
}

check_user_machines() {
  echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  eventually bob_may_register
  check_agent_of_qemu root
  check_agent_of_qemu vail-bob
  rm "$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
}

# The credentials of a display client that is a process are kept while that process runs.
check_client_process() {
  local client
  start_qemu "a guest"
  exec_as vail-alice sleep infinity &
  client=$!
  eventually runs_as "$client" "$ALICE" sleep
  add_machine --client-pid "$client"
  start_agent
  eventually is_called "a guest"
  kill_and_wait "$DAEMON"
  start_daemon
  expect "a process that is a display client is one after a restart of vaild" \
    eventually client_pids_are "$client"
  kill_and_wait "$client"
  kill_and_wait "$DAEMON"
  start_daemon
  expect "a process that has ended is none" eventually client_pids_are ""
  end_qemu
}

# client_pids_are PIDS: tests whether exactly these processes are display clients of the VM.
client_pids_are() {
  [ "$(ask root "$(call io.vaild.Machine.DescribeVirtualMachine "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '[.parameters.virtualMachine | .vmmPid, .displayClients[]?.pid] | join(" ")')" = \
    "${SESSION_PID[qemu]}${1:+ $1}" ]
}

## Screens that do not come, with the clock of the test

SILENT="QEMU has shown no screen for 5 seconds, so nothing is shared"

# agent_says_later PATTERN: lets time pass, and tests whether the agent says it.
agent_says_later() {
  advance_clock 1
  says "$1"
}

check_silence() {
  VAIL_QEMU=$CLOCK_VAIL_QEMU
  use_test_clock
  start_qemu "a guest"
  start_agent
  qemu "listen 0 1"
  expect "a QEMU that shows no screen is reported after a while" eventually agent_says_later "$SILENT"
  expect_equal "the report names the likely reasons" 1 \
    "$(grep -cE "$SILENT.*gl=on.*/dev/udmabuf" "$AGENT_LOG")"
  qemu "map 0 64 48"
  expect "a screen that comes later is shared" eventually is_shared_by_agent
  advance_clock 100
  expect_equal "a missing screen is reported once" 1 "$(grep -c "$SILENT" "$AGENT_LOG")"
  end_qemu

  start_qemu "a guest"
  start_agent
  qemu "listen 0 1"
  qemu "call 0 Disable"
  advance_clock 100
  qemu "map 0 64 48"
  expect "a screen that was off is shared" eventually is_shared_by_agent
  expect_equal "a screen that is off is not reported" "" "$(cat "$AGENT_LOG")"
  qemu "call 0 Disable"
  qemu "call 0 UpdateDMABUF iiii 0 0 1 1"
  advance_clock 100
  qemu "map 0 64 48"
  expect "a screen that was off is shared again" eventually is_shared_by_agent
  expect_equal "a late update of a screen that is off is not reported" "" "$(cat "$AGENT_LOG")"
  qemu "call 0 Disable"
  for _ in {1..10}; do qemu "call 0 UpdateDMABUF iiii 0 0 1 1"; done
  expect "a QEMU that draws on a screen that it has not shown is reported" eventually \
    agent_says_later "$SILENT"

  qemu "ignore 0 1"
  qemu "close 0"
  expect "a QEMU that does not answer any more is reported" eventually agent_says_later \
    "QEMU has not answered for 10 seconds, so console 0 is not shared"
  end_qemu
}

guest_state_is() {
  [ "$(ask root "$(call io.vaild.Machine.DescribeVirtualMachine "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field .parameters.virtualMachine.guestState)" = "$1" ]
}

# vaild forgets a state when the connection that told it last ends, although vail-qemu has told one, too.
check_guest_state() {
  local state

  start_qemu "a guest"
  start_agent
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "vail-qemu tells the state of the guest" eventually guest_state_is running
  for state in running migrated; do
    session_open other root
    session_status other "$(call io.vaild.Machine.UpdateVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"guestState\":\"$state\"}")"
    expect_equal "another connection tells that it is $state" STATUS_SUCCESS "$STATUS"
    session_kill other
    expect "vail-qemu tells the state again when that connection ends" eventually guest_state_is running
  done
  end_qemu
}

# The agent waits for QEMU's answer when QEMU ends.
check_end_while_waiting() {
  start_qemu "a guest"
  start_agent
  qemu "listen 0 1"
  qemu "map 0 64 48"
  eventually is_shared_by_agent
  qemu "ignore 0 1"
  qemu "close 0"
  qemu "listen 0 2"
  end_qemu
  # vaild may notice the end first, and tell vail-qemu.
  expect_equal "a QEMU that ends before it has answered has only ended" "vail-qemu: QEMU has ended" \
    "$(grep -v 'is not shared any more: the VM.s VMM has exited' "$AGENT_LOG")"
}

agent_says_later_without_vaild() {
  move_clock 1
  says "$1"
}

agent_ends_later() {
  move_clock 1
  is_gone_or_zombie "$AGENT"
}

check_stopped_vaild() {
  start_qemu "a guest"
  start_agent
  qemu "listen 0 1"
  qemu "map 0 64 48"
  eventually is_shared_by_agent
  kill -STOP "$DAEMON"
  qemu "later map 0 80 60"
  expect "a vaild that does not answer is reported" eventually agent_says_later_without_vaild \
    "vaild is not reachable: .* did not answer within 10000 ms; see its log with: journalctl -u vaild, or on the stderr of a vaild started by hand; waiting for it"
  session_kill qemu
  expect "vail-qemu exits when QEMU ends, although vaild does not answer" eventually agent_ends_later
  kill -CONT "$DAEMON"
  expect_match "its last message is that QEMU has ended" 'QEMU has ended$' "$(cat "$AGENT_LOG")"
  eventually running_vms_are ""
}

need_program "$ROOT/build/sanitized/clock/vaild" "$CLOCK_VAIL_QEMU"
mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$VAIL_QEMU"
start_daemon
check_names
check_kept_settings
check_agent_of_own_user
check_rights
check_other_process
check_client_process
check_refusals
check_user_machines
check_silence
check_guest_state
check_end_while_waiting
check_stopped_vaild
expect_clean_stop
finish
