#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Live migrations by QEMU between two hosts, with vail-qemu on both. A watch of etcd sees one change
# of where/GUID. A viewer on the source hears where the VM is, and one on the destination registers
# there. A migration that is cancelled or fails changes nothing, and a guest that runs on both hosts is
# in conflict.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"
command -v qemu-system-x86_64 >/dev/null || {
  skip "$NAME" "QEMU is not installed"
  finish
}
# On a slow machine, no lease may run out, because a host would lose its VM to the other one.
TTL=300
# shellcheck source=tests/system/lib/fleet-hosts.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fleet-hosts.sh"

declare -A QEMUS AGENTS MONITORS # of each host, the newest QEMU, its vail-qemu and its monitor
STARTED=0
PORT=4000 # of the last migration

# A wire between the hosts, over which QEMU migrates.
join_hosts() {
  in_network "${NETWORK[1]}" ip link add wire type veth peer name wire netns "${NETWORK[2]}"
  for host in 1 2; do
    in_network "${NETWORK[$host]}" ip addr add "10.98.0.$host/24" dev wire
    in_network "${NETWORK[$host]}" ip link set wire up
  done
}

## The guest

exec_qemu() { exec nsenter --target "${NETWORK[$HOST]}" --net -- qemu-system-x86_64 "$@"; }

# start_qemu_on N OPTION...: starts a QEMU of the guest and its vail-qemu on a host. There is no disk:
# the firmware is enough of a guest.
start_qemu_on() {
  HOST=$1
  STARTED=$((STARTED + 1))
  QMP=$PRIVATE/guest/qmp$STARTED
  MONITORS[$HOST]=$QMP
  MEMORY=32 start_guest "${WITH_DISPLAY[@]}" "${@:2}"
  QEMUS[$HOST]=$QEMU
  VAILD_FLEET_SOCKET=$PRIVATE/host$HOST/fleet.sock "$VAIL_QEMU" --qmp "$QMP" --socket "$PRIVATE/host$HOST/run/vaild.sock" --user vail-alice \
    2>"$PRIVATE/agent$STARTED.log" &
  AGENTS[$HOST]=$!
}

# end_qemu_on N: ends the newest QEMU of a host, unless it has ended, and waits for its vail-qemu.
end_qemu_on() {
  kill -KILL "${QEMUS[$1]}" 2>/dev/null || true
  wait "${QEMUS[$1]}" || true
  wait "${AGENTS[$1]}" || true
}

# on_monitor N COMMAND...: sends commands to the newest QEMU of a host.
on_monitor() { QMP=${MONITORS[$1]} monitor "${@:2}"; }

# guest_is N STATE: tests the state of the guest in the vaild of a host.
guest_is() {
  [ "$(on_host "$1" root "$(call io.vaild.Machine.ListVirtualMachines)" |
    field '.parameters.virtualMachines[0].guestState')" = "$2" ]
}

# begin_migration FROM TO: begins to migrate the guest between two hosts.
begin_migration() {
  on_monitor "$1" '{"execute":"migrate","arguments":{"uri":"tcp:10.98.0.'"$2:$PORT"'"}}' >/dev/null
}

# await_guest_on N: starts a QEMU that waits for the guest.
await_guest_on() {
  PORT=$((PORT + 1))
  start_qemu_on "$1" -incoming "tcp:10.98.0.$1:$PORT"
}

migration_is() {
  on_monitor "$1" '{"execute":"query-migrate"}' | jq -r '.return.status // empty' | grep -q "^$2\$"
}

## What etcd shows

# Records each change of where/GUID.
record_where() {
  local key end body

  key=$(printf /test/where/ | base64)
  end=$(printf /test/where0 | base64)
  body='{"create_request":{"key":"'$key'","range_end":"'$end'"}}'
  # shellcheck disable=SC2016 # the inner shell's
  in_network "$HUB" "$BASH" -c 'exec 3<>/dev/tcp/127.0.0.1/2379
    printf "POST /v3/watch HTTP/1.1\r\nHost: etcd\r\nContent-Length: %d\r\n\r\n%s" "${#0}" "$0" >&3
    exec cat <&3' "$body" >"$PRIVATE/where.log" &
  eventually grep -q '"created":true' "$PRIVATE/where.log"
}

# Prints the hosts that the changes since the last call of forget_flips named, and "nobody".
flips() {
  grep -a '"events"' "$PRIVATE/where.log" | tail -n "+$((FORGOTTEN + 1))" |
    jq -r '.result.events[].kv | if .value then .value | @base64d | fromjson.name else "nobody" end' |
    paste -sd ' '
}
forget_flips() { FORGOTTEN=$(grep -ac '"events"' "$PRIVATE/where.log" || true); }
flips_are() { [ "$(flips)" = "$1" ]; }

# Prints the states of the VM on host 1 and host 2.
STATES='[.virtualMachines[] | "\(.hostName) \(.state)"] | sort'

## Viewers

# view_on N OPTION...: runs vail-view as alice on a host.
view_on() {
  VAILD_FLEET_SOCKET=$PRIVATE/host$1/fleet.sock run_as vail-alice "$PRIVATE/vail-view" \
    --socket "$PRIVATE/host$1/run/vaild.sock" "$GUID" --png "$PICTURES/host$1.png" "${@:2}" </dev/null
}

# has_picture N: tests whether a viewer registers on a host, and gets a picture.
has_picture() {
  rm -f "$PICTURES/host$1.png"
  view_on "$1" 2>"$PRIVATE/view.log" </dev/null && [ -s "$PICTURES/host$1.png" ]
}

# Starts a viewer on a host that saves each picture. Sets VIEWER to its pid.
start_viewer() {
  rm -f "$PICTURES/host$1.png"
  view_on "$1" --frames 1000000 2>"$PRIVATE/viewer.log" &
  VIEWER=$!
  eventually test -s "$PICTURES/host$1.png"
}

## Checks

check_begin() {
  start_qemu_on 1
  expect_both "the guest is on host 1" host1 .hostName where "$GUID"
  expect "its vaild knows that it runs" eventually guest_is 1 running
  expect_both "it runs there" '["host1 running"]' "$STATES" vms
  expect "a viewer on host 1 gets a picture" eventually has_picture 1
}

check_migration() {
  local epoch

  epoch=$(shown 1 .epoch where "$GUID")
  forget_flips
  start_viewer 1
  await_guest_on 2
  expect "migration: the vaild of host 2 knows that its QEMU waits" eventually guest_is 2 incoming
  expect_match "migration: vailctl of host 2 shows it" "$GUID +a guest +incoming " \
    "$("$PRIVATE/build/vailctl" --socket "$PRIVATE/host2/run/vaild.sock" list)"
  expect_both "migration: it is shown as incoming" '["host1 running","host2 incoming"]' "$STATES" vms
  expect_equal "migration: where has not changed" "" "$(flips)"
  begin_migration 1 2
  expect "migration: it is completed" eventually migration_is 1 completed
  expect_both "migration: where changes although the source's QEMU lives" host2 .hostName where "$GUID"
  expect_both "migration: the source's has ended" '["host1 ended","host2 running"]' "$STATES" vms
  expect_equal "migration: the epoch has grown" true "$(shown 1 ".epoch > $epoch" where "$GUID")"
  expect_equal "migration: it is not in host 1's hands any more" false "$(shown 1 .self where "$GUID")"
  end_qemu_on 1
  wait "$VIEWER" || true
  expect_match "migration: the viewer on host 1 hears where the VM is" \
    "virtual machine $GUID has moved to the host host2; run vail-view there" "$(cat "$PRIVATE/viewer.log")"
  expect "migration: a new viewer on host 1 fails" fails_to_view 1
  expect_match "migration: and hears where the VM is" \
    "virtual machine $GUID is on the host host2; run vail-view there" "$(cat "$PRIVATE/view.log")"
  expect "migration: a viewer on host 2 gets a picture" eventually has_picture 2
  expect_both "migration: host 2 alone has the VM" '["host2 running"]' "$STATES" vms
  expect_equal "migration: where has changed once" host2 "$(flips)"
}

fails_to_view() { ! has_picture "$1"; }

# The source goes on.
check_cancelled() {
  forget_flips
  on_monitor 2 '{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1024}}' >/dev/null
  await_guest_on 1
  expect_both "cancelled: host 1 waits" '["host1 incoming","host2 running"]' "$STATES" vms
  begin_migration 2 1
  expect "cancelled: the migration is under way" eventually migration_is 2 active
  on_monitor 2 '{"execute":"migrate_cancel"}' >/dev/null
  expect "cancelled: QEMU says so" eventually migration_is 2 cancelled
  end_qemu_on 1
  expect_both "cancelled: host 2 alone has the VM" '["host2 running"]' "$STATES" vms
  expect "cancelled: a viewer on host 2 gets a picture" eventually has_picture 2
  expect_equal "cancelled: where has not changed" "" "$(flips)"
}

# The destination dies.
check_failed() {
  forget_flips
  await_guest_on 1
  expect_both "failed: host 1 waits" '["host1 incoming","host2 running"]' "$STATES" vms
  begin_migration 2 1
  expect "failed: the migration is under way" eventually migration_is 2 active
  end_qemu_on 1
  expect "failed: QEMU says so" eventually migration_is 2 failed
  expect_both "failed: host 2 alone has the VM" '["host2 running"]' "$STATES" vms
  expect "failed: a viewer on host 2 gets a picture" eventually has_picture 2
  expect_equal "failed: where has not changed" "" "$(flips)"
  on_monitor 2 '{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1073741824}}' >/dev/null
}

# Somebody lets the source go on after the migration.
check_split() {
  forget_flips
  await_guest_on 1
  expect_both "split: host 1 waits" '["host1 incoming","host2 running"]' "$STATES" vms
  begin_migration 2 1
  expect_both "split: the guest has moved" '["host1 running","host2 ended"]' "$STATES" vms
  expect_both "split: where, too" host1 .hostName where "$GUID"
  on_monitor 2 '{"execute":"cont"}' >/dev/null
  expect_both "split: a source that goes on is in conflict" '["host1 running","host2 conflict"]' "$STATES" vms
  expect_equal "split: where has changed once" host1 "$(flips)"
  end_qemu_on 2
  expect_both "split: the conflict ends with it" '["host1 running"]' "$STATES" vms
  expect_equal "split: where has not changed again" host1 "$(flips)"
}

cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/"
join_hosts
record_where
check_begin
check_migration
check_cancelled
check_failed
check_split
check_end
[ "$FAILED" -eq 0 ] || tail -n 100 "$PRIVATE"/host*/fleet.log "$PRIVATE"/agent*.log | sed 's/^/# /'
finish
