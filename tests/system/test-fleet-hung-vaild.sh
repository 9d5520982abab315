#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A vaild that hangs closes no connection. Checks that vaild-fleet says that it is away, and that it is
# back once it answers again, for good. The etcd is played by the test.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=11111111-1111-4111-8111-111111111111
FLEET_SOCKET=$PRIVATE/fleet.sock
export VAILD_FLEET_SOCKET=$FLEET_SOCKET

start_fleet() {
  mkfifo "$PRIVATE/etcd"
  exec {ETCD}<>"$PRIVATE/etcd"
  VAILD_SOCKET=$SOCKET "$HELPERS/lone-fleet" "$FLEET_SOCKET" --operators "$(id -g vaild)" \
    --observers 47010 <"$PRIVATE/etcd" >"$PRIVATE/fleet.log" 2>&1 &
  eventually test -S "$FLEET_SOCKET"
  echo reach yes >&"$ETCD"
  echo lease yes >&"$ETCD"
}

# shows EXPECTED EXPRESSION COMMAND: tests a jq expression of what vailctl fleet shows.
shows() { [ "$("${CTL[@]}" fleet "$3" --json 2>/dev/null | jq -rc "$2")" = "$1" ]; }

# is_quiet: tests whether vaild-fleet has never said that the watch of vaild has ended.
is_quiet() { ! grep 'the watch of vaild has ended' "$PRIVATE/fleet.log"; }

start_daemon
start_fleet
ready_vm "$GUID" "$ALICE_CLIENT"
expect "the host has a VM" eventually shows '[false,1]' '.hosts[0] | [.vaildIsAway, .virtualMachines]' hosts
kill -STOP "$DAEMON"
expect "a vaild that hangs is away" eventually shows true '.hosts[0].vaildIsAway' hosts
expect "somebody is told" grep -q 'vaild does not answer' "$PRIVATE/fleet.log"
expect "its VM is still shown" shows "$GUID" '.virtualMachines[0].virtualMachineGuid' vms
kill_and_wait "$VMM"
kill -CONT "$DAEMON"
expect "a vaild that answers again is back, and its VM has ended meanwhile" \
  eventually shows '[false,0]' '.hosts[0] | [.vaildIsAway, .virtualMachines]' hosts
expect "the VM is not shown any more" eventually shows 0 '.virtualMachines | length' vms
# A vaild-fleet that closed its new watch would say so within a second, long before it finds a hang.
kill -STOP "$DAEMON"
expect "a vaild that hangs again is away again" eventually shows true '.hosts[0].vaildIsAway' hosts
expect "the watch stood from the return of vaild on" is_quiet
kill -CONT "$DAEMON"
expect "vaild is back once more" eventually shows false '.hosts[0].vaildIsAway' hosts
exec {ETCD}>&-
expect_clean_stop
finish
