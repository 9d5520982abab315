# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# Guests of a QEMU with GL, in the kernel of `make check-kernel`. Mesa draws with the CPU and exports
# dma-bufs from vgem with /dev/udmabuf. To be sourced after desktop.sh, qemu-guest.sh and screens.sh.

QEMU_USER=vail-vmm
GL=dbus,p2p=yes,gl=on,rendernode=/dev/dri/renderD128
NAMED=(-name "a guest" -uuid "$GUID")
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"

# Skips the whole test if this kernel lacks the devices.
needs_gl() {
  [ -e /dev/udmabuf ] && [ -e /dev/dri/renderD128 ] && return
  skip "$NAME" "this kernel has no vgem or no udmabuf"
  finish
}

# Prints access and memory of the screen.
memory() { console '"\(.object.access) \(.memory.kind) \(.memory.sizeSealed) \(.memory.accessEnforced)"'; }

# expect_dma_buf CHECK
expect_dma_buf() {
  expect_equal "$1: it is a dma-buf, which the kernel cannot make read-only" "read dmabuf true false" \
    "$(memory)"
}

window_shows_console() { save_console 0 "$PICTURES/saved.png" && window_shows "$PICTURES/saved.png"; }

# end_guest CHECK
end_guest() {
  kill_and_wait "$QEMU"
  agent_ends "$1: vail-qemu ends with QEMU" 0 'QEMU has ended$'
}
