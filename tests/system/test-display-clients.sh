#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The three forms of a display client, with real processes: a user, a process whose credentials are
# read once, and the VMM. Same means equal.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=ffffffff-ffff-4fff-8fff-ffffffffffff

# registers CHECK EXPECTED WRAPPER...: a socat that the wrapper executes.
registers() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" \
    "$(printf '%s\n' "$CONTEXT" "$(register "$GUID")" |
      ("$@" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET") | tail -n 1 | statuses)"
}

# As alice, but for what the options of setpriv say.
almost_alice() {
  setpriv --reuid vail-alice --regid vail-alice --inh-caps=-all "$@"
}

client_is() {
  expect_equal "the display client is $1" STATUS_SUCCESS \
    "$(ask root "$(call io.vaild.Machine.UpdateVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"displayClients\":[$1]}")" | statuses)"
}

a_user() {
  registers "user: that user" STATUS_SUCCESS exec_as vail-alice
  registers "user: another" STATUS_ACCESS_DENIED exec_as vail-bob
  registers "user: root" STATUS_ACCESS_DENIED exec_as root
  registers "user: a group less" STATUS_ACCESS_DENIED almost_alice --clear-groups
  registers "user: a group more" STATUS_ACCESS_DENIED \
    almost_alice --groups vail-alice,vail-video,vail-extra
  registers "user: the same groups, otherwise written" STATUS_SUCCESS \
    almost_alice --groups vail-video
  registers "user: another primary group" STATUS_ACCESS_DENIED \
    setpriv --reuid vail-alice --regid vail-video --groups vail-alice,vail-video --inh-caps=-all
  registers "user: another real uid" STATUS_ACCESS_DENIED \
    setpriv --ruid vail-bob --euid vail-alice --regid vail-alice --init-groups --inh-caps=-all
  registers "user: a capability more" STATUS_ACCESS_DENIED \
    setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all,+net_raw \
    --ambient-caps=-all,+net_raw
  registers "user: the capability that every seat's session has" STATUS_SUCCESS \
    setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all,+wake_alarm \
    --ambient-caps=-all,+wake_alarm
  client_is "{\"user\":\"$BOB\"}"
  registers "user: by decimal uid" STATUS_SUCCESS exec_as vail-bob
  client_is '{"user":"vail-bob"},{"user":"vail-alice"}'
  registers "two users: the first" STATUS_SUCCESS exec_as vail-bob
  registers "two users: the second" STATUS_SUCCESS exec_as vail-alice
  registers "two users: a third" STATUS_ACCESS_DENIED exec_as vail-carol
}

# Read when it is named, and never again: not when its process has gone either.
a_process() {
  setpriv --reuid vail-alice --regid vail-alice --groups vail-extra --inh-caps=-all -- \
    sleep infinity &
  eventually runs_as $! "$ALICE" sleep
  client_is "{\"pid\":$!}"
  registers "process: the same" STATUS_SUCCESS almost_alice --groups vail-extra
  registers "process: as its user logs in" STATUS_ACCESS_DENIED exec_as vail-alice
  registers "process: another user" STATUS_ACCESS_DENIED exec_as vail-bob
  kill_hard $!
  registers "process: when it is gone" STATUS_SUCCESS almost_alice --groups vail-extra
  registers "process: when it is gone, another" STATUS_ACCESS_DENIED exec_as vail-alice
  expect_equal "process: one that is gone cannot be named" STATUS_INVALID_PARAMETER \
    "$(ask root "$(call io.vaild.Machine.UpdateVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"displayClients\":[{\"pid\":$!}]}")" | statuses)"
}

# The registrations that no longer match end.
an_update_ends_registrations() {
  client_is "$ALICE_CLIENT"
  session_open kept vail-alice
  session_ask kept "$CONTEXT"
  session_ask kept "$(register "$GUID")"
  client_is '{"user":"vail-bob"},{"user":"vail-alice"}'
  expect_equal "update: one that still matches stays" "${SESSION_PID[kept]}" "$(registered_pids)"
  client_is '{"user":"vail-bob"}'
  expect_equal "update: one that does not ends" "" "$(registered_pids)"
}

the_vmm() {
  expect_equal "VMM: a service's user is no display client" \
    "STATUS_INVALID_PARAMETER displayClients" \
    "$(ask root "$(call io.vaild.Machine.RegisterVirtualMachine \
      "{\"virtualMachineGuid\":\"${GUID%f}0\",\"vmmPid\":$VMM}")" |
      field '.parameters | "\(.status) \(.parameter)"')"
  kill_hard "$VMM"
  eventually running_are ""
  start_vmm vail-bob
  expect_equal "VMM: a person's is" STATUS_SUCCESS "$(add_vm "$GUID" "$VMM")"
  assign_gpu "$GUID" >/dev/null
  registers "VMM: the same" STATUS_SUCCESS exec_as vail-bob
  registers "VMM: another" STATUS_ACCESS_DENIED exec_as vail-alice
  registers "VMM: root" STATUS_ACCESS_DENIED exec_as root
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
a_user
a_process
an_update_ends_registrations
the_vmm
expect_clean_stop
finish
