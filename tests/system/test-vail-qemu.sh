#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vail-qemu with the QEMU that is installed here. Debian 12's QEMU sends the bytes of the
# screen instead of its memory, so that vail-qemu has to copy them. test-vail-qemu-display.sh checks
# shared memory with fake-qemu.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

# Tests whether the shared object, as vailctl save writes it, is equal to QEMU's own screendump.
matches_screendump() {
  screendump "$PRIVATE/guest/dump.png"
  rm -f "$PICTURES/console.png"
  run_as vail-alice "$PRIVATE/build/vailctl" --socket "$SOCKET" save "$(console_handle)" \
    "$PICTURES/console.png" 2>"$PRIVATE/save.log" &&
    "$HELPERS/same-image" "$PICTURES/console.png" "$PRIVATE/guest/dump.png" \
      2>>"$PRIVATE/save.log"
}

check_new_guest() {
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}" -mon chardev=pretty,mode=control,pretty=on \
    -chardev "socket,id=pretty,path=$PRIVATE/guest/pretty,server=on,wait=off"
  start_agent --user vail-alice
  expect "vail-qemu shares the guest's screen" eventually console_is 720x400
  expect_equal "the VM has QEMU's name and process, and a vGPU" "a guest $QEMU 1" \
    "$("${CTL[@]}" --json list | jq -r '.virtualMachines[] | "\(.name) \(.vmmPid) \(.virtualGpus | length)"')"
  expect_equal "the screen is shared read-only, in sealed memory" "read true true" \
    "$(objects '"\(.object.access) \(.memory.sizeSealed) \(.memory.accessEnforced)"')"
  expect "the shared object equals QEMU's screendump" eventually matches_screendump
  expect_equal "vail-qemu logs once that this QEMU makes it copy" 1 \
    "$(grep -c 'each change is copied' "$PRIVATE/agent.log")"
}

check_mode_changes() {
  local handle
  handle=$(console_handle)
  guest_awaits_keys
  press_key
  expect "a mode change shares a new object" eventually console_is_other_than "$handle"
  expect "the object of the new mode equals QEMU's screendump" eventually matches_screendump
  press_key
  expect "a second mode change returns to the first mode" eventually console_is 720x400
  expect "the object of the first mode equals QEMU's screendump" eventually matches_screendump
}

check_vaild_events() {
  "${CTL[@]}" vm quarantine "$GUID" --reason "seen at work" >/dev/null
  expect "a quarantine unshares the screen" eventually no_object
  expect "vail-qemu says who can lift it" \
    eventually grep -q "not shared any more: the VM was put in quarantine; .* vailctl vm release $GUID\$" "$PRIVATE/agent.log"
  "${CTL[@]}" vm release "$GUID" >/dev/null
  expect "the screen is shared again when the quarantine is lifted" eventually console_is 720x400
  expect "vail-qemu says that it was lifted" eventually grep -q "quarantine of the VM was lifted" "$PRIVATE/agent.log"
  kill_and_wait "$DAEMON"
  expect "vail-qemu logs that it waits for vaild when vaild is killed" \
    eventually grep -q 'waiting for it' "$PRIVATE/agent.log"
  start_daemon
  expect "the screen is shared again when vaild starts" eventually console_is 720x400
  expect "the object after the start equals QEMU's screendump" eventually matches_screendump
}

check_second_agent() {
  kill_and_wait "$AGENT"
  expect "the screen is unshared when vail-qemu is killed" eventually no_object
  QMP=$PRIVATE/guest/pretty start_agent
  expect "a second vail-qemu, with a monitor that has pretty=on, takes over the VM and shares its screen" \
    eventually console_is 720x400
  expect "the display client from before can open the object of the second vail-qemu" \
    eventually matches_screendump
}

check_end() {
  kill_and_wait "$QEMU"
  agent_ends "vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
  expect "the VM ends when QEMU is killed" eventually running_vms_are ""
}

# expect_refused CHECK PATTERN OPTION...: starts QEMU with the options. vail-qemu must exit with
# status 1 and a message that matches the pattern.
expect_refused() {
  local check=$1 pattern=$2
  shift 2
  start_guest "$@"
  start_agent
  agent_ends "$check" 1 "$pattern"
  kill_and_wait "$QEMU"
}

check_unsuitable_qemus() {
  expect_refused "a QEMU without a D-Bus display is refused" \
    'start it with -display dbus,p2p=yes' \
    -display none -uuid "$GUID" -device virtio-vga
  expect_refused "a QEMU without a UUID is refused" 'start QEMU with -uuid' \
    -display dbus,p2p=yes -device virtio-vga
  expect_refused "a QEMU without a screen is refused" 'give it a virtual GPU' \
    -display dbus,p2p=yes -uuid "$GUID"
  rm -f "$QMP"
  start_agent
  agent_ends "a missing QEMU is reported" 1 'cannot connect to QEMU.s monitor .*No such file'
  socat UNIX-LISTEN:"$QMP",unlink-close=0 SYSTEM:'echo hello' &
  eventually test -S "$QMP"
  start_agent
  agent_ends "a socket that is not a QEMU monitor is refused" 1 'is not a QEMU monitor'
}

# vail-bob may not register VMs, and is not the agent of this one.
check_unprivileged_user() {
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  chmod 777 "$QMP"
  : >"$PRIVATE/agent.log"
  run_as vail-bob "$PRIVATE/vail-qemu" --qmp "$QMP" --socket "$SOCKET" 2>"$PRIVATE/agent.log" &
  AGENT=$!
  agent_ends "an unprivileged user may not run vail-qemu" 1 \
    'vaild does not accept the virtual machine: only operators may add a VM here'
  kill_and_wait "$QEMU"
}

cp "$VAIL_QEMU" "$PRIVATE/vail-qemu"
make_changing_disk
start_daemon
check_new_guest
check_mode_changes
check_vaild_events
check_second_agent
check_end
check_unsuitable_qemus
check_unprivileged_user
expect_clean_stop
finish
