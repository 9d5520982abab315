#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Input of vail-view's window on a virtual X server. A guest in a real QEMU echoes what is typed into
# the window to its serial line. A played QEMU notes keys, buttons, positions and sizes.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/desktop.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"
# shellcheck source=tests/vm/hand-over-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/hand-over-guest.sh"
# shellcheck source=tests/system/lib/fake-qemu.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-qemu.sh"

VIEW=("$PRIVATE/build/vail-view" --socket "$SOCKET")
FAKE_GUID=ffffffff-ffff-4fff-8fff-ffffffffffff

## Windows

declare -A VIEWERS WINDOWS

# open_window USER ARGUMENT...: starts a window of the user, and makes it the current one.
open_window() {
  WINDOW_USER=$1 start_window "${@:2}"
  VIEWERS[$1]=$VIEWER
  WINDOWS[$1]=$WINDOW
}

# use_window USER: makes this user's window the current one, and gives it the focus.
use_window() {
  VIEWER=${VIEWERS[$1]}
  WINDOW=${WINDOWS[$1]}
  focus
}

# expect_reason CHECK PATTERN: presses a key in the current window, which then says for some seconds why
# the key reaches nobody. Repeats that, because this test may be stopped for longer.
expect_reason() {
  expect "$1" eventually_unless_gone "$VIEWER" gives_reason "$2"
}
gives_reason() {
  xdotool key x
  title_matches "$1"
}

## A guest that echoes what is typed

QEMU_USER=vail-vmm

serial_is() { [ "$(cat "$SERIAL")" = "$1" ]; }

# expect_serial CHECK TEXT: waits until the guest has written exactly this since the last time.
ECHOED=
expect_serial() {
  ECHOED+=$2
  expect "$1" eventually_unless_gone "$QEMU" serial_is "$ECHOED"
  serial_is "$ECHOED" || echo "# the serial line has '$(cat "$SERIAL")'"
}

# type_text TEXT: types the characters into the window with the focus, each after the echo of the one
# before.
type_text() {
  local i

  for ((i = 0; i < ${#1}; i++)); do
    xdotool key "${1:i:1}"
    ECHOED+=${1:i:1}
    eventually_unless_gone "$QEMU" serial_is "$ECHOED"
  done
}

# expect_arrival CHECK: waits until keys arrive. A window does not notice at once that its channel has
# ended, and so the first keys can get lost.
expect_arrival() {
  expect "$1" eventually_unless_gone "$QEMU" arrives
  xdotool key z
  eventually_unless_gone "$QEMU" serial_matches "$ECHOED"'y+z'
  ECHOED=$(cat "$SERIAL")
}
arrives() {
  xdotool key y
  [[ $(cat "$SERIAL") == "$ECHOED"y* ]]
}
serial_matches() { grep -qxE -- "$1" "$SERIAL"; }

# set_rights RIGHTS-OF-ALICE RIGHTS-OF-BOB
set_rights() {
  "${CTL[@]}" vm update "$GUID" --user "vail-alice:$1" --user "vail-bob:$2" >/dev/null
}

READY='^a guest \(a click grabs the pointer\) - '
VIEW_ONLY='^a guest \(view only: you may not type\)'

start_echo() {
  make_echo_disk
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}" -serial "file:$SERIAL"
  start_agent --user vail-alice
  eventually console_is 720x400
  set_rights view view,input
  expect_serial "the guest is ready" "!"
}

check_typing() {
  open_window vail-alice "a guest"
  expect_title "alice's title says that she may only look" "$VIEW_ONLY"
  open_window vail-bob "a guest"
  expect_title "bob's window has input" "$READY"
  use_window vail-bob
  type_text "hello"
  expect_serial "what bob types is echoed by the serial line" ""
  xdotool keydown shift
  expect_serial "a key that is held is down in the guest" "<"
  xdotool key a
  expect_serial "it changes other keys" A
  xdotool keyup shift
  expect_serial "it is released in the guest" ">"
  expect_screendump "bob's window shows what was typed"
  expect_idle "a window with input, which nobody uses, does nothing"
}

check_right() {
  use_window vail-alice
  expect_reason "alice's window says why her key reaches nobody" \
    "$VIEW_ONLY: You may see this virtual machine, but not type into it\. Its owner can allow it with: vailctl vm update \"a guest\" --user vail-alice:view,input "
  xdotool click 1
  use_window vail-bob
  type_text b
  expect_serial "alice's key did not arrive" ""
}

check_focus() {
  use_window vail-bob
  xdotool keydown shift
  expect_serial "bob holds a key" "<"
  use_window vail-alice
  expect_serial "the key is released when the window loses the focus" ">"
  xdotool keyup shift
}

# Bob holds a key while his right is withdrawn.
check_withdrawal() {
  use_window vail-bob
  xdotool keydown shift
  expect_serial "bob holds a key again" "<"
  set_rights view,input view
  expect_serial "the key is released when bob's right is withdrawn" ">"
  xdotool keyup shift
  expect_reason "bob's window says why he cannot type any more" \
    "You may no longer type into this virtual machine, because your right to input was withdrawn\. .* --user vail-bob:view,input "
  use_window vail-alice
  expect_title "alice has got the right" "$READY"
  type_text "alice"
  expect_serial "alice can type, and bob's last key did not arrive" ""
  use_window vail-bob
  expect_title "bob's window goes on" "$VIEW_ONLY - "
  expect_screendump "the picture in bob's window goes on"
}

# Tests whether the window shows exactly QEMU's own screendump.
window_shows_screendump() {
  screendump "$PRIVATE/guest/dump.png"
  window_shows "$PRIVATE/guest/dump.png"
}
expect_screendump() { expect "$1" eventually_unless_gone "$VIEWER" window_shows_screendump; }

check_agent_restart() {
  use_window vail-alice
  kill_and_wait "$AGENT"
  expect_title "the title says that there is no input without vail-qemu" "no input"
  start_agent --user vail-alice
  eventually console_is 720x400
  expect_title "the window has input when vail-qemu is back" "$READY"
  expect_arrival "keys arrive through the next vail-qemu"
}

# The guest goes on in another QEMU, which has a serial line of its own.
check_hand_over() {
  SERIAL=$PRIVATE/guest/serial2
  ECHOED=
  next_qemu -serial "file:$SERIAL" -incoming "unix:$PRIVATE/guest/migration"
  eventually vm_is "$FORMER_QEMU" "$QEMU"
  eventually shares "$AGENT"
  migrate "$FORMER_QMP" "unix:$PRIVATE/guest/migration"
  quit_qemu "$FORMER_QMP"
  wait "$FORMER_AGENT" "$FORMER_QEMU" || true
  eventually vm_is "$QEMU" null
  use_window vail-alice
  expect_arrival "keys arrive in the QEMU that has taken over"
  expect_title "the window has input after a hand-over" "$READY"
}

check_vaild_restart() {
  kill_and_wait "$DAEMON"
  expect_title "the window says that vaild is away" "vaild at .* cannot be reached"
  start_daemon
  eventually console_is 720x400
  set_rights view,input view
  expect_title "the window has input when vaild is back" "$READY"
  use_window vail-alice
  expect_arrival "keys arrive through the next vaild"
}

check_revocation() {
  "${CTL[@]}" revoke "$GUID" "${VIEWERS[vail-alice]}" >/dev/null
  expect_title "the window says that alice was cut off" "may no longer be seen: revoked\."
  xdotool key q
  key r
  expect_title "Ctrl+Alt+R registers again" "$READY"
  type_text "r"
  expect_serial "no key arrived meanwhile, and the next ones do" ""
}

# The window comes back with the first click after the end of the quarantine.
check_quarantine() {
  "${CTL[@]}" vm quarantine "$GUID" >/dev/null
  expect_title "the window says that the VM is in quarantine" \
    "it is in quarantine\. The window tries again when you click into it or press a key\."
  xdotool key w
  expect_title "a key during the quarantine changes nothing" "quarantine.* The window tries again"
  "${CTL[@]}" vm release "$GUID" >/dev/null
  eventually console_is 720x400
  xdotool mousemove --window "$WINDOW" 20 20 click 1
  expect_title "a click after the quarantine brings the window back" "$READY"
  type_text "free"
  expect_serial "keys arrive after the quarantine" ""
}

check_kill() {
  xdotool keydown shift
  expect_serial "alice holds a key" "<"
  kill_and_wait "${VIEWERS[vail-alice]}"
  expect_serial "the key is released when her window is killed" ">"
  xdotool keyup shift
}

check_echo() {
  command -v qemu-system-x86_64 >/dev/null || {
    skip "what is typed is echoed by a guest in QEMU" "QEMU is not installed"
    return
  }
  start_echo
  check_typing
  check_right
  check_focus
  check_withdrawal
  check_agent_restart
  check_hand_over
  check_vaild_restart
  check_revocation
  check_quarantine
  check_kill
  kill_and_wait "${VIEWERS[vail-bob]}"
  kill_and_wait "$QEMU"
  wait "$AGENT" || true
}

## The played QEMU

CONSOLE=0 # the one that is looked at

# hears: adds the input that fake-qemu has got since the last time to HEARD, without Ctrl and Alt. On a
# slow desktop these can arrive so late that they count as keys of their own.
hears() {
  qemu "heard $CONSOLE"
  HEARD=$(tr ' ' '\n' <<<"$HEARD ${REPLY#ok}" | grep -vxE '[-+](29|56)' | xargs)
}
heard_keys_and_buttons() { tr ' ' '\n' <<<"$HEARD" | grep '^[-+]' | xargs; }
has_heard() {
  hears
  [ "$(heard_keys_and_buttons)" = "$1" ]
}

# expect_heard CHECK TEXT: waits until fake-qemu has heard exactly this since the last time, beside
# positions and sizes, which may arrive later than the test's next step.
expect_heard() {
  HEARD=
  expect "$1" eventually_unless_gone "$VIEWER" has_heard "$2"
}

# ends_at X Y: tests whether the last position is this one.
ends_at() {
  hears
  [ "$(tr ' ' '\n' <<<"$HEARD" | grep '^at' | tail -n 1)" = "at$1,$2" ]
}
expect_position() {
  HEARD=
  expect "$1" eventually_unless_gone "$VIEWER" ends_at "$2" "$3"
}

# point X Y: moves the pointer to this place of the window.
point() { xdotool mousemove --window "$WINDOW" "$1" "$2"; }

has_moved() {
  qemu "moved 0"
  [ "$REPLY" = "$1" ]
}

resize() { xdotool windowsize --sync "$WINDOW" "$1" "$2"; }

start_fake() {
  local GUID=$FAKE_GUID

  session_open_with qemu root "$HELPERS/fake-qemu" "$PRIVATE/fake.qmp" "a fake guest" "$GUID" Graphic \
    Graphic
  eventually test -S "$PRIVATE/fake.qmp"
  QMP=$PRIVATE/fake.qmp start_agent --user vail-alice
  qemu "listen 0 1"
  qemu "mouse 0 1"
  qemu "mouse 1 1"
  qemu "map 0 320 200"
  qemu "update 0 0 0 320 200"
  qemu "listen 1 1"
  qemu "map 1 100 100"
  qemu "update 1 0 0 100 100"
  eventually console_is 320x200
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,input --user vail-bob:view >/dev/null
  open_window vail-bob "a fake guest"
  open_window vail-alice "a fake guest" --console 0
  expect_title "the window has input, with an absolute pointer" "^a fake guest, console 0 - "
  eventually window_has_size 320 200
  use_window vail-alice
}

check_absolute() {
  point 10 20
  expect_position "the position of the pointer arrives" 10 20
  point 319 199
  expect_position "the last pixel can be reached" 319 199
  xdotool click 1
  expect_heard "a click arrives" "+b0 -b0"
  xdotool click 2 click 3 click 4 click 5
  expect_heard "the other buttons and the wheel arrive" "+b1 -b1 +b2 -b2 +b3 -b3 +b4 -b4"
  point 5 5
  HEARD=
  eventually ends_at 5 5
  xdotool mousedown 1
  expect_heard "a button that is held is down in the guest" "+b0"
}

check_button_focus() {
  use_window vail-bob
  expect_heard "the button is released when the window loses the focus" "-b0"
  xdotool mouseup 1
  use_window vail-alice
}

check_sizes() {
  hears
  HEARD=
  resize 740 400
  expect "the guest is asked for the size of a resized window" eventually has_size 740x400
  point 60 100
  expect_position "a scaled picture has its own pixels" 5 50
  point 3 399
  expect_position "next to the picture the nearest pixel counts" 0 199
  point 739 0
  expect_position "at the other side as well" 319 0
  key o
  eventually window_has_size 320 200
  resize 400 300
  point 45 60
  expect_position "at 1:1, a pixel of the window is one of the guest" 5 10
  point 0 0
  expect_position "at 1:1, next to the picture the nearest pixel counts" 0 0
  key o
  resize 320 200
}
has_size() {
  hears
  [[ " $HEARD " == *" size$1 "* ]]
}

check_shortcuts() {
  point 100 100
  expect_position "the pointer is back" 100 100
  key f
  eventually window_has_size 1280 1024
  key f
  eventually window_has_size 320 200
  HEARD=
  expect "keys arrive after shortcuts" eventually typing_arrives
  expect_equal "no letter of a shortcut arrives" "" "$(grep -o '[-+]33' <<<"$HEARD" || true)"
  key k
  expect_title "Ctrl+Alt+K announces that the next keys go to the guest" \
    "\(the next keys go to the guest\)"
  xdotool key ctrl+alt+f
  HEARD=
  expect "the next combination arrives" eventually has_key 33
  expect_title "only one combination is passed on" "^a fake guest, console 0 - "
  settle
  xdotool key Left XF86AudioMute Pause
  expect_heard "extended keys arrive" "+203 -203 +160 -160 +198 -198"
}
# The window manager may not have returned the focus yet.
typing_arrives() {
  xdotool key a
  has_key 30
}
# settle: waits until all input has arrived that was sent before.
settle() {
  xdotool key n
  HEARD=
  eventually_unless_gone "$VIEWER" has_key 49
}
# has_key CODE: tests whether the key was pressed and released.
has_key() {
  hears
  [ "$(tr ' ' '\n' <<<"$HEARD" | grep -x -- "[-+]$1" | tail -n 1)" = "-$1" ]
}

check_relative() {
  qemu "mouse 0 0"
  expect_title "a relative pointer has to be grabbed" "\(a click grabs the pointer\)"
  point 100 100
  xdotool click 1
  expect_title "a click grabs it, and the title has the key that releases it" \
    "\(Ctrl\+Alt\+G releases the pointer\)"
  xdotool mousemove_relative -- 7 5
  expect "motions arrive" eventually has_moved 7,5
  xdotool mousemove_relative -- -20 -1
  expect "motions in the other direction arrive" eventually has_moved -13,4
  xdotool click 3
  expect_heard "a click arrives while it is grabbed, but not the first one" "+b2 -b2"
  key g
  expect_title "Ctrl+Alt+G releases it" "\(a click grabs the pointer\)"
  key g
  expect_title "Ctrl+Alt+G grabs it again" "\(Ctrl\+Alt\+G releases the pointer\)"
  qemu "mouse 0 1"
  expect_title "with an absolute pointer only the keyboard stays grabbed" \
    "\(Ctrl\+Alt\+G releases the keyboard\)"
  key g
  expect_title "Ctrl+Alt+G releases the keyboard" "^a fake guest, console 0 - "
}

# While vail-qemu does not read, the window goes on, and nothing stays down in the guest.
check_stopped_agent() {
  local keys

  kill -STOP "$AGENT"
  mapfile -t keys < <(yes a | head -n 600)
  xdotool key --delay 0 "${keys[@]}"
  key f
  expect "the window goes on while vail-qemu does not" eventually window_has_size 1280 1024
  key f
  HEARD=
  kill -CONT "$AGENT"
  eventually is_released
  expect_match "the keys arrive when vail-qemu goes on" "\+30 " "$HEARD"
  expect_equal "the key is up at the end" -30 "$(grep -o '[-+]30' <<<"$HEARD" | tail -n 1)"
}
# Another key is the last one to arrive.
is_released() {
  hears
  [[ $HEARD = *-48 ]] || xdotool key b
  [[ $HEARD = *-48 ]]
}

check_other_consoles() {
  open_window vail-alice "a fake guest" --console 1
  expect_title "the window of another console has input" "^a fake guest, console 1 - "
  use_window vail-alice
  xdotool key a
  CONSOLE=1 expect_heard "keys arrive at the other console" "+30 -30"
  key q
  expect_ends "vail-view succeeds when the other console's window is closed" 0
  qemu "call 0 CursorDefine iiiiay 8 4 3 2 128"
  eventually cursor_is_shared
  open_window vail-alice "a fake guest" --name "console 0 cursor"
  expect_title "a picture that is no console has no input" "\(no input\)"
  use_window vail-alice
  expect_reason "a key press shows why" "it is not a console that vail-qemu serves\."
  key q
  expect_ends "vail-view succeeds when that window is closed" 0
}
cursor_is_shared() { [ -n "$(objects 'select(.object.name == "console 0 cursor") | .handle')" ]; }

check_fake() {
  start_fake
  check_absolute
  check_button_focus
  check_sizes
  check_shortcuts
  check_relative
  check_stopped_agent
  key q
  expect_ends "vail-view succeeds when it is closed" 0
  check_other_consoles
  kill_and_wait "${VIEWERS[vail-bob]}"
  kill_and_wait "$AGENT"
  session_kill qemu
}

needs_desktop
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_desktop
start_daemon
check_fake
check_echo
expect_clean_stop
finish
