#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The clipboard on display channels with a real QEMU. A VNC client of the same QEMU plays the guest's
# agent, because QEMU shares one clipboard among all its displays.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

VIEW=1
CLIP=4
VNC=$PRIVATE/guest/vnc

if ! /usr/bin/python3 -c 'import gi' 2>/dev/null; then
  skip "the clipboard on display channels with a real QEMU" "this machine has no python3-gi"
  finish
  exit
fi

viewer() {
  session_open_with "$1" "$2" "$HELPERS/with-display" "$SOCKET" "$GUID" "$3" "$PRIVATE/gdbus-viewer"
}
display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$VIEW" true 2>/dev/null
}

# hears CHECK TEXT: the next line of the played agent is this one.
hears() {
  IFS= read -r -u "${SESSION_OUT[agent]}" REPLY
  expect_equal "$1" "$2" "$REPLY"
}

start_vm() {
  start_guest "${WITH_DISPLAY[@]}" -vnc "unix:$VNC"
  start_agent --user vail-alice
  expect "vail-qemu shares the guest's screen" eventually console_is 720x400
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,input,clipboard >/dev/null
  expect "vail-qemu serves the guest's display" eventually display_opens
}

check_copy() {
  session_open_with agent root "$ROOT/tests/system/helpers/vnc-clipboard" "$VNC"
  hears "QEMU has a clipboard for VNC" ready
  viewer alice vail-alice $((VIEW | CLIP))
  expect_reply "QEMU accepts vail-qemu as its peer" ok alice clipboard
  expect_reply "alice copies" ok alice "copy 0 ein-Wörtchen"
  hears "the text arrives at the played agent" ein-Wörtchen
  expect_reply "alice copies a long text" ok alice "copy 1 big=64000"
  IFS= read -r -u "${SESSION_OUT[agent]}" REPLY
  expect_equal "the long text arrives" 64000 "${#REPLY}"
  session_kill alice
}

# QEMU 7.2 takes the former vail-qemu for its peer as long as nobody unregisters it.
check_restart() {
  kill_and_wait "$AGENT"
  start_agent --user vail-alice
  expect "vail-qemu serves the display again" eventually display_opens
  viewer alice vail-alice $((VIEW | CLIP))
  expect_reply "QEMU accepts another vail-qemu as its peer" ok alice clipboard
  expect_reply "alice copies again" ok alice "copy 0 again"
  hears "the text arrives again" again
  session_kill alice
}

cp "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_vm
check_copy
check_restart
kill_and_wait "$QEMU"
agent_ends "vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
expect_clean_stop
finish
