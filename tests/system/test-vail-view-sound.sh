#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The sound of vail-view's window, with a fake QEMU whose guest plays known samples. SDL writes what it
# plays to a file. Without sound from the guest, there is no output and nothing wakes the window.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/desktop.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

PLAYED=$HOME_OF_ALICE/played
WITHOUT_SOUND=("${WITH_DESKTOP[@]}" SDL_AUDIODRIVER=missing)
WITH_DESKTOP+=(SDL_AUDIODRIVER=disk "SDL_DISKAUDIOFILE=$PLAYED")

# sound METHOD TYPES VALUE...: QEMU calls its listener. Sound is the bytes 0, 1, 2 and so on.
sound() { qemu "sound 0 $*"; }

set_rights() { "${CTL[@]}" vm update "$GUID" --user "vail-alice:$1" >/dev/null; }

start_vm() {
  start_qemu
  start_agent
  eventually running_vms_are "$GUID"
  eventually set_rights view,audioOutput
  qemu "map 0 320 200"
  qemu "update 0 0 0 320 200"
}

# has_played STRUCT DIVISOR BYTES: tests whether the file has exactly the samples of this many bytes of
# sound, as floating point numbers. Zeros do not count, because silence is around them.
has_played() {
  [ -e "$PLAYED" ] || return 1
  /usr/bin/python3 - "$PLAYED" "$@" <<'PYTHON'
import struct
import sys

path, kind, divisor, size = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
sound = bytes(i % 256 for i in range(size))
wanted = [sample[0] / divisor for sample in struct.iter_unpack(kind, sound) if sample[0] != 0]
with open(path, "rb") as file:
    data = file.read()
played = [sample[0] for sample in struct.iter_unpack("=f", data[:len(data) // 4 * 4]) if sample[0] != 0]
sys.exit(played != wanted)
PYTHON
}
expect_played() { expect "$1" eventually_unless_gone "$VIEWER" has_played "${@:2}"; }

# is_open: tests whether the window has the sound output.
is_open() { find "/proc/$VIEWER/fd" -lname "$PLAYED" | grep -q .; }
is_closed() { ! is_open; }

# The guest plays 1000 frames, and so opens the output.
begin() {
  sound SetEnabled tb 7 1
  sound Write tay 7 4000
}

# vail-qemu listens to QEMU when it has a viewer with the right.
guest_has_stream() {
  session_ask qemu "sound 0 Init tybbuyuub 7 16 1 0 44100 2 4 176400 0"
  [[ $REPLY = ok* ]]
}

check_sound() {
  start_window "a guest"
  eventually_unless_gone "$VIEWER" guest_has_stream
  expect_idle "a window with sound, whose guest plays none, does nothing"
  expect "there is no sound output before the guest plays" is_closed
  begin
  expect_played "the guest's samples are played" "<h" 32768 4000
  sound SetEnabled tb 7 0
  expect "the sound output is closed when the guest stops" eventually_unless_gone "$VIEWER" is_closed
  expect_idle "then nothing wakes the window"
  expect_played "all samples were played" "<h" 32768 4000
}

# A second of sound that arrives at once: the lead of 40 ms and 160 ms of sound are played.
check_latency() {
  sound Write tay 7 176400
  expect_played "sound that comes too late is dropped" "<h" 32768 28224
  expect "the output is closed after some time without sound" \
    eventually_unless_gone "$VIEWER" is_closed
}

check_volume() {
  sound SetVolume tbay 7 1 0
  expect "a muted stream is played as silence" eventually_unless_gone "$VIEWER" is_playing
  expect "the output of a muted stream is closed, too" eventually_unless_gone "$VIEWER" is_closed
  expect_played "and there is nothing to hear" "<h" 32768 0
}

check_formats() {
  sound Init tybbuyuub 8 8 1 0 8000 1 1 8000 0
  sound Write tay 8 100
  expect_played "signed bytes are played" "b" 128 100
  expect "their output is closed" eventually_unless_gone "$VIEWER" is_closed
  sound Init tybbuyuub 8 16 1 0 48000 1 2 96000 1
  sound Write tay 8 200
  expect_played "big-endian samples are played" ">h" 32768 200
  sound Fini t 8
  expect "the output is closed when the stream ends" eventually_unless_gone "$VIEWER" is_closed
}

# Plays while the right is there, and has it withdrawn.
withdraw() {
  set_rights view,audioOutput
  eventually_unless_gone "$VIEWER" is_playing
  set_rights view
}
is_playing() {
  begin
  is_open
}

check_withdrawal() {
  expect_notice "the window says that the right was withdrawn" \
    "The sound of this virtual machine is not played any more, because your right to it was withdrawn\. .* --user vail-alice:view,audioOutput " \
    withdraw
  expect "the output is closed" eventually_unless_gone "$VIEWER" is_closed
  begin
  expect_idle "nothing wakes the window without the right"
  expect "no output is open without the right" is_closed
  set_rights view,audioOutput
  expect "the sound comes back with the right" eventually_unless_gone "$VIEWER" is_playing
  "${CTL[@]}" revoke "$GUID" "$VIEWER" >/dev/null
  expect "the sound ends when alice's window is cut off" eventually_unless_gone "$VIEWER" is_closed
  key q
  wait "$VIEWER" || true
}

# SDL has no such driver, and so no output.
check_no_output() {
  local WITH_DESKTOP=("${WITHOUT_SOUND[@]}")

  rm -f "$PLAYED"
  start_window "a guest"
  eventually_unless_gone "$VIEWER" begin_and_complain
  expect_equal "the window says once that it cannot play" 1 "$(said "cannot be played on this desktop")"
  qemu "map 0 100 50"
  qemu "update 0 0 0 100 50"
  expect "the picture goes on without sound" eventually_unless_gone "$VIEWER" window_has_size 100 50
  key q
  expect_ends "a window without sound succeeds" 0
}
begin_and_complain() {
  begin
  [ "$(said "cannot be played on this desktop")" -gt 0 ]
}

check_option() {
  start_window "a guest" --no-sound
  begin
  expect_idle "with --no-sound, nothing wakes the window"
  expect "with --no-sound, nothing is played" [ ! -e "$PLAYED" ]
  key q
  expect_ends "that window closes" 0
}

needs_desktop
mkdir -m 777 "$PRIVATE/guest"
mkdir -p "$PRIVATE/build"
cp "$ROOT/build/sanitized/vail-qemu" "$PRIVATE/"
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_desktop
start_daemon
start_vm
check_sound
check_latency
check_volume
check_formats
check_withdrawal
check_no_output
check_option
session_kill qemu
wait "$AGENT" || true
expect "vail-qemu has no memory errors" [ "$(grep -c Sanitizer "$PRIVATE/agent.log" || true)" = 0 ]
expect_clean_stop
finish
