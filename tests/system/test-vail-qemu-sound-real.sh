#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The sound of a real QEMU on display channels: the guest's boot code makes the PC speaker beep, and a
# viewer written with GDBus hears it.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

VIEW=1
HEAR=8

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

start_vm() {
  make_beeping_disk
  start_guest "${WITH_DISPLAY[@]}" -display dbus,p2p=yes,audiodev=sound "${WITH_DISK[@]}" \
    -audiodev dbus,id=sound -machine pcspk-audiodev=sound
  start_agent --user vail-alice
  expect "vail-qemu shares the guest's screen" eventually console_is 720x400
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,audioOutput >/dev/null
  expect "vail-qemu serves the guest's display" eventually display_opens
}

check_sound() {
  viewer alice vail-alice $((VIEW | HEAR))
  expect_reply "QEMU accepts vail-qemu as its listener" ok alice hear
  hears alice
  session_kill alice
}

check_restart() {
  kill_and_wait "$AGENT"
  start_agent --user vail-alice
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

cp "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_vm
if is_old; then
  check_old_qemu
else
  check_sound
  check_restart
fi
kill_and_wait "$QEMU"
agent_ends "vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
expect_clean_stop
finish
