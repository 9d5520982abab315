#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The display clients that vail-libvirt has read from metadata and gives to vail-qemu. When a drop-in
# that has replaced them goes, vail-qemu does not bring them back: their owner may have withdrawn them.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

AGENT_LOG=$PRIVATE/agent.log
DROP_IN=$CONFIG/machines.d/50-guest.json

# start_agent_of_libvirt: starts vail-qemu as vail-libvirt does. Sets AGENT to its pid.
start_agent_of_libvirt() {
  "$PRIVATE/vail-qemu" --qmp "$QMP" --socket "$SOCKET" --settings-source libvirt --user vail-alice \
    2>>"$AGENT_LOG" &
  AGENT=$!
}

says() { grep -qE -- "$1" "$AGENT_LOG"; }

# clients: prints where the display clients of the VM come from, and their users.
clients() {
  ask root "$(call io.vaild.Machine.DescribeVirtualMachine "{\"virtualMachineGuid\":\"$GUID\"}")" |
    field '.parameters.virtualMachine |
      "\(.displayClientsSource) \([.displayClients[]?.user // "-"] | join(","))"'
}
clients_are() { [ "$(clients)" = "$1" ]; }

# set_drop_in: has vaild read a drop-in that names carol.
set_drop_in() {
  (umask 022 && mkdir -p "$CONFIG/machines.d" &&
    echo "{\"virtualMachineGuid\":\"$GUID\",\"displayClients\":[{\"user\":\"vail-carol\"}]}" >"$DROP_IN")
  "${CTL[@]}" reload >/dev/null
}

# Waits until vail-qemu has handled all changes of the VM so far, which vaild reports in order.
wait_for_agent() {
  : >"$AGENT_LOG"
  "${CTL[@]}" vm quarantine "$GUID" >/dev/null
  eventually says "console 0 is not shared any more"
  "${CTL[@]}" vm release "$GUID" >/dev/null
}

is_shared() { [ -n "$("${CTL[@]}" --json objects | jq -r '.sharedObjects[].handle')" ]; }

start_guest() {
  start_qemu
  start_agent_of_libvirt
  expect "the metadata name the display clients at first" eventually clients_are "libvirt vail-alice"
  qemu "listen 0 1"
  qemu "map 0 64 48"
  eventually is_shared
}

forget_vm() {
  kill_and_wait "$DAEMON"
  start_daemon
}

check_drop_in() {
  local before

  forget_vm
  expect "a vaild that has forgotten the VM gets them again" \
    eventually clients_are "libvirt vail-alice"
  eventually is_shared
  set_drop_in
  expect_equal "a drop-in replaces them" "dropIn vail-carol" "$(clients)"
  rm "$DROP_IN"
  "${CTL[@]}" reload >/dev/null
  before=$(clients)
  expect "when the drop-in goes, alice is no display client" [ "$before" != "libvirt vail-alice" ]
  wait_for_agent
  expect_equal "vail-qemu does not bring her back" "$before" "$(clients)"
}

# The owner may have withdrawn the consent while the drop-in applied.
check_forgotten() {
  local status=0

  forget_vm
  wait "$AGENT" || status=$?
  expect_equal "vail-qemu ends if vaild forgets the VM then, so that the metadata are read again" 1 \
    "$status"
  expect_match "it says why" "does not accept the virtual machine: .*start vail-qemu again" \
    "$(cat "$AGENT_LOG")"
  expect_equal "nobody has registered the VM" "" "$(running_vms)"
  start_agent_of_libvirt
  expect "a vail-qemu that is started then names the display clients" \
    eventually clients_are "libvirt vail-alice"
}

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$PRIVATE/"
start_daemon
start_guest
check_drop_in
check_forgotten
session_kill qemu
wait "$AGENT" || true
expect_clean_stop
finish
