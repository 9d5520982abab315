#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Linux guest in QEMU 10 is used as people use a desktop: through display channels it gets keys, an
# absolute pointer, sizes and the clipboard, from a viewer written with GDBus and from vail-view's
# window. The guest's terminal echoes keys, and it writes what it gets to its serial line. In the
# guest, play-vdagent plays the part of SPICE's agent for the clipboard.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/desktop.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-guest.sh"
# shellcheck source=tests/vm/qemu-image.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-image.sh"
# shellcheck source=tests/vm/screens.sh
. "$(dirname "${BASH_SOURCE[0]}")/../screens.sh"

QEMU_USER=vail-vmm
PREFIX=org.qemu.Display1
CONSOLE=/org/qemu/Display1/Console_0
SEEN_AND_USED=7 # view, input and clipboard
WIDTH=1024      # of the guest's screen at first, so that the window fits on the desktop
HEIGHT=768
WITH_DISPLAY=(-name "a guest" -uuid "$GUID" -display "dbus,p2p=yes"
  -device "virtio-vga,id=gpu0,xres=$WIDTH,yres=$HEIGHT")

## The guest

# Prints the guest's init. The first row of its terminal has the alphabet that read-console learns, and
# the second one echoes the first line that is typed. For each line, the guest writes to its serial
# line what was typed and which size its screen should have. After "copy TEXT", the guest copies TEXT.
print_init() {
  cat <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for module in /modules/*; do
  /bin/busybox insmod "$module"
done
/bin/busybox mkfifo /copied
/bin/play-vdagent /dev/vport*p1 <>/copied >/dev/ttyS0 2>&1 &
/bin/print-pointer >/dev/ttyS0 2>&1 &
printf '\033[2J\033[H\033[?25l0123456789abcdef\r\n' >/dev/tty1
echo ready >/dev/ttyS0
while read -r word text; do
  [ "$word" != copy ] || echo "$text" >/copied
  read -r mode </sys/class/drm/card0-Virtual-1/modes
  echo "typed $word $text, screen $mode" >/dev/ttyS0
done </dev/tty1
INIT
}

guest_says() { tr -d '\r' <"$SERIAL" | grep -qxF -- "$1"; }

# expect_guest CHECK LINE: waits until the guest has written this line.
expect_guest() {
  expect "$1" eventually_unless_gone "$QEMU" guest_says "$2"
  guest_says "$2" || sed 's/^/# guest: /' "$SERIAL"
}

# The boot takes some seconds with an idle CPU. The PC's keyboard would lose keys that come faster than
# a slow guest reads them.
start_linux() {
  mkdir "$PRIVATE/additional"
  print_init >"$PRIVATE/additional/init"
  chmod 755 "$PRIVATE/additional/init"
  make_guest_initrd initrd print-pointer play-vdagent
  MEMORY=256 start_guest "${WITH_DISPLAY[@]}" -kernel /guest/vmlinuz -initrd "$PRIVATE/guest/initrd" \
    -serial "file:$SERIAL" -device virtio-keyboard-pci -device virtio-tablet-pci \
    -device virtio-serial-pci -chardev qemu-vdagent,id=agent,clipboard=on,mouse=off \
    -device virtserialport,chardev=agent,name=com.redhat.spice.0 \
    -append "quiet mitigations=off tsc=reliable no_timer_check nokaslr"
  start_agent --user vail-alice:view,input,clipboard
  expect_guest "the guest reads its terminal" ready
  expect_guest "the guest has an absolute pointer" "pointer 32767"
  expect_guest "the guest's agent for the clipboard runs" agent
  expect "the guest's screen is shared" eventually console_is "${WIDTH}x$HEIGHT"
}

## The pointer

# scaled PIXEL PIXELS: prints the position of the guest's pointer at this pixel of PIXELS.
scaled() { echo $(($1 * 32767 / $2)); }

# expect_press CHECK X Y WIDTH HEIGHT: waits until the guest has got a press of the left button with the
# pointer at this pixel, on a screen of this size.
expect_press() {
  AT="at $(scaled "$2" "$4") $(scaled "$3" "$5")"
  expect "$1" eventually_unless_gone "$QEMU" is_pressed_at
  is_pressed_at || tail -n 5 "$SERIAL" | sed 's/^/# guest: /'
}
# The last position before the last press is AT.
is_pressed_at() {
  [ "$(tr -d '\r' <"$SERIAL" | awk '/^at / { at = $0 } /^\+272$/ { pressed = at } END { print pressed }')" = "$AT" ]
}

## A viewer written with GDBus

use() {
  session_ask viewer "$1"
  [ "$REPLY" = ok ] || not_ok "$1" "$REPLY"
}

# Codes of QEMU's keys, by letter. "." stands for the blank, and "/" for Return.
declare -A CODES=([a]=30 [b]=48 [c]=46 [d]=32 [e]=18 [f]=33 [o]=24 [p]=25 [y]=21 [z]=44 [.]=57 [/]=28)

# type_codes TEXT: types it over the channel.
type_codes() {
  local i code

  for ((i = 0; i < ${#1}; i++)); do
    code=${CODES[${1:i:1}]}
    use "call $CONSOLE $PREFIX.Keyboard Press u $code"
    use "call $CONSOLE $PREFIX.Keyboard Release u $code"
  done
}

start_viewer() {
  cp "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
  chmod 755 "$PRIVATE/gdbus-viewer"
  expect "vail-qemu serves the guest's display" eventually display_opens
  session_open_with viewer vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$SEEN_AND_USED" \
    "$PRIVATE/gdbus-viewer"
}
display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" 1 true 2>/dev/null
}

# expect_echo CHECK ROW TEXT: waits until this row of the guest's terminal begins with the text.
expect_echo() {
  if eventually echoes "$2" "$3"; then ok "$1"; else not_ok "$1" "$(cat "$PRIVATE/image.log")"; fi
}
echoes() {
  save_console 0 "$PICTURES/saved.png" &&
    [ "$("$HELPERS/read-console" "$PICTURES/saved.png" "$1" 2>&1)" = "$2" ]
}

check_channel_keys() {
  type_codes "beef/"
  expect_guest "keys of a channel reach the guest" "typed beef , screen ${WIDTH}x$HEIGHT"
  expect_echo "the guest's terminal echoes them" 1 beef
  expect_console_shown "the shared screen equals QEMU's screenshot"
}

check_channel_pointer() {
  expect_reply "the guest's pointer is absolute" True viewer "get $CONSOLE $PREFIX.Mouse IsAbsolute"
  use "call $CONSOLE $PREFIX.Mouse SetAbsPosition uu 512 200"
  use "call $CONSOLE $PREFIX.Mouse Press u 0"
  use "call $CONSOLE $PREFIX.Mouse Release u 0"
  expect_press "a position of a channel reaches the guest" 512 200 "$WIDTH" "$HEIGHT"
  expect_guest "the button is released" "-272"
}

# The guest's terminal takes a smaller size at once, and a program such as a desktop any size.
check_channel_size() {
  use "call $CONSOLE $PREFIX.Console SetUIInfo qqiiuu 0 0 0 0 800 600"
  expect "the guest takes the size that a channel asks for" eventually console_is 800x600
  type_codes "c/"
  expect_guest "it is the size that the guest has" "typed c , screen 800x600"
  expect_console_shown "the screen of another size equals QEMU's screenshot"
  use "call $CONSOLE $PREFIX.Mouse SetAbsPosition uu 799 599"
  use "call $CONSOLE $PREFIX.Mouse Press u 0"
  use "call $CONSOLE $PREFIX.Mouse Release u 0"
  expect_press "positions are those of the new size" 799 599 800 600
  use "call $CONSOLE $PREFIX.Console SetUIInfo qqiiuu 0 0 0 0 $WIDTH $HEIGHT"
  expect "the guest takes the former size again" eventually console_is "${WIDTH}x$HEIGHT"
}

check_channel_clipboard() {
  expect_reply "QEMU has a clipboard" ok viewer clipboard
  use "copy 0 Grüße"
  expect_guest "a text of the viewer arrives at the guest's agent" "pasted Grüße"
  type_codes "copy.facade/"
  expect_guest "the guest copies a text" "typed copy facade, screen ${WIDTH}x$HEIGHT"
  # Before that, the viewer's text is requested, and the guest's agent begins again.
  REPLY=none
  until [[ $REPLY = "grab "* || -z $REPLY ]]; do
    session_ask viewer event
  done
  expect_match "the viewer hears of it" "^grab [0-9]+$" "$REPLY"
  expect_reply "the viewer gets the text" facade viewer paste
  expect_guest "it came from the guest's agent" asked
}

check_channel() {
  if ! /usr/bin/python3 -c 'import gi' 2>/dev/null; then
    skip "a viewer written with GDBus uses a guest in QEMU 10" "this machine has no python3-gi"
    return
  fi
  start_viewer
  check_channel_keys
  check_channel_pointer
  check_channel_size
  check_channel_clipboard
  session_kill viewer
}

## vail-view's window

has_window() {
  local program

  for program in Xvfb openbox xdotool import; do
    command -v "$program" >/dev/null || return
  done
  [[ $(ldd "$ROOT/build/sanitized/vail-view") = *libSDL2* ]]
}

check_window_keys() {
  focus
  xdotool key a b b a Return
  expect_guest "what is typed into the window reaches the guest" "typed abba , screen ${WIDTH}x$HEIGHT"
  expect "the window shows the guest's screen, pixel by pixel" eventually_unless_gone "$VIEWER" \
    window_shows_screendump
}
window_shows_screendump() {
  screendump "$PRIVATE/guest/dump.png"
  window_shows "$PRIVATE/guest/dump.png"
}

# click X Y: clicks at this pixel of the window.
click() { xdotool mousemove --window "$WINDOW" "$1" "$2" click 1; }

check_window_pointer() {
  click 100 50
  expect_press "the position of a click into the window reaches the guest" 100 50 "$WIDTH" "$HEIGHT"
  click 1023 767
  expect_press "so does the last pixel" 1023 767 "$WIDTH" "$HEIGHT"
}

check_window_size() {
  xdotool windowsize --sync "$WINDOW" 900 500
  expect "the guest takes the size of the window" eventually_unless_gone "$VIEWER" console_has_width_near 900
  expect "the window shows the new size, pixel by pixel" eventually_unless_gone "$VIEWER" \
    window_shows_screendump
}
check_window() {
  if ! has_window; then
    skip "vail-view's window uses a guest in QEMU 10" "the desktop's programs are not installed"
    return
  fi
  cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
  start_desktop
  start_window "a guest"
  expect_title "the window has input, and an absolute pointer" "^a guest - "
  check_window_keys
  expect "nothing wakes vail-qemu, vaild or the window while the guest is idle" \
    eventually are_idle "$AGENT" "$DAEMON" "$VIEWER"
  check_window_pointer
  check_window_size
  key q
  expect_ends "vail-view succeeds when it is closed" 0
}

needs_qemu_tree
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_daemon
start_linux
check_channel
check_window
kill_and_wait "$QEMU"
agent_ends "vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
expect_clean_stop
finish
