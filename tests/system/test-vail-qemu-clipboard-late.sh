#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A QEMU that is stopped cannot let vail-qemu join its clipboard. That withholds no picture, and the
# clipboard is there when QEMU goes on.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f13
QMP=$PRIVATE/guest/qmp
VIEW=1
CLIP=4
PREFIX=org.qemu.Display1
CLIPBOARD=/org/qemu/Display1/Clipboard
CONSOLE=/org/qemu/Display1/Console_0

if ! /usr/bin/python3 -c 'import gi' 2>/dev/null; then
  skip "the clipboard of a QEMU that is stopped" "this machine has no python3-gi"
  finish
  exit
fi

start_vm() {
  session_open_with qemu root "$HELPERS/fake-qemu" "$QMP" "a guest" "$GUID" Graphic
  eventually test -S "$QMP"
  "$PRIVATE/vail-qemu" --qmp "$QMP" --socket "$SOCKET" --user vail-alice:view,clipboard \
    2>"$PRIVATE/agent.log" &
  AGENT=$!
  eventually display_opens
}

display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$VIEW" true 2>/dev/null
}

# viewer NAME RIGHTS: starts a viewer of vail-alice with a channel of these rights.
viewer() {
  session_open_with "$1" vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$2" \
    "$PRIVATE/gdbus-viewer"
}

registers() {
  session_ask "$1" "call $CLIPBOARD $PREFIX.Clipboard Register"
  [ "$REPLY" = ok ]
}

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_vm
viewer first "$VIEW"
expect_reply "a channel without the clipboard is served" 0 first "get $CONSOLE $PREFIX.Console Head"
kill -STOP "${SESSION_PID[qemu]}"
viewer second $((VIEW | CLIP))
expect_reply "a channel with the clipboard is served while QEMU is stopped" 0 second \
  "get $CONSOLE $PREFIX.Console Head"
kill -CONT "${SESSION_PID[qemu]}"
expect "it gets the clipboard when QEMU goes on" eventually registers second
session_kill qemu
wait "$AGENT" || true
expect_clean_stop
finish
