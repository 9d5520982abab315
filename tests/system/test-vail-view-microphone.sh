#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The microphone of vail-view's window, with a fake QEMU whose guest records. SDL reads a file in place
# of a microphone. The window records only with --microphone, only with the right, and only while the
# guest reads. The title says so.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/desktop.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

SPOKEN=$HOME_OF_ALICE/spoken
WITH_DESKTOP+=(SDL_AUDIODRIVER=disk "SDL_DISKAUDIOFILEIN=$SPOKEN")

# The upper byte of 0.5 as a sample of 16 bits. The lower one is 0.
HALF=40
SILENCE=00

# record METHOD TYPES VALUE...: QEMU calls its listener for the microphone.
record() { qemu "record 0 $*"; }

set_rights() { "${CTL[@]}" vm update "$GUID" --user "vail-alice:$1" >/dev/null; }

start_vm() {
  start_qemu
  start_agent
  eventually running_vms_are "$GUID"
  eventually set_rights view,input,audioInput
  qemu "map 0 320 200"
  qemu "update 0 0 0 320 200"
}

# guest_hears BYTE: the guest reads 10 ms, whose first byte that is not 0 is this one.
guest_hears() {
  record Read tt 7 1764
  [ "$REPLY" = "1764 $1" ]
}

# guest_hears_nothing: not even what was recorded before.
guest_hears_nothing() { guest_hears "$SILENCE"; }

# is_on: tests whether the window has the microphone.
is_on() { find "/proc/$VIEWER/fd" -lname "$SPOKEN" | grep -q .; }
is_off() { ! is_on; }

guest_has_stream() {
  session_ask qemu "record 0 Init tybbuyuub 7 16 1 0 44100 2 4 176400 0"
  [[ $REPLY = ok* ]]
}

title_has() { title | grep -qF "$1"; }
title_lacks() { ! title_has "$1"; }

guest_records() {
  guest_hears "$HALF" && title_has "(microphone on)"
}

# A QEMU without a listener would give the guest memory that it has not cleared.
check_before_viewers() {
  expect "QEMU has a listener before any viewer comes" eventually guest_has_stream
  record SetEnabled tb 7 1
  expect "the guest hears silence before any viewer comes" guest_hears_nothing
  record SetEnabled tb 7 0
}

check_not_asked_for() {
  start_window "a guest"
  eventually_unless_gone "$VIEWER" guest_has_stream
  record SetEnabled tb 7 1
  for _ in 1 2 3; do
    expect "without --microphone, the guest hears silence" guest_hears_nothing
  done
  record SetEnabled tb 7 0
  expect "without --microphone, nothing is recorded" is_off
  expect "the title says nothing of a microphone" title_lacks "microphone"
  key q
  expect_ends "that window closes" 0
}

check_record() {
  start_window "a guest" --microphone
  eventually_unless_gone "$VIEWER" guest_has_stream
  expect_idle "a window with a microphone, whose guest records nothing, does nothing"
  expect "the microphone is off before the guest records" is_off
  expect "the guest hears silence before it records" guest_hears_nothing
  record SetEnabled tb 7 1
  expect "the guest hears the user, and the title says so" \
    eventually_unless_gone "$VIEWER" guest_records
  record SetEnabled tb 7 0
  expect "the microphone is off when the guest stops" eventually_unless_gone "$VIEWER" is_off
  expect "the title says no more that it is on" \
    eventually_unless_gone "$VIEWER" title_lacks "microphone on"
  expect "the guest hears silence then" guest_hears_nothing
  expect_idle "nothing wakes the window then"
}

check_idle_guest() {
  record SetEnabled tb 7 1
  expect "the guest records again" eventually_unless_gone "$VIEWER" guest_records
  expect "the microphone goes off if the guest does not read" \
    eventually_unless_gone "$VIEWER" is_off
}

# withdraw: has the right withdrawn while the guest records.
withdraw() {
  eventually_unless_gone "$VIEWER" guest_records
  set_rights view,input
}

check_withdrawal() {
  expect_notice "the window says that the right was withdrawn" \
    "This virtual machine does not hear your microphone any more, because your right to that was withdrawn\. .* --user vail-alice:view,input,audioInput " \
    withdraw
  expect "the microphone is off" is_off
  expect "the guest does not hear what was recorded before" guest_hears_nothing
  set_rights view,input,audioInput
  expect "the guest hears the user with the right again" \
    eventually_unless_gone "$VIEWER" guest_hears_again
  "${CTL[@]}" revoke "$GUID" "$VIEWER" >/dev/null
  expect "the microphone is off when alice's window is cut off" \
    eventually_unless_gone "$VIEWER" is_off
  expect "the guest hears silence then" eventually guest_hears_nothing
  key q
  wait "$VIEWER" || true
}
guest_hears_again() { guest_hears "$HALF"; }

check_missing_right() {
  set_rights view,input
  start_window "a guest" --microphone
  expect "the window says that the right is missing" \
    eventually_unless_gone "$VIEWER" was_said "does not hear your microphone, because you have no right"
  key q
  expect_ends "that window closes" 0
}
was_said() { [ "$(said "$1")" -gt 0 ]; }

needs_desktop
mkdir -m 777 "$PRIVATE/guest"
mkdir -p "$PRIVATE/build"
cp "$ROOT/build/sanitized/vail-qemu" "$PRIVATE/"
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_desktop
/usr/bin/python3 -c 'import struct, sys
sys.stdout.buffer.write(struct.pack("=f", 0.5) * 4000000)' >"$SPOKEN"
chmod 644 "$SPOKEN"
start_daemon
start_vm
check_before_viewers
check_not_asked_for
check_record
check_idle_guest
check_withdrawal
check_missing_right
session_kill qemu
wait "$AGENT" || true
expect "vail-qemu has no memory errors" [ "$(grep -c Sanitizer "$PRIVATE/agent.log" || true)" = 0 ]
expect_clean_stop
finish
