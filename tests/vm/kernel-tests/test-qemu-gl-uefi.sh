#!/bin/bash
# SPDX-License-Identifier: MIT
#
# UEFI under a QEMU with GL. Its driver for virtio-gpu draws textures, whose bottom row comes first in
# memory and whose alpha means nothing. Viewers see the picture opaque and the right way up.

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

UEFI=/usr/share/OVMF

# Starts a machine with nothing to boot. It has no UEFI shell either, which takes many minutes without
# KVM. So UEFI asks for a key, below its top and on the serial line. Its logo is in the middle.
start_uefi() {
  MEMORY=128 start_guest "${NAMED[@]}" -machine q35 -net none -serial "file:$SERIAL" \
    -display "$GL" -device virtio-gpu-gl-pci,id=gpu0 \
    -fw_cfg name=opt/org.tianocore/EFIShellSupport,string=no \
    -drive "if=pflash,format=raw,unit=0,file=$UEFI/OVMF_CODE_4M.fd,readonly=on" \
    -drive "if=pflash,format=raw,unit=1,file=$UEFI/OVMF_VARS_4M.fd,snapshot=on"
}
uefi_waits() { grep -qa 'Press any key' "$SERIAL"; }

# brightest WIDTHxHEIGHT+X+Y: prints the value of the brightest pixel in a part of the picture, from 0
# to 1.
brightest() { convert "$PICTURES/saved.png" -crop "$1" +repage -format '%[fx:maxima]' info:; }

# UEFI writes a text to the serial line and to the screen, in any order.
has_text_near_top() {
  save_console 0 "$PICTURES/saved.png" && [ "$(brightest 1280x200+0+0)" != 0 ]
}

# Prints 1 if the picture has the orange of the logo, else 0.
has_orange() {
  convert "$PICTURES/saved.png" -fill black +opaque '#FF5500' -format '%[fx:maxima.r]' info:
}

check_picture() {
  expect "there is text near the top of the screen" eventually_unless_gone "$QEMU" has_text_near_top
  expect_dma_buf "UEFI's screen"
  expect_equal "its format has no alpha, and its bottom row comes first" "XB24 bottom" \
    "$(console '"\(.object.format) \(.object.firstRow)"')"
  expect_equal "the picture has the size of UEFI's mode" 1280x800 \
    "$(identify -format '%wx%h' "$PICTURES/saved.png")"
  expect_equal "there is nothing near the bottom of the screen" 0 "$(brightest 1280x200+0+600)"
  expect_match "the picture is opaque" '^[Tt]rue$' "$(identify -format '%[opaque]' "$PICTURES/saved.png")"
  expect_equal "the logo has its colour" 1 "$(has_orange)"
}

check_window() {
  start_window "a guest"
  expect "the window shows the same picture" eventually_unless_gone "$VIEWER" window_shows_console
  key q
  expect_ends "vail-view succeeds when it is closed" 0
}

needs_gl
start_daemon
start_uefi
start_agent --user vail-alice
start_desktop 1600x1200 # larger than the screen with the window's borders
expect "UEFI waits for a key" eventually_unless_gone "$QEMU" uefi_waits
check_picture
check_window
end_guest "UEFI"
expect_clean_stop
finish
