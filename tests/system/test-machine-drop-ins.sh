#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the drop-ins of /etc/vaild/machines.d: a user may register for a VM of which nobody has named
# a display client, a reload gives and takes this, and a mistake leaves the old drop-ins in force.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd
MACHINES=$CONFIG/machines.d

# drop_in NAME TEXT: writes a drop-in.
drop_in() { (umask 022 && mkdir -p "$MACHINES" && echo "$2" >"$MACHINES/$1.json"); }

# described MEMBER: prints a member of the VM.
described() {
  ask root "$(call io.vaild.Machine.DescribeVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\"}")" | field ".parameters.virtualMachine.$1"
}

# may_register USER: prints the status of a registration for the VM.
may_register() { ask "$1" "$CONTEXT" "$(register "$GUID")" | statuses | sed 's/.* //'; }

reload() { "$ROOT/build/vailctl" --socket "$SOCKET" reload 2>&1; }

# A VM whose VMM is of a user that does not log in, and so needs a display client.
vm_without_clients() {
  expect_equal "without a drop-in, the VMM's user must be one that logs in" \
    "STATUS_INVALID_PARAMETER" "$(add_vm "$GUID" "$VMM")"
  drop_in 50-build '{ "namePattern": "build-*", "displayClients": [
    { "user": "vail-alice", "rights": ["view", "input"] } ] }'
  expect_equal "a reload reads the drop-in" "" "$(reload)"
  expect_equal "a VM that names nobody gets the drop-in's display client" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.Machine.RegisterVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"name\":\"build-1\",\"vmmPid\":$VMM}")" | statuses)"
  assign_gpu "$GUID" >/dev/null
  expect_equal "its user may register" STATUS_SUCCESS "$(may_register vail-alice)"
  expect_equal "another user may not" STATUS_ACCESS_DENIED "$(may_register vail-bob)"
  expect_equal "the reply says where the display client is named" \
    "dropIn {\"user\":\"vail-alice\",\"uid\":$(id -u vail-alice),\"rights\":[\"view\",\"input\"]}" \
    "$(described displayClientsSource) $(described 'displayClients[0]|tojson')"
  expect_match "vailctl says it, too" 'Display clients: +user vail-alice \(view,input\), by a drop-in' \
    "$("$ROOT/build/vailctl" --socket "$SOCKET" show "$GUID")"
}

# A process of alice stays registered until a drop-in names somebody else.
changes() {
  session_open alice vail-alice
  session_ask alice "$CONTEXT"
  session_ask alice "$(register "$GUID")"
  expect_equal "alice's process is registered" "${SESSION_PID[alice]}" "$(registered_pids)"
  drop_in 10-guid "{ \"virtualMachineGuid\": \"$GUID\", \"displayClients\": [
    { \"user\": \"vail-bob\" } ], \"agent\": { \"user\": \"vail-carol\" } }"
  expect_equal "a drop-in for the GUID is right, too, and the reload says what it has ended" \
    "vailctl: this ended the registration of process ${SESSION_PID[alice]} (socat, user vail-alice) for VM build-1" \
    "$(reload)"
  expect "it comes before the pattern, and alice's registration ends" \
    eventually registered_pids_are ""
  session_kill alice
  expect_equal "now bob may register, and not alice" "STATUS_SUCCESS STATUS_ACCESS_DENIED" \
    "$(may_register vail-bob) $(may_register vail-alice)"
  expect_equal "it names the agent" "vail-carol dropIn" \
    "$(described agent.user) $(described agentSource)"
}

mistakes() {
  local where="$MACHINES/20-wrong.json"

  drop_in 20-wrong '{ "name": "a",
  "displayClient": [ { "user": "vail-bob" } ] }'
  rm "$MACHINES/10-guid.json"
  expect_match "a reload names the file, the line and the key" \
    "$where:2:3: displayClient is not a key of the drop-in; did you mean \"displayClients\"\\?" \
    "$(reload)"
  expect_equal "all old drop-ins stay in force" STATUS_SUCCESS "$(may_register vail-bob)"
  expect_match "--check-config finds the mistake" "^vaild: $where:2:3: displayClient " \
    "$("$VAILD" --config "$CONFIG" --check-config 2>&1)"
  expect_match "--check-config FILE finds it" "^vaild: $where:2:3: displayClient " \
    "$("$VAILD" --check-config "$where" 2>&1)"
  drop_in 20-wrong '{ "name": "a", "displayClients": [ { "user": "vail-nobody" } ] }'
  expect_match "a user that does not exist is a mistake" \
    "$where:1:[0-9]+: displayClients\\[0\\].user: user \"vail-nobody\" does not exist" "$(reload)"
  rm "$where"
  expect_equal "--check-config FILE accepts a drop-in that is right" \
    "$MACHINES/50-build.json: the configuration is right" \
    "$("$VAILD" --check-config "$MACHINES/50-build.json" 2>&1)"
}

# A drop-in of another user, or one that others can write, could give anybody access.
owners() {
  drop_in 30-open '{ "name": "a" }'
  chmod 664 "$MACHINES/30-open.json"
  expect_match "a file that others can change is refused" \
    "30-open.json: other users can change it and could give access to VMs; .*chmod go-w" "$(reload)"
  chmod 644 "$MACHINES/30-open.json"
  chown vail-bob "$MACHINES/30-open.json"
  expect_match "a file of another user is refused" \
    "30-open.json: belongs to uid $BOB, who could give access to VMs; .*chown root" "$(reload)"
  mv "$MACHINES/30-open.json" "$PRIVATE/elsewhere.json"
  ln -s "$PRIVATE/elsewhere.json" "$MACHINES/30-open.json"
  expect_match "so is a link to one" "30-open.json: belongs to uid $BOB" "$(reload)"
  rm "$MACHINES/30-open.json"
}

# A start with a mistake uses the drop-ins that were kept.
kept() {
  expect_equal "the drop-ins are right again" "" "$(reload)"
  drop_in 20-wrong '{'
  stop_daemon
  start_daemon
  expect_match "a start names the mistake" "20-wrong.json:2:1: the file is not JSON" "$(<"$LOG")"
  expect_equal "a new VM gets the display client of the drop-in that was kept" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.Machine.RegisterVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"name\":\"build-2\",\"vmmPid\":$VMM}")" | statuses)"
  assign_gpu "$GUID" >/dev/null
  expect_equal "so its user may register" STATUS_SUCCESS "$(may_register vail-alice)"
  rm -r "$MACHINES"
  expect_equal "without the folder there is no drop-in" "" "$(reload)"
  expect_equal "then nobody may register, as the VMM's user does not log in" \
    STATUS_ACCESS_DENIED "$(may_register vail-alice)"
}

clients_are() { [ "$(described 'displayClients[0].user') $(described displayClientsSource)" = "$1" ]; }

# vail-qemu registers its VM again after a restart of vaild that has forgotten it. It must not repeat
# the display clients of the drop-in, because the drop-in may name others by then.
with_vail_qemu() {
  local qmp=$PRIVATE/guest/qmp agent

  mkdir -m 777 "$PRIVATE/guest"
  cp "$ROOT/build/sanitized/vail-qemu" "$PRIVATE/vail-qemu"
  drop_in 60-guest '{ "name": "a guest", "displayClients": [ { "user": "vail-alice" } ] }'
  reload >/dev/null
  session_open_with qemu root "$HELPERS/fake-qemu" "$qmp" "a guest" "$GUID" Graphic
  eventually test -S "$qmp"
  exec_as root "$PRIVATE/vail-qemu" --qmp "$qmp" --socket "$SOCKET" 2>"$PRIVATE/agent.log" &
  agent=$!
  expect "the VM of vail-qemu gets the display client of the drop-in" \
    eventually clients_are "vail-alice dropIn"
  drop_in 60-guest '{ "name": "a guest", "displayClients": [ { "user": "vail-bob" } ] }'
  kill_and_wait "$DAEMON"
  start_daemon
  expect "after a restart of vaild it gets that of the drop-in as it is then" \
    eventually clients_are "vail-bob dropIn"
  session_kill qemu
  wait "$agent" 2>/dev/null || true
  eventually running_vms_are ""
}

start_daemon
start_vmm vail-vmm
vm_without_clients
changes
mistakes
owners
kept
kill_and_wait "$VMM"
eventually running_vms_are ""
with_vail_qemu
expect_clean_stop
finish
