#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Display channels of vail-qemu with a real QEMU, and viewers written with GDBus: a viewer sees and
# types as far as its rights go, others are not disturbed, and what it holds down is released when
# the channel ends.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

VIEW=1
INPUT=2
VM=/org/qemu/Display1/VM
CONSOLE=/org/qemu/Display1/Console_0
PREFIX=org.qemu.Display1
DENIED=org.freedesktop.DBus.Error.AccessDenied
INVALID=org.freedesktop.DBus.Error.InvalidArgs
SHIFT=42

if ! /usr/bin/python3 -c 'import gi' 2>/dev/null; then
  skip "display channels of vail-qemu" "this machine has no python3-gi"
  finish
  exit
fi

# Makes a disk whose boot code draws a red cell in the top left corner while a left shift key is held
# down, and a green one while it is not. Sets WITH_DISK to QEMU's options for it.
make_shift_disk() {
  {
    printf '\xb8\x00\xb8\x8e\xc0'             # mov ax,b800; mov es,ax
    printf '\xb4\x02\xcd\x16\xa8\x02\x74\x05' # mov ah,2; int 16; test al,2; jz to the second mov
    printf '\xb8\x20\x40\xeb\x03'             # mov ax,4020; jmp over it
    printf '\xb8\x20\x20'                     # mov ax,2020
    printf '\x26\xa3\x00\x00\xeb\xea'         # mov es:[0],ax; jmp to mov ah
  } | boot_sector >"$PRIVATE/guest/disk"
  chmod 666 "$PRIVATE/guest/disk"
  WITH_DISK=(-drive "file=$PRIVATE/guest/disk,format=raw,if=ide")
}
HELD=a80000
RELEASED=00a800

# viewer NAME USER RIGHTS: starts a viewer with a channel of these rights.
viewer() {
  session_open_with "$1" "$2" "$HELPERS/with-display" "$SOCKET" "$GUID" "$3" "$PRIVATE/gdbus-viewer"
}

# Tests whether alice can open a display, which she closes at once.
display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$VIEW" true 2>/dev/null
}

# displays EXPRESSION: prints a jq expression of each open channel.
displays() { "${CTL[@]}" --json displays "$GUID" | jq -r ".displays[] | $1"; }
displays_are() { [ "$(displays '"\(.rights | join(",")) \(.uid)"' | sort | paste -sd';')" = "$1" ]; }

# press NAME KEY, release NAME KEY
press() { session_ask "$1" "call $CONSOLE $PREFIX.Keyboard Press u $2"; }
release() { session_ask "$1" "call $CONSOLE $PREFIX.Keyboard Release u $2"; }

# shows NAME SIZE: the viewer waits for this size.
shows() { expect_reply "$1: the viewer sees a screen of $2" "$3" "$1" "screen $2"; }

# sees NAME COLOUR: the viewer waits for this colour of the cell.
sees() { expect_reply "$1: the viewer sees the cell in $2" ok "$1" "corner $2"; }

# matches NAME: tests whether the viewer's picture equals QEMU's screendump.
matches() {
  screendump "$PRIVATE/guest/dump.ppm" gpu0 ppm
  session_ask "$1" "matches $PRIVATE/guest/dump.ppm"
  [ "$REPLY" = same ]
}

start_vm() {
  make_shift_disk
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  start_agent --user vail-alice
  expect "vail-qemu shares the guest's screen" eventually console_is 720x400
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view --user vail-bob:view,input >/dev/null
  expect "vail-qemu serves the guest's display" eventually display_opens
  viewer bob vail-bob $((VIEW | INPUT))
  viewer alice vail-alice "$VIEW"
}

check_rights() {
  # QEMU has a touch screen since version 8.1.
  session_ask bob "interfaces $CONSOLE"
  expect_equal "with input, the console has a keyboard and a mouse" \
    "$PREFIX.Console $PREFIX.Keyboard $PREFIX.Mouse" "${REPLY% "$PREFIX.MultiTouch"}"
  expect_reply "with view alone, it has neither" "$PREFIX.Console" alice "interfaces $CONSOLE"
  expect_reply "with view alone, there is no SetUIInfo" \
    "DeviceAddress Head Height Interfaces Label RegisterListener Type Width" alice \
    "members $CONSOLE"
  expect_reply "the VM has its name" "a guest" alice "get $VM $PREFIX.VM Name"
  expect_reply "the VM has its UUID" "$GUID" alice "get $VM $PREFIX.VM UUID"
  expect_reply "the VM has its console" "[0]" alice "get $VM $PREFIX.VM ConsoleIDs"
  expect_reply "the console has its width" 720 alice "get $CONSOLE $PREFIX.Console Width"
  expect_reply "with view alone, a property of the mouse is denied" "$DENIED" alice \
    "get $CONSOLE $PREFIX.Mouse IsAbsolute"
  expect_reply "with input, it can be read" False bob "get $CONSOLE $PREFIX.Mouse IsAbsolute"
  expect_reply "with view alone, a key is denied" "$DENIED" alice \
    "call $CONSOLE $PREFIX.Keyboard Press u $SHIFT"
  expect_reply "with view alone, a resize is denied" "$DENIED" alice \
    "call $CONSOLE $PREFIX.Console SetUIInfo qqiiuu 0 0 0 0 800 600"
  expect_reply "with input, a resize is passed on" ok bob \
    "call $CONSOLE $PREFIX.Console SetUIInfo qqiiuu 0 0 0 0 800 600"
  expect_reply "a chardev is denied to everybody" "$DENIED" bob \
    "call $VM $PREFIX.Chardev Register h 0"
  expect_reply "a clipboard is denied without the right" "$DENIED" bob \
    "call /org/qemu/Display1/Clipboard $PREFIX.Clipboard Register"
}

check_invalid_input() {
  expect_reply "key 0 is refused" "$INVALID" bob "call $CONSOLE $PREFIX.Keyboard Press u 0"
  expect_reply "key 256 is refused" "$INVALID" bob "call $CONSOLE $PREFIX.Keyboard Press u 256"
  expect_reply "an unknown button is refused" "$INVALID" bob \
    "call $CONSOLE $PREFIX.Mouse Press u 9"
  expect_reply "a position is refused for a relative mouse" "$INVALID" bob \
    "call $CONSOLE $PREFIX.Mouse SetAbsPosition uu 1 1"
  expect_reply "a huge motion is refused" "$INVALID" bob \
    "call $CONSOLE $PREFIX.Mouse RelMotion ii 2147483647 0"
  expect_reply "a motion is passed on" ok bob "call $CONSOLE $PREFIX.Mouse RelMotion ii -3 4"
  expect_reply "a huge screen is refused" "$INVALID" bob \
    "call $CONSOLE $PREFIX.Console SetUIInfo qqiiuu 0 0 0 0 4294967295 1"
}

check_pictures() {
  expect_reply "bob registers a listener for memory" ok bob "listen 0 map"
  expect_reply "alice registers a listener for bytes" ok alice "listen 0 bytes"
  shows bob 720x400 "map read-only"
  shows alice 720x400 bytes
  expect "the picture in memory equals QEMU's screendump" eventually matches bob
  expect "the picture in bytes equals QEMU's screendump" eventually matches alice
}

# The colour of the cell proves that the key has arrived.
check_typing() {
  sees alice "$RELEASED"
  press bob "$SHIFT"
  expect_equal "bob presses a key" ok "$REPLY"
  sees bob "$HELD"
  sees alice "$HELD"
  release bob "$SHIFT"
  sees bob "$RELEASED"
  sees alice "$RELEASED"
  expect "the picture in bytes equals QEMU's screendump again" eventually matches alice
}

# Bob's right is withdrawn while he holds a key.
check_withdrawal() {
  press bob "$SHIFT"
  sees alice "$HELD"
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view --user vail-bob:view >/dev/null
  expect_reply "bob's channel ends when his right is withdrawn" end bob end
  sees alice "$RELEASED"
  session_kill bob
}

check_death() {
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view --user vail-bob:view,input >/dev/null
  viewer bob vail-bob 0
  press bob "$SHIFT"
  sees alice "$HELD"
  session_kill bob
  sees alice "$RELEASED"
}

# A stopped viewer reads nothing. The others see all.
check_slow_viewer() {
  viewer bob vail-bob 0
  expect_reply "bob registers another listener" ok bob "listen 0 map"
  shows bob 720x400 "map read-only"
  viewer slow vail-alice "$VIEW"
  expect_reply "a third viewer registers a listener" ok slow "listen 0 bytes"
  shows slow 720x400 bytes
  kill -STOP "${SESSION_PID[slow]}"
  for _ in 1 2 3; do
    press bob "$SHIFT"
    sees alice "$HELD"
    release bob "$SHIFT"
    sees alice "$RELEASED"
  done
  kill -CONT "${SESSION_PID[slow]}"
  session_kill slow
}

check_restart() {
  kill_and_wait "$DAEMON"
  start_daemon
  expect_reply "without systemd, the channels end with vaild" end alice end
  session_kill alice
  session_kill bob
  expect "the VM is back" eventually console_is 720x400
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view --user vail-bob:view,input >/dev/null
  expect "the display is served again" eventually display_opens
  viewer alice vail-alice "$VIEW"
  expect_reply "a new channel has its picture" ok alice "listen 0 map"
  shows alice 720x400 "map read-only"
}

check_revocation() {
  expect "vaild lists the channel with its rights" eventually displays_are "view $ALICE"
  "${CTL[@]}" revoke "$GUID" "${SESSION_PID[alice]}" >/dev/null
  expect_reply "the channel ends when the registration is revoked" end alice end
  expect "no channel is left" eventually displays_are ""
  session_kill alice
}

check_end() {
  kill_and_wait "$QEMU"
  agent_ends "vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
}

cp "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_vm
check_rights
check_invalid_input
check_pictures
check_typing
check_withdrawal
check_death
check_slow_viewer
check_restart
check_revocation
check_end
expect_clean_stop
finish
