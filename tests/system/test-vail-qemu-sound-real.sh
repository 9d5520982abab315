#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The sound of a real QEMU on display channels, with and without a message bus: the guest's boot code
# makes the PC speaker beep, and a viewer written with GDBus hears it. QEMU also accepts a microphone.
# Other clients of the bus get nothing of the clipboard.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

VIEW=1
CLIP=4
HEAR=8
SPEAK=16
BUS=unix:path=$PRIVATE/guest/bus

if ! /usr/bin/python3 -c 'import gi' 2>/dev/null; then
  skip "the sound of a real QEMU on display channels" "this machine has no python3-gi"
  finish
  exit
fi

# Makes a disk whose boot code lets the PC speaker beep. Sets WITH_DISK to QEMU's options for it.
make_beeping_disk() {
  {
    printf '\xb0\xb6\xe6\x43'                 # mov al,b6; out 43,al
    printf '\xb8\xa9\x04\xe6\x42\x88\xe0\xe6\x42' # mov ax,04a9; out 42,al; mov al,ah; out 42,al
    printf '\xe4\x61\x0c\x03\xe6\x61'         # in al,61; or al,3; out 61,al
    printf '\xf4\xeb\xfd'                     # hlt; jmp to hlt
  } | boot_sector >"$PRIVATE/guest/disk"
  chmod 666 "$PRIVATE/guest/disk"
  WITH_DISK=(-drive "file=$PRIVATE/guest/disk,format=raw,if=ide")
}

viewer() {
  session_open_with "$1" "$2" "$HELPERS/with-display" "$SOCKET" "$GUID" "$3" "$PRIVATE/gdbus-viewer"
}
display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$VIEW" true 2>/dev/null
}

# hears NAME: the viewer's listener gets the stream, and then sound. Sets STREAM to its id.
hears() {
  session_ask "$1" sound
  expect_match "$1 hears of the stream of the PC speaker" '^init [0-9]+ (8|16|32) [0-9]+$' "$REPLY"
  STREAM=$(cut -d' ' -f2 <<<"$REPLY")
  while session_ask "$1" sound && [[ $REPLY = "enabled $STREAM "* || $REPLY = "volume $STREAM "* ]]; do :; done
  expect_match "$1 hears sound" "^write $STREAM [1-9][0-9]+\$" "$REPLY"
}

# beeping_guest DISPLAY: starts QEMU with these options of its display.
beeping_guest() {
  start_guest -name "a guest" -uuid "$GUID" -display "dbus,$1,audiodev=sound" \
    -device virtio-vga,id=gpu0 "${WITH_DISK[@]}" \
    -audiodev dbus,id=sound -machine pcspk-audiodev=sound
}

# start_bus_agent: starts vail-qemu on the message bus.
start_bus_agent() {
  "$VAIL_QEMU" --bus "$BUS" --socket "$SOCKET" --user vail-alice 2>"$PRIVATE/agent.log" &
  AGENT=$!
}

# Waits until vail-qemu serves channels, to alice with all rights.
served() {
  expect "$1: vail-qemu shares the guest's screen" eventually console_is 720x400
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,clipboard,audioOutput,audioInput >/dev/null
  expect "$1: vail-qemu serves the guest's display" eventually display_opens
}

check_sound() {
  viewer alice vail-alice $((VIEW | HEAR))
  expect_reply "QEMU accepts vail-qemu as its listener" ok alice hear
  hears alice
  session_kill alice
}

# A viewer with the right to the microphone gets it only if QEMU accepts vail-qemu as its listener.
check_microphone() {
  viewer alice vail-alice $((VIEW | SPEAK))
  expect_reply "QEMU accepts vail-qemu as its microphone" RegisterInListener \
    alice "members /org/qemu/Display1/Audio"
  session_kill alice
}

# check_restart COMMAND...: the same with another vail-qemu, which COMMAND starts.
check_restart() {
  kill_and_wait "$AGENT"
  "$@"
  expect "vail-qemu serves the display again" eventually display_opens
  viewer alice vail-alice $((VIEW | HEAR))
  expect_reply "QEMU accepts another vail-qemu as its listener" ok alice hear
  hears alice
  session_kill alice
}

# QEMU 7.2 crashes when a listener comes without a message bus.
check_old_qemu() {
  viewer alice vail-alice $((VIEW | HEAR))
  expect_reply "an old QEMU has no sound on channels" org.freedesktop.DBus.Error.UnknownObject \
    alice hear
  expect_match "vail-qemu says so" "sound is not served, because this QEMU would crash" \
    "$(cat "$PRIVATE/agent.log")"
  expect "QEMU lives on" qemu_answers
  session_kill alice
  skip "a viewer hears a real QEMU" "this QEMU is older than 8.1"
}

# Tests whether QEMU is older than 8.1.
is_old() {
  local version
  version=$(monitor '{"execute":"query-version"}' |
    jq -s '[.[] | select(.return.qemu?) | .return.qemu.major * 100 + .return.qemu.minor][0]')
  [ "$version" -lt 801 ]
}

end_vm() {
  kill_and_wait "$QEMU"
  agent_ends "$1: vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
}

# With a message bus, other clients of the bus reach vail-qemu's clipboard, which is for QEMU alone.
check_other_clients() {
  viewer alice vail-alice $((VIEW | CLIP))
  expect_reply "on a bus: a viewer registers for the clipboard" ok alice clipboard
  expect_reply "on a bus: it copies" ok alice "copy 0 secret"
  expect_reply "on a bus: it is asked" request alice event
  expect_match "on a bus: another client gets no text" "AccessDenied.*for QEMU alone" \
    "$(ask_clipboard 2>&1)"
  session_kill alice
}

# Asks each client of the bus for a text, except QEMU.
ask_clipboard() {
  local name

  for name in $(gdbus call --address "$BUS" --dest org.freedesktop.DBus --object-path / \
    --method org.freedesktop.DBus.ListNames | grep -o ':[0-9.]*'); do
    gdbus call --address "$BUS" --dest "$name" --object-path /org/qemu/Display1/Clipboard \
      --timeout 1000 --method org.qemu.Display1.Clipboard.Request 0 "['text/plain;charset=utf-8']" || true
  done
}

check_on_bus() {
  dbus-daemon --session --nofork --nopidfile --address="$BUS" 2>"$PRIVATE/bus.log" &
  local bus=$!
  eventually test -S "$PRIVATE/guest/bus"
  beeping_guest "addr=$BUS"
  start_bus_agent
  served "on a bus"
  check_sound
  check_microphone
  if command -v gdbus >/dev/null; then
    check_other_clients
  else
    skip "on a bus: another client gets no text" "this machine has no gdbus"
  fi
  check_restart start_bus_agent
  check_microphone
  end_vm "on a bus"
  kill_and_wait "$bus"
}

check_without_bus() {
  beeping_guest p2p=yes
  start_agent --user vail-alice
  served "without a bus"
  if is_old; then
    check_old_qemu
  else
    check_sound
    check_microphone
    check_restart start_agent --user vail-alice
  fi
  end_vm "without a bus"
}

cp "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
make_beeping_disk
check_on_bus
check_without_bus
expect_clean_stop
finish
