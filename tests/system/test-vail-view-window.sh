#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vail-view's window on a virtual X server: its pixels are exactly those of the guest's screen,
# through mode changes, sizes, quarantines and restarts of vaild, and an idle guest never wakes it.
# What it says about the state of the VM is read from its title.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/desktop.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"
# shellcheck source=tests/system/lib/fake-qemu.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-qemu.sh"

CONSOLE_GUID=23232323-2323-4323-8323-232323232323
FAKE_GUID=ffffffff-ffff-4fff-8fff-ffffffffffff
KEYS='(\([a-z :]+\) )?- vail-view \(Ctrl\+Alt\+ F: full screen'

## Pictures

# save GUID [OPTION...]: saves the guest's screen as screen.png, with another vail-view and opaque.
save() {
  run_as vail-alice "${VIEW[@]}" "$1" --png "$PICTURES/saved.png" "${@:2}"
  convert "$PICTURES/saved.png" -alpha off "$PICTURES/screen.png"
}

# expect_screen CHECK GUID [OPTION...]: waits until the window shows exactly the guest's screen.
expect_screen() {
  save "${@:2}"
  expect_window "$1" "$PICTURES/screen.png"
}

# count_white: prints the number of white pixels in the window. Sentences are white.
count_white() {
  shoot
  convert "$PICTURES/window.png" -fill black +opaque white -fill white -opaque white \
    -format '%[fx:int(mean*w*h)]' info:
}
has_sentence() { [ "$(count_white)" -gt 100 ]; }

## A console whose drawings are known

# known COMMAND: sends a command to share-console.
known() {
  session_ask console "$1"
  [ -n "$REPLY" ] || not_ok "share-console: $1" "no answer"
}

# Registers the VM of share-console, which is the VMM.
add_console() {
  expect_equal "the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$CONSOLE_GUID" "${SESSION_PID[console]}" "$ALICE_CLIENT")"
  assign_gpu "$CONSOLE_GUID" >/dev/null
}

## Checks

# refused CHECK EXPECTED-STATUS PATTERN ENVIRONMENT... -- ARGUMENT...
refused() {
  local check=$1 expected=$2 pattern=$3 environment=() status=0 said
  shift 3
  while [ "$1" != -- ]; do
    environment+=("$1")
    shift
  done
  said=$(run_as vail-alice env "${environment[@]}" "${VIEW[@]}" "${@:2}" 2>&1) || status=$?
  expect_equal "$check: exit status" "$expected" "$status"
  expect_match "$check: message" "$pattern" "$said"
}

check_refusals() {
  local none=(-u DISPLAY -u WAYLAND_DISPLAY)

  refused "no desktop" 2 "neither --png nor --raw is given, and there is no desktop" \
    "${none[@]}" -- "$CONSOLE_GUID"
  refused "a misspelt VM without a desktop" 1 "nosuchvm" "${none[@]}" -- nosuchvm
  refused "an empty DISPLAY" 2 "there is no desktop" "${none[@]}" DISPLAY= -- "$CONSOLE_GUID"
  refused "a desktop that is not there" 1 "the window cannot be opened: .*check DISPLAY" \
    "${none[@]}" DISPLAY=:4711 -- "$CONSOLE_GUID"
  refused "--frames without --png" 2 "--frames needs --png or --raw" DISPLAY="$DISPLAY" -- \
    "$CONSOLE_GUID" --frames 1
  refused "--timeout without --png" 2 "--timeout needs --png or --raw" DISPLAY="$DISPLAY" -- \
    "$CONSOLE_GUID" --timeout 1
  refused "a console that is no number" 2 "--console takes a number from 0" \
    DISPLAY="$DISPLAY" -- "$CONSOLE_GUID" --console first
}

check_no_picture() {
  start_window "$CONSOLE_GUID"
  expect_title "the window says that there is no picture yet" "No picture is shared yet; .* $KEYS"
  expect "the sentence can be read in the window" eventually has_sentence
  key s
  expect_title "there is nothing to save yet" "no picture to save"
  known "mode 321 200"
  expect_screen "the first picture appears" "$CONSOLE_GUID"
  expect_equal "the window has the size of the picture" "321 200" "$(window_size)"
  expect_title "the sentence is gone from the title" "^$CONSOLE_GUID $KEYS"
}

check_formats() {
  local format

  for format in AR24 XB24 AB24 XR24; do
    known "format $format"
    known "mode 99 150" # with gaps between the rows
    expect_screen "format $format is shown exactly" "$CONSOLE_GUID"
  done
  known "rows bottom"
  known "mode 99 150"
  expect_screen "a picture with its bottom row first is shown exactly" "$CONSOLE_GUID"
  known "draw 77 0 0 99 10"
  convert "$PICTURES/screen.png" -channel R \
    -region 99x10+0+0 -evaluate set $((77 * 257)) "$PICTURES/expected.png"
  expect_window "a change of its top rows is shown there" "$PICTURES/expected.png"
  known "rows top"
  known "mode 320 200"
  expect_screen "the next mode is shown exactly" "$CONSOLE_GUID"
  expect_equal "the window follows the mode" "320 200" "$(window_size)"
}

check_damage() {
  local drawing

  for drawing in 1 2 3; do
    known "draw $drawing"
    expect_screen "drawing $drawing is shown exactly" "$CONSOLE_GUID"
  done
  convert "$PICTURES/screen.png" -channel R -region 320x20+0+40 -evaluate set $((200 * 257)) \
    "$PICTURES/expected.png"
  known "draw 200 0 40 320 20"
  expect_window "only the rows that were announced are drawn again" "$PICTURES/expected.png"
  known "draw 0"
}

# scaled FACTOR WIDTH HEIGHT: makes expected.png: the screen, scaled, in the middle of a black window.
scaled() {
  convert "$PICTURES/screen.png" -sample "$1" -background black -gravity center -extent "$2x$3" \
    "$PICTURES/expected.png"
}

resize() { xdotool windowsize --sync "$WINDOW" "$1" "$2"; }

check_sizes() {
  save "$CONSOLE_GUID"
  resize 640 400
  scaled 200% 640 400
  expect_window "the picture is scaled to fit" "$PICTURES/expected.png"
  resize 740 400
  scaled 200% 740 400
  expect_window "a wider window has black bars at the sides" "$PICTURES/expected.png"
  resize 640 500
  scaled 200% 640 500
  expect_window "a higher window has black bars above and below" "$PICTURES/expected.png"
  key o
  expect_window "Ctrl+Alt+O shows the original size" "$PICTURES/screen.png"
  resize 640 500
  scaled 100% 640 500
  expect_window "a larger window has the picture in its middle" "$PICTURES/expected.png"
  key o
  scaled 200% 640 500
  expect_window "Ctrl+Alt+O again scales to fit" "$PICTURES/expected.png"
  known "mode 160 100"
  save "$CONSOLE_GUID"
  scaled 400% 640 500
  expect_window "a window that the user has resized keeps its size" "$PICTURES/expected.png"
  known "mode 320 200"
  check_full_screen
}

check_full_screen() {
  save "$CONSOLE_GUID"
  key f
  scaled 400% 1280 1024
  expect_window "Ctrl+Alt+F fills the screen" "$PICTURES/expected.png"
  key f
  scaled 200% 640 500
  expect_window "Ctrl+Alt+F again leaves full screen" "$PICTURES/expected.png"
  resize 320 200
  expect_window "at its own size the picture is exact again" "$PICTURES/screen.png"
}

check_screenshot() {
  local file

  key s
  expect_title "the title says where a screenshot is" \
    "saved as $HOME_OF_ALICE/vail-view-[0-9-]+\.png $KEYS"
  file=$(find "$HOME_OF_ALICE" -name 'vail-view-*.png')
  expect "the screenshot is the guest's screen" are_same "$file" "$PICTURES/screen.png"
  key s
  expect "a second screenshot replaces none" eventually screenshots_are 2
  chmod 555 "$HOME_OF_ALICE"
  key s
  expect_title "the title says why a screenshot is not saved" "not saved as .*: Permission denied"
  chmod 755 "$HOME_OF_ALICE"
}
screenshots_are() { [ "$(find "$HOME_OF_ALICE" -name 'vail-view-*.png' -size +0 | wc -l)" = "$1" ]; }

check_other_objects() {
  known "name console 1"
  known "mode 30 30"
  expect_title "the window says which pictures there are" \
    'No picture is shared as "console 0"; shared are: console 1\. '
  known $'name console \033]0;1'
  known "mode 30 30"
  expect_title "the title has no control characters of a name" \
    'shared are: console \\x1b\]0;1\. '
  known "name console 1"
  known "mode 30 30"
  key q
  expect_ends "vail-view succeeds when Ctrl+Alt+Q closes it" 0
  start_window "$CONSOLE_GUID" --console 1
  expect_screen "--console shows another console" "$CONSOLE_GUID"
  expect_match "the title has its name" "^$CONSOLE_GUID, console 1 " "$(title)"
  xdotool windowactivate --sync "$WINDOW" key alt+F4 # of the window manager
  expect_ends "vail-view succeeds when its window is closed" 0
  known "name console 0"
  known "mode 320 200"
}

# The VM is registered again after each start, as a VMM does.
check_restart() {
  start_window "$CONSOLE_GUID"
  expect_screen "restart: the window shows the screen" "$CONSOLE_GUID"
  kill_and_wait "$DAEMON"
  expect_title "the window says that vaild is away" "vaild at .* cannot be reached"
  expect "the sentence is over the picture" eventually has_sentence
  start_daemon
  add_console
  known "mode 300 100"
  expect_screen "the window shows the screen of the next vaild" "$CONSOLE_GUID"
  expect_title "the sentence goes when vaild is back" "^$CONSOLE_GUID $KEYS"
}

check_revocation() {
  "${CTL[@]}" revoke "$CONSOLE_GUID" "$VIEWER"
  expect_title "the window says that the viewer was cut off" "may no longer be seen: revoked\."
  expect "the sentence is over the last picture" eventually has_sentence
  expect_idle "a viewer that was cut off does nothing"
  key r
  expect_title "Ctrl+Alt+R registers again" "^$CONSOLE_GUID $KEYS"
  expect_screen "the picture is back after Ctrl+Alt+R" "$CONSOLE_GUID"
  "${CTL[@]}" revoke "$CONSOLE_GUID" "$VIEWER"
  expect_title "the viewer is cut off again" "may no longer be seen: revoked\."
  key q
  expect_ends "vail-view fails if it was cut off when its window is closed" 1
}

# Starts a vaild-fleet that never answers. It keeps what vail-view has said before each question.
# vail-view asks for a whole GUID at its start, too, when it has said nothing yet.
start_mute_fleet() {
  "${SOCAT[@]}" "UNIX-LISTEN:$1,mode=666,fork" \
    "SYSTEM:head -c 1 >/dev/null; cd $PRIVATE; cp window.said copy; mv copy said-before; cat >/dev/null" &
  eventually test -S "$1"
}

# The search for a VM that may have moved to another host must not delay what the window says.
check_end() {
  local fleet=$PRIVATE/mute-fleet.sock

  start_mute_fleet "$fleet"
  VAILD_FLEET_SOCKET=$fleet start_window "$CONSOLE_GUID"
  expect_screen "end of the VM: the window shows the screen" "$CONSOLE_GUID"
  session_kill console
  expect_title "the window says that the VM has ended" "The virtual machine has ended\."
  expect "the sentence is over the last picture of the VM" eventually has_sentence
  expect_match "vail-view reports it as well" "the virtual machine $CONSOLE_GUID has ended" \
    "$(cat "$PRIVATE/window.said")"
  expect "the window asks the fleet where the VM is after it has said something" \
    eventually test -s "$PRIVATE/said-before"
  expect_match "the window said that the VM has ended before it asked the fleet" \
    "the virtual machine $CONSOLE_GUID has ended" "$(cat "$PRIVATE/said-before")"
  expect_idle "the window of an ended VM does nothing"
  key q
  expect_ends "vail-view succeeds if it has shown the VM until its end" 0
}

# As a user has it: SDL draws with OpenGL where it can. Its drivers keep memory for the life of a
# process.
check_default_renderer() {
  local WITH_DESKTOP=(env HOME="$HOME_OF_ALICE" ASAN_OPTIONS=detect_leaks=0)

  start_window "$CONSOLE_GUID"
  expect_screen "SDL's choice of a renderer: the picture is exact" "$CONSOLE_GUID"
  known "rows bottom"
  known "mode 320 200"
  expect_screen "SDL's choice: a picture with its bottom row first is exact" "$CONSOLE_GUID"
  known "draw 5 0 0 320 200"
  expect_screen "SDL's choice: a change is exact" "$CONSOLE_GUID"
  resize 740 400
  scaled 200% 740 400
  expect_window "SDL's choice: the picture is scaled to fit" "$PICTURES/expected.png"
  expect_idle "SDL's choice: the window of an idle guest does nothing"
  known "rows top"
  key q
  expect_ends "SDL's choice: vail-view succeeds when it is closed" 0
}

check_known_console() {
  start_daemon
  session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$CONSOLE_GUID"
  add_console
  check_refusals
  check_no_picture
  check_formats
  check_damage
  check_sizes
  check_screenshot
  expect_idle "the window of an idle guest does nothing"
  check_other_objects
  check_default_renderer
  check_restart
  check_revocation
  check_end
}

## A guest in QEMU

QEMU_USER=vail-vmm

# Tests whether the window shows exactly QEMU's own screendump. The guest is stopped meanwhile,
# because the cursor of its text mode blinks.
window_shows_screendump() {
  monitor '{"execute":"stop"}' >/dev/null
  screendump "$PRIVATE/guest/dump.png"
  local status=0
  window_shows "$PRIVATE/guest/dump.png" || status=$?
  monitor '{"execute":"cont"}' >/dev/null
  return "$status"
}

# expect_screendump CHECK
expect_screendump() {
  if eventually_unless_gone "$VIEWER" window_shows_screendump; then
    ok "$1"
  else
    not_ok "$1" "$(cat "$PRIVATE/window.said")"
  fi
}

check_real_guest() {
  command -v qemu-system-x86_64 >/dev/null || {
    skip "the window equals the screen of a guest in QEMU" "QEMU is not installed"
    return
  }
  make_changing_disk
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  start_agent --user vail-alice
  eventually console_is 720x400
  start_window "a guest"
  expect_screendump "the window equals QEMU's screendump in text mode"
  expect_match "the title has the name of the VM" "^a guest $KEYS" "$(title)"
  guest_awaits_keys
  press_key
  expect_screendump "the window equals QEMU's screendump in a graphics mode"
  expect_idle "the window of an idle guest in QEMU does nothing"
  expect "nothing wakes vail-qemu, vaild or the window then" \
    eventually are_idle "$AGENT" "$DAEMON" "$VIEWER"
  press_key
  eventually console_is 720x400
  expect_screendump "the window equals QEMU's screendump in text mode again"
  check_quarantine
  kill_and_wait "$QEMU"
  wait "$AGENT" || true
  expect_title "the window says that the guest has ended" "The virtual machine has ended\."
  key q
  expect_ends "vail-view succeeds after the end of QEMU" 0
}

check_quarantine() {
  "${CTL[@]}" vm quarantine "$GUID" >/dev/null
  expect_title "the window says that the VM is in quarantine" \
    "may no longer be seen: it is in quarantine\. The window tries again when you click"
  expect "the sentence about the quarantine can be read" eventually has_sentence
  key r
  expect_title "the quarantine is still there after Ctrl+Alt+R" "quarantine.* The window tries again"
  "${CTL[@]}" vm release "$GUID" >/dev/null
  eventually console_is 720x400
  key r
  expect_title "Ctrl+Alt+R registers again after the release" "^a guest $KEYS"
  expect_screendump "the window equals QEMU's screendump after the release"
}

## The cursor, with a fake QEMU

# expect_cursor CHECK X Y: waits until the window shows the screen with the cursor at this place.
expect_cursor() {
  local FUZZ=2% # cursors are blended

  save "$FAKE_GUID" --name "console 0"
  convert "$PICTURES/screen.png" "$PICTURES/cursor.png" -geometry "$(printf '%+d%+d' "$2" "$3")" \
    -composite "$PICTURES/expected.png"
  expect_window "$1" "$PICTURES/expected.png"
}

cursor_is_shared() { [ -n "$(objects 'select(.object.name == "console 0 cursor") | .handle')" ]; }

check_cursor() {
  local GUID=$FAKE_GUID

  session_open_with qemu root "$HELPERS/fake-qemu" "$PRIVATE/fake.qmp" "a fake guest" "$GUID" Graphic
  eventually test -S "$PRIVATE/fake.qmp"
  QMP=$PRIVATE/fake.qmp start_agent --user vail-alice
  qemu "listen 0 1"
  qemu "map 0 320 200"
  qemu "update 0 0 0 320 200"
  qemu "call 0 MouseSet iii 30 40 1"
  eventually console_is 320x200
  start_window "a fake guest"
  expect_screen "the window shows the screen without a cursor" "$GUID"
  qemu "call 0 CursorDefine iiiiay 8 4 3 2 128"
  eventually cursor_is_shared
  run_as vail-alice "${VIEW[@]}" "$GUID" --name "console 0 cursor" --png "$PICTURES/cursor.png"
  expect_cursor "the guest's cursor is on its screen" 30 40
  qemu "call 0 MouseSet iii 250 140 1"
  expect_cursor "the cursor moves" 250 140
  qemu "call 0 MouseSet iii -3 198 1"
  expect_cursor "the cursor is cut at the edges of the screen" -3 198
  qemu "call 0 MouseSet iii 30 40 0"
  expect_screen "an invisible cursor is not drawn" "$GUID" --name "console 0"
  kill_and_wait "$AGENT"
  session_kill qemu
  key q
  expect_ends "vail-view succeeds after the end of the fake QEMU" 0
}

needs_desktop
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_desktop
check_known_console
check_real_guest
check_cursor
expect_clean_stop
finish
