#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A QEMU that is stopped cannot let vail-qemu listen to its sound. That withholds no picture, and the
# sound is there when QEMU goes on.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

VIEW=1
HEAR=8
CONSOLE=/org/qemu/Display1/Console_0

needs_gdbus "the sound of a QEMU that is stopped"

# viewer NAME RIGHTS: starts a viewer of vail-alice with a channel of these rights.
viewer() {
  session_open_with "$1" vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$2" "$PRIVATE/gdbus-viewer"
}

display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$VIEW" true 2>/dev/null
}
grant() { "${CTL[@]}" vm update "$GUID" --user vail-alice:view,audioOutput >/dev/null; }

listens() {
  session_ask "$1" hear
  [ "$REPLY" = ok ]
}

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_qemu
start_agent
expect "vail-qemu registers the VM" eventually running_vms_are "$GUID"
eventually grant
expect "vail-qemu serves the guest's display" eventually display_opens
viewer first "$VIEW"
expect_reply "a channel without sound is served" 0 first "get $CONSOLE $PREFIX.Console Head"
kill -STOP "${SESSION_PID[qemu]}"
viewer second $((VIEW | HEAR))
expect_reply "a channel with sound is served while QEMU is stopped" 0 second \
  "get $CONSOLE $PREFIX.Console Head"
expect_reply "the channel has no sound yet" org.freedesktop.DBus.Error.UnknownObject second \
  "interfaces /org/qemu/Display1/Audio"
kill -CONT "${SESSION_PID[qemu]}"
expect "the viewer can listen when QEMU goes on" eventually listens second
session_ask qemu "sound 0 Init tybbuyuub 7 16 1 0 44100 2 4 176400 0"
expect_match "QEMU has a listener" '^ok' "$REPLY"
expect_reply "the viewer hears the stream" "init 7 16 44100" second sound
session_kill qemu
wait "$AGENT" || true
expect_clean_stop
finish
