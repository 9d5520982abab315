#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The three forms of a display client, with real processes: a user, a process whose credentials are
# read once, and the VMM. A process may register only if its credentials equal those of the display
# client. More privileges do not suffice.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=ffffffff-ffff-4fff-8fff-ffffffffffff

# registers CHECK EXPECTED WRAPPER...: checks the status of a registration by a socat that WRAPPER
# executes.
registers() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" \
    "$(printf '%s\n' "$CONTEXT" "$(register "$GUID")" |
      ("$@" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET") | tail -n 1 | statuses)"
}

# almost_alice OPTION... COMMAND...: executes COMMAND as alice, with other credentials by options of
# setpriv.
almost_alice() {
  setpriv --reuid vail-alice --regid vail-alice --inh-caps=-all "$@"
}

# set_clients CLIENTS: makes the JSON objects CLIENTS the display clients of the VM.
set_clients() {
  expect_equal "the display client becomes $1" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.Machine.UpdateVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"displayClients\":[$1]}")" | statuses)"
}

test_user() {
  registers "user: a process of the user registers" STATUS_SUCCESS exec_as vail-alice
  registers "user: a process of another user is denied" STATUS_ACCESS_DENIED exec_as vail-bob
  registers "user: root is denied" STATUS_ACCESS_DENIED exec_as root
  registers "user: a process with fewer groups is denied" STATUS_ACCESS_DENIED almost_alice \
    --clear-groups
  registers "user: a process with more groups is denied" STATUS_ACCESS_DENIED \
    almost_alice --groups vail-alice,vail-video,vail-extra
  registers "user: repeating the primary group makes no difference" STATUS_SUCCESS \
    almost_alice --groups vail-video
  registers "user: a process with another primary group is denied" STATUS_ACCESS_DENIED \
    setpriv --reuid vail-alice --regid vail-video --groups vail-alice,vail-video --inh-caps=-all
  registers "user: a process with another real uid is denied" STATUS_ACCESS_DENIED \
    setpriv --ruid vail-bob --euid vail-alice --regid vail-alice --init-groups --inh-caps=-all
  registers "user: a process with an additional capability is denied" STATUS_ACCESS_DENIED \
    setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all,+net_raw \
    --ambient-caps=-all,+net_raw
  registers "user: CAP_WAKE_ALARM, which seat sessions have, is ignored" STATUS_SUCCESS \
    setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all,+wake_alarm \
    --ambient-caps=-all,+wake_alarm
  set_clients "{\"user\":\"$BOB\"}"
  registers "user: the user can be given as a decimal uid" STATUS_SUCCESS exec_as vail-bob
  set_clients '{"user":"vail-bob"},{"user":"vail-alice"}'
  registers "two users: a process of the first registers" STATUS_SUCCESS exec_as vail-bob
  registers "two users: a process of the second registers" STATUS_SUCCESS exec_as vail-alice
  registers "two users: a process of a third is denied" STATUS_ACCESS_DENIED exec_as vail-carol
}

# The credentials of the process are read once, when it is named, and stay valid after its exit.
test_process() {
  setpriv --reuid vail-alice --regid vail-alice --groups vail-extra --inh-caps=-all -- \
    sleep infinity &
  eventually runs_as $! "$ALICE" sleep
  set_clients "{\"pid\":$!}"
  registers "process: a process with the same credentials registers" STATUS_SUCCESS almost_alice \
    --groups vail-extra
  registers "process: the same user with the groups of a login is denied" STATUS_ACCESS_DENIED \
    exec_as vail-alice
  registers "process: a process of another user is denied" STATUS_ACCESS_DENIED exec_as vail-bob
  kill_and_wait $!
  registers "process: the same credentials register after its exit" STATUS_SUCCESS almost_alice \
    --groups vail-extra
  registers "process: other credentials are denied after its exit" STATUS_ACCESS_DENIED exec_as \
    vail-alice
  expect_equal "process: an exited process cannot be named" STATUS_INVALID_PARAMETER \
    "$(ask root "$(call io.vaild.Machine.UpdateVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"displayClients\":[{\"pid\":$!}]}")" | statuses)"
}

# Changing the display clients ends the registrations that no longer match one of them.
test_update() {
  set_clients "$ALICE_CLIENT"
  session_open kept vail-alice
  session_ask kept "$CONTEXT"
  session_ask kept "$(register "$GUID")"
  set_clients '{"user":"vail-bob"},{"user":"vail-alice"}'
  expect_equal "update: a registration that still matches stays" "${SESSION_PID[kept]}" \
    "$(registered_pids)"
  set_clients '{"user":"vail-bob"}'
  expect_equal "update: a registration that no longer matches ends" "" "$(registered_pids)"
}

test_vmm() {
  expect_equal "VMM: the user of a service cannot be the display client" \
    "STATUS_INVALID_PARAMETER displayClients" \
    "$(ask root "$(call io.vaild.Machine.RegisterVirtualMachine \
      "{\"virtualMachineGuid\":\"${GUID%f}0\",\"vmmPid\":$VMM}")" |
      field '.parameters | "\(.status) \(.parameter)"')"
  kill_and_wait "$VMM"
  eventually running_vms_are ""
  start_vmm vail-bob
  expect_equal "VMM: a login user can be the display client" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$VMM")"
  assign_gpu "$GUID" >/dev/null
  registers "VMM: a process with the same credentials registers" STATUS_SUCCESS exec_as vail-bob
  registers "VMM: a process of another user is denied" STATUS_ACCESS_DENIED exec_as vail-alice
  registers "VMM: root is denied" STATUS_ACCESS_DENIED exec_as root
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
test_user
test_process
test_update
test_vmm
expect_clean_stop
finish
