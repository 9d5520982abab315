#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The GL path of an unmodified QEMU 10: with gl=on, its screens are dma-bufs. Viewers see the firmware's
# modes as QEMU's own screenshot has them, and what is typed into vail-view's window. A viewer written
# with GDBus gets the dma-buf on a channel.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/desktop.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-guest.sh"
# shellcheck source=tests/vm/screens.sh
. "$(dirname "${BASH_SOURCE[0]}")/../screens.sh"
# shellcheck source=tests/vm/gl-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../gl-guest.sh"

## SeaBIOS and the PC's modes

# test_modes DEVICE
test_modes() {
  start_guest "${NAMED[@]}" -display "$GL" -device "$1,id=gpu0" "${WITH_DISK[@]}"
  start_agent --user vail-alice
  expect "$1: the screen is shared" eventually_unless_gone "$AGENT" console_is 720x400
  expect_dma_buf "$1"
  expect_console_shown "$1: the text mode equals QEMU's screenshot"
  expect "$1: the guest awaits a key" guest_awaits_keys
  press_key
  expect "$1: the guest changes its mode" eventually_unless_gone "$QEMU" console_is 640x400
  expect_console_shown "$1: the graphics mode equals QEMU's screenshot"
  press_key
  expect "$1: the guest changes its mode again" eventually_unless_gone "$QEMU" console_is 720x400
  expect_console_shown "$1: the text mode equals QEMU's screenshot again"
  end_guest "$1"
}

## A guest that echoes what is typed: its text mode is drawn again into the same dma-buf

window_shows_screendump() {
  screendump "$PRIVATE/guest/dump.png"
  window_shows "$PRIVATE/guest/dump.png"
}
serial_is() { [ "$(cat "$SERIAL")" = "$1" ]; }

check_window() {
  local handle

  start_window "a guest"
  expect_title "the window has input" '^a guest \(a click grabs the pointer\) - '
  expect "the window shows a dma-buf, pixel by pixel" eventually_unless_gone "$VIEWER" \
    window_shows_screendump
  handle=$(console_handle)
  focus
  xdotool key d m a
  expect "what is typed into the window reaches the guest" eventually_unless_gone "$QEMU" \
    serial_is "!dma"
  expect "the window shows what is drawn into the same dma-buf" eventually_unless_gone "$VIEWER" \
    window_shows_screendump
  expect_equal "it is the same object" "$handle" "$(console_handle)"
  key q
  expect_ends "vail-view succeeds when it is closed" 0
}

# A viewer on a channel gets the dma-buf as QEMU has sent it.
check_channel() {
  cp "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
  chmod 755 "$PRIVATE/gdbus-viewer"
  session_open_with viewer vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" 1 \
    "$PRIVATE/gdbus-viewer"
  expect_reply "a viewer registers a listener" ok viewer "listen 0 map"
  expect_reply "it gets the dma-buf, which it could write to" "dmabuf writable" viewer "screen 720x400"
  screendump "$PRIVATE/guest/dump.ppm" "" ppm
  expect_reply "its picture equals QEMU's screenshot" same viewer "matches $PRIVATE/guest/dump.ppm"
  session_kill viewer
}

test_echo() {
  make_echo_disk
  start_guest "${NAMED[@]}" -display "$GL" -device virtio-vga,id=gpu0 "${WITH_DISK[@]}" \
    -serial "file:$SERIAL"
  start_agent --user vail-alice:view,input
  expect "the echoing guest is ready" eventually_unless_gone "$QEMU" serial_is "!"
  expect "its screen is shared" eventually console_is 720x400
  start_desktop
  check_window
  check_channel
  end_guest "a guest that echoes"
}

needs_gl
make_changing_disk
start_daemon
test_modes virtio-vga
test_modes virtio-vga-gl
test_echo
expect_clean_stop
finish
