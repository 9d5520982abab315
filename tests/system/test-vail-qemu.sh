#!/bin/bash
# SPDX-License-Identifier: MIT
#
# vail-qemu between this machine's own QEMU and the daemon. Debian 12's passes bytes and no memory,
# so this is the path that copies; what newer ones do is seen on one.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

# What the guest shows, as who is registered for it sees it, is what QEMU says that it shows.
is_what_qemu_shows() {
  screendump "$PRIVATE/guest/dump.png"
  rm -f "$PICTURES/console.png"
  run_as vail-alice "$PRIVATE/build/vailctl" --socket "$SOCKET" save "$(console_handle)" \
    "$PICTURES/console.png" 2>"$PRIVATE/save.log" &&
    "$HELPERS/same-image" "$PICTURES/console.png" "$PRIVATE/guest/dump.png" \
      2>>"$PRIVATE/save.log"
}

brings_the_guest_in() {
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  start_agent --user vail-alice
  expect "vail-qemu shares the guest's screen" eventually console_is 720x400
  expect_equal "the VM is QEMU's, with a vGPU" "a guest $QEMU 1" \
    "$("${CTL[@]}" --json list | jq -r '.virtualMachines[] | "\(.name) \(.vmmPid) \(.virtualGpus | length)"')"
  expect_equal "for its display client to read" "read true true" \
    "$(objects '"\(.object.access) \(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect "what is shared is what QEMU shows" eventually is_what_qemu_shows
  expect_equal "it says once that this QEMU makes it copy" 1 \
    "$(grep -c 'each change is copied' "$PRIVATE/agent.log")"
}

follows_changes() {
  local handle
  handle=$(console_handle)
  press_key
  expect "another mode is another object" eventually console_is_other_than "$handle"
  expect "which is what QEMU shows" eventually is_what_qemu_shows
  press_key
  expect "and back" eventually console_is 720x400
  expect "to what QEMU shows" eventually is_what_qemu_shows
}

# What happens to the VM at vaild reaches the agent.
follows_vaild() {
  "${CTL[@]}" vm quarantine "$GUID" --reason "seen at work" >/dev/null
  expect "in quarantine nothing is shared" eventually no_object
  "${CTL[@]}" vm release "$GUID" >/dev/null
  expect "it is shared again when that is lifted" eventually console_is 720x400
  kill_hard "$DAEMON"
  expect "it waits for a daemon that is lost" eventually grep -q 'waiting for it' "$PRIVATE/agent.log"
  start_daemon
  expect "and brings all in anew" eventually console_is 720x400
  expect "as it was" eventually is_what_qemu_shows
}

# A second agent finds the VM there, and is its agent from then on.
begins_again() {
  kill_hard "$AGENT"
  expect "an agent that is gone shares nothing" eventually no_object
  start_agent
  expect "the next one takes over" eventually console_is 720x400
  expect "for the display client that was named before" eventually is_what_qemu_shows
}

ends_with_qemu() {
  kill_hard "$QEMU"
  agent_ends "QEMU is killed" 0 'QEMU has ended$'
  expect "and so is the VM" eventually running_are ""
}

# refused CHECK PATTERN OPTION...: a QEMU that it cannot work with.
refused() {
  local check=$1 pattern=$2
  shift 2
  start_guest "$@"
  start_agent
  agent_ends "$check" 1 "$pattern"
  kill_hard "$QEMU"
}

says_what_is_missing() {
  refused "a QEMU without a D-Bus display" 'start it with -display dbus,p2p=yes' -display none \
    -uuid "$GUID" -device virtio-vga
  refused "a QEMU without a UUID" 'start QEMU with -uuid' -display dbus,p2p=yes -device virtio-vga
  refused "a QEMU without a screen" 'give it a virtual GPU' -display dbus,p2p=yes -uuid "$GUID"
  rm -f "$QMP"
  start_agent
  agent_ends "no QEMU" 1 'cannot connect to QEMU.s monitor .*No such file'
  socat UNIX-LISTEN:"$QMP",unlink-close=0 SYSTEM:'echo hello' &
  eventually test -S "$QMP"
  start_agent
  agent_ends "something that is no monitor" 1 'is not a QEMU monitor'
}

# Who may not bring a VM in, and was not made its agent, is told so.
not_everybody() {
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  chmod 777 "$QMP"
  run_as vail-bob "$PRIVATE/vail-qemu" --qmp "$QMP" --socket "$SOCKET" 2>"$PRIVATE/agent.log" &
  AGENT=$!
  agent_ends "somebody who may not" 1 'vaild does not allow watching the virtual machine'
  kill_hard "$QEMU"
}

cp "$VAIL_QEMU" "$PRIVATE/vail-qemu"
make_changing_disk
start_daemon
brings_the_guest_in
follows_changes
follows_vaild
begins_again
ends_with_qemu
says_what_is_missing
not_everybody
expect_clean_stop
finish
