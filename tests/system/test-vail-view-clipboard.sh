#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The clipboard of vail-view's window on a virtual X server, with a fake QEMU whose guest copies and
# pastes: text passes in both directions while the window has the focus, and only then, and only with
# the right to it.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/desktop.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

## The guest

guest_pastes() {
  qemu "paste 0"
  [ "$REPLY" = "$1" ]
}
expect_paste() {
  eventually_unless_gone "$VIEWER" guest_pastes "$2" || true
  expect_equal "$1" "$2" "$REPLY"
}

# grabs: prints how often vail-qemu has offered a text to QEMU.
grabs() {
  qemu "clipboard 0"
  echo "${REPLY% *}"
}
grabs_are() { [ "$(grabs)" = "$1" ]; }

## The desktop

# desktop_copies TEXT: an xclip of alice has the clipboard from now on.
desktop_copies() {
  printf %s "$1" | run_as vail-alice env DISPLAY="$DISPLAY" xclip -selection clipboard >/dev/null 2>&1
  eventually desktop_has "$1"
}
# The window reads the desktop's clipboard again when a key like Shift is pressed.
copy_while_focused() {
  desktop_copies "$1"
  xdotool key shift
}
desktop_text() {
  run_as vail-alice env DISPLAY="$DISPLAY" timeout 60 xclip -selection clipboard -o 2>/dev/null || true
}
desktop_has() { [ "$(desktop_text)" = "$1" ]; }
expect_desktop() {
  eventually_unless_gone "$VIEWER" desktop_has "$2" || true
  expect_equal "$1" "$2" "$(desktop_text)"
}

# OTHER is a window that shares no clipboard, and takes the focus.
open_windows() {
  start_window "a guest" --no-clipboard
  OTHER=$WINDOW
  OTHER_VIEWER=$VIEWER
  start_window "a guest"
  focus
}

leave_window() {
  xdotool windowactivate "$OTHER"
  eventually_unless_gone "$OTHER_VIEWER" other_has_focus
}
other_has_focus() { [ "$(xdotool getwindowfocus 2>/dev/null)" = "$OTHER" ]; }

# Waits until the window has heard all that the guest has said so far. A change of the guest's mouse
# comes after that, and shows in the title.
IS_ABSOLUTE=0
settle() {
  local pattern="^a guest - "

  IS_ABSOLUTE=$((1 - IS_ABSOLUTE))
  [ "$IS_ABSOLUTE" = 1 ] || pattern="a click grabs the pointer"
  qemu "mouse 0 $IS_ABSOLUTE"
  eventually_unless_gone "$VIEWER" title_matches "$pattern"
}

set_rights() { "${CTL[@]}" vm update "$GUID" --user "vail-alice:$1" >/dev/null; }

start_vm() {
  start_qemu
  start_agent
  eventually running_vms_are "$GUID"
  eventually set_rights view,input,clipboard
  qemu "map 0 320 200"
  qemu "update 0 0 0 320 200"
}

## Checks

check_copy_and_paste() {
  desktop_copies before
  open_windows
  expect_paste "the guest pastes what the desktop has when the window gets the focus" before
  copy_while_focused zweiter-Ä
  expect_paste "it pastes what is copied while the window has the focus" zweiter-Ä
  qemu "copy 0 of-the-guest"
  expect_desktop "the desktop pastes what the guest copies" of-the-guest
  qemu "copy 0 again-ü"
  expect_desktop "it pastes what the guest copies next" again-ü
  desktop_copies of-the-desktop
  xdotool click 1
  expect_paste "the desktop's next text replaces the guest's" of-the-desktop
  expect_equal "each text was offered once, and none of the guest's" 3 "$(grabs)"
  expect_idle "a window with a clipboard, in which nobody copies, does nothing"
}

# The guest does not get what alice copies for other programs, whatever its agent does.
check_focus() {
  local before

  leave_window
  desktop_copies secret
  before=$(($(grabs) + 1))
  qemu "reset 0"
  expect "an agent that begins without the focus is offered a text" \
    eventually_unless_gone "$AGENT" grabs_are "$before"
  expect_paste "it is the text from before" of-the-desktop
  qemu "copy 0 pending"
  qemu "reset 0"
  settle
  expect_equal "the desktop keeps its text while the window has no focus" secret "$(desktop_text)"
  expect_equal "nothing else is offered to the guest meanwhile" "$before" "$(grabs)"
  focus
  expect_paste "the guest gets the text when the window has the focus again" secret
  expect_desktop "and the desktop keeps it" secret
  leave_window
  qemu "copy 0 later"
  focus
  expect_desktop "a text that the guest has copied without the focus waits for it" later
}

check_long_texts() {
  local long

  printf -v long '%064512d' 0
  copy_while_focused "$long"
  expect_paste "a text of 64512 bytes passes" "64512 bytes"
  expect_notice "the window says that a longer one is too long" \
    "too long for the virtual machine: at most 64512 bytes" copy_too_much "${long}0"
  expect_paste "and the guest has no text then" nothing
  expect_notice "the window says that the guest's is too long" \
    "cannot be pasted here, because it is no valid text, or longer than 64512 bytes" \
    qemu "copy 0 70000"
  copy_while_focused short
  expect_paste "the next text passes" short
}

# copy_too_much TEXT: copies a text that passes, and then this one.
copy_too_much() {
  copy_while_focused medium
  eventually_unless_gone "$VIEWER" guest_pastes medium
  copy_while_focused "$1"
}

# Grants the right if it is missing, and withdraws it.
withdraw() {
  set_rights view,input,clipboard
  copy_while_focused visible
  eventually_unless_gone "$VIEWER" guest_pastes visible
  set_rights view,input
}

check_withdrawal() {
  expect_notice "the window says that the right was withdrawn" \
    "right to its clipboard was withdrawn\. .* vm update \"a guest\" --user vail-alice:view,input,clipboard " \
    withdraw
  expect_paste "the guest has no text of the desktop any more" nothing
  desktop_copies hidden
  qemu "copy 0 unseen"
  set_rights view,input,clipboard
  expect_paste "the guest gets the text when the right is granted again" hidden
  expect_equal "what it has copied meanwhile has not replaced the desktop's" hidden \
    "$(desktop_text)"
  set_rights view,clipboard
  expect_title "the title says that alice may not type" "view only: you may not type"
  copy_while_focused without-input
  expect_paste "the clipboard needs no right to input" without-input
}

check_ends() {
  set_rights view,input,clipboard
  settle
  kill_and_wait "$AGENT"
  desktop_copies next-agent
  start_agent
  expect_paste "the next vail-qemu gets the text" next-agent
  "${CTL[@]}" revoke "$GUID" "$VIEWER" >/dev/null
  expect_paste "the guest loses the text when alice's window is cut off" nothing
  desktop_copies after-the-end
  focus
  key r
  expect_paste "Ctrl+Alt+R brings the clipboard back" after-the-end
}

check_option() {
  key q
  expect_ends "the window closes" 0
  expect_paste_of_other "a window with --no-clipboard offers nothing" nothing
}
expect_paste_of_other() { VIEWER=$OTHER_VIEWER expect_paste "$@"; }

needs_desktop
command -v xclip >/dev/null || {
  skip "$NAME" "xclip is not installed"
  finish
}
mkdir -m 777 "$PRIVATE/guest"
mkdir -p "$PRIVATE/build"
cp "$ROOT/build/sanitized/vail-qemu" "$PRIVATE/"
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_desktop
start_daemon
start_vm
check_copy_and_paste
check_focus
check_long_texts
check_withdrawal
check_ends
check_option
kill_and_wait "$OTHER_VIEWER"
session_kill qemu
wait "$AGENT" || true
expect "vail-qemu has no memory errors" [ "$(grep -c Sanitizer "$PRIVATE/agent.log" || true)" = 0 ]
expect_clean_stop
finish
