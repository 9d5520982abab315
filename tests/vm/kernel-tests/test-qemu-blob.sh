#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Linux guest whose virtual GPU has blob=on, under a QEMU with GL. Its screen is a dma-buf of the
# guest's own memory, so viewers see what the guest draws without any copy.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/desktop.sh"
# shellcheck source=tests/vm/guest-image.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest-image.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-guest.sh"
# shellcheck source=tests/vm/screens.sh
. "$(dirname "${BASH_SOURCE[0]}")/../screens.sh"
# shellcheck source=tests/vm/gl-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../gl-guest.sh"

LINE=$PRIVATE/guest/line
SIZE=1280x800
BYTES=$((1280 * 800 * 4))

## The guest

# Prints the guest's init. It runs each line that it gets on its serial line, and says there what is
# typed on its terminal.
print_init() {
  cat <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t sysfs sys /sys
/bin/busybox --install -s /bin
for module in /modules/*; do
  insmod "$module"
done
mkfifo /colours
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
while read -r word; do echo "typed $word"; done </dev/tty1 &
echo ready
while read -r line; do
  eval "$line"
done
INIT
}

make_initrd() {
  mkdir -p "$PRIVATE/additional/bin"
  cp "$HELPERS/flip-buffers" "$PRIVATE/additional/bin/"
  print_init | make_initramfs / virtio-gpu virtio_input >"$PRIVATE/guest/initrd"
  (cd "$PRIVATE/additional" && find . | busybox cpio -o -H newc 2>/dev/null) >>"$PRIVATE/guest/initrd"
}

# say LINE: makes the guest run it.
say() { printf '%s\n' "$1" >&"$TO_GUEST"; }

guest_says() { tr -d '\r' <"$SERIAL" | grep -qxF -- "$1"; }

# expect_guest CHECK LINE: waits until the guest has written this line.
expect_guest() { expect "$1" eventually_unless_gone "$QEMU" guest_says "$2"; }

start_linux() {
  make_initrd
  mkfifo -m 666 "$LINE.in" "$LINE.out"
  exec {TO_GUEST}<>"$LINE.in"
  cat "$LINE.out" >/dev/null &
  MEMORY=256 start_guest "${NAMED[@]}" -machine q35,memory-backend=ram \
    -object memory-backend-memfd,id=ram,size=256M,share=on -display "$GL" \
    -device virtio-gpu-pci,id=gpu0,blob=on -device virtio-keyboard-pci \
    -kernel /boot/vmlinuz-* -initrd "$PRIVATE/guest/initrd" \
    -chardev "pipe,id=line,path=$LINE,logfile=$SERIAL" -serial chardev:line \
    -append "quiet mitigations=off tsc=reliable no_timer_check nokaslr"
}

# draw TEXT: clears the guest's terminal. Its first row has the alphabet that read-console learns, its
# second row the text, and its third row what is typed.
draw() {
  say "printf '\033[2J\033[H\033[?25l0123456789abcdef\r\n$1\r\n' >/dev/tty1; echo drew $1"
  expect_guest "the guest draws" "drew $1"
}

## Pictures

# shows_text ROW TEXT: tests whether this row of the guest's terminal begins with the text.
shows_text() {
  save_console 0 "$PICTURES/saved.png" &&
    [ "$("$HELPERS/read-console" "$PICTURES/saved.png" "$1" 2>&1)" = "$2" ]
}

# expect_text CHECK ROW TEXT
expect_text() { expect "$1" eventually_unless_gone "$AGENT" shows_text "$2" "$3"; }

# Tests whether the screen's pixels, which end a BMP file, are those that the guest has told.
pixels_are_told() {
  local sum

  sum=$(run_as vail-alice "${VIEW[@]}" "$GUID" --name "console 0" --raw --frames 1 2>/dev/null \
    </dev/null | tail -c "$BYTES" | md5sum)
  guest_says "pixels ${sum%% *} -"
}

check_picture() {
  draw 0123abcd
  expect_text "viewers see what the guest draws" 1 0123abcd
  expect_dma_buf "the guest's screen"
  expect_equal "its format and its first row" "$SIZE XR24 top" \
    "$(console '"\(.object.width)x\(.object.height) \(.object.format) \(.object.firstRow // "top")"')"
  say "echo pixels \$(head -c $BYTES /dev/fb0 | md5sum)"
  expect "each pixel is that of the guest's memory" eventually_unless_gone "$QEMU" pixels_are_told
}

# The dma-buf is the guest's own memory: the guest reads what a viewer writes, although libvail does not
# write there.
check_memory() {
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  expect_reply "a viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  session_ask viewer "open $(console_handle)"
  expect_match "a viewer opens the screen" '^STATUS_SUCCESS [0-9]+:readWrite$' "$REPLY"
  expect_reply "libvail refuses to map it" STATUS_NOT_SUPPORTED viewer "write 0 0 viewer"
  expect_reply "the viewer writes to it without libvail" written viewer "overwrite 0 viewer"
  say 'echo "read $(head -c 6 /dev/fb0)"'
  expect_guest "it is the guest's own memory" "read viewer"
  session_kill viewer
}

## The window

# A guest that shows another buffer makes QEMU release the former one, with Disable. Linux does so too
# when it draws first after a change of the mode: it shows the same buffer again. QEMU 10 drops the
# ScanoutDMABUF that it has not sent by then, so vail-qemu asks for the screen again.
check_flips() {
  local colour

  say '/bin/flip-buffers <>/colours &'
  for colour in 102030 405060 708090 a0b0c0; do
    say "echo $colour >/colours"
    expect_guest "the guest shows another buffer" "shows $colour"
    convert -size "$SIZE" "xc:#$colour" "$PICTURES/colour.png"
    expect_window "the window shows the buffer $colour" "$PICTURES/colour.png"
  done
  say 'kill $!; wait $!; echo "flips no more"'
  expect_guest "the guest shows its terminal again" "flips no more"
  expect_text "viewers see the terminal again" 2 facade
}

check_off() {
  say 'echo 1 >/sys/class/graphics/fb0/blank; echo "the screen is off"'
  expect_guest "the guest turns its screen off" "the screen is off"
  say 'echo 0 >/sys/class/graphics/fb0/blank; echo "the screen is on"'
  expect_guest "the guest turns its screen on" "the screen is on"
  expect_text "viewers see the screen that is on again" 2 facade
}

check_window() {
  start_window "a guest"
  expect "the window shows the guest's memory" eventually_unless_gone "$VIEWER" window_shows_console
  focus
  xdotool key f a c a d e Return
  expect_guest "what is typed into the window reaches the guest" "typed facade"
  expect_text "the guest's terminal echoes it" 2 facade
  check_flips
  check_off
  xdotool windowsize --sync "$WINDOW" 900 500
  expect "the guest takes the size of the window" eventually_unless_gone "$VIEWER" console_has_width_near 900
  expect "the window shows it" eventually_unless_gone "$VIEWER" window_shows_console
  key q
  expect_ends "vail-view succeeds when it is closed" 0
}

needs_gl
start_daemon
start_linux
start_agent --user vail-alice:view,input
start_desktop 1600x1200 # while the guest boots
expect_guest "the guest runs" ready
expect "its screen is shared" eventually_unless_gone "$AGENT" console_is "$SIZE"
check_picture
check_memory
check_window
end_guest "a guest with blob=on"
expect_clean_stop
finish
