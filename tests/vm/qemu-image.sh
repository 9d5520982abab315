# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the script uses what is set here
#
# What `make check-qemu` downloads: a Debian 13 with its QEMU, and for a guest its stock kernel with
# an initramfs. To be sourced behind debian-13.sh, guest-image.sh and qemu-guest.sh; the first two
# and this one are the recipe, and what is built of it is kept under build/qemu until they change.

QEMU_PACKAGES=qemu-system-x86,qemu-system-modules-opengl,seabios
QEMU_PACKAGES+=,linux-image-amd64,kmod,busybox-static

# Each of the two virtual GPUs has a virtual terminal, with the alphabet that read-console learns
# and a token on it, and no cursor. fbcon=map:01 is on the command line: the first terminal is on
# the first, the second, once it is switched to, on the second. Last comes a cursor, from a program
# that is brought in as a second initramfs. The serial port tells that all is drawn.
guest_init() {
  cat <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in /modules/*; do
  /bin/busybox insmod "$module"
done
token() {
  /bin/busybox sed "s/.*$1=\([^ ]*\).*/\1/" /proc/cmdline
}
draw() {
  printf '\033[2J\033[H\033[?25l0123456789abcdef\r\n%s\r\n' "$2" >"/dev/$1"
}
draw tty1 "$(token first)"
/bin/busybox chvt 2
draw tty2 "$(token second)"
echo drawn >/dev/ttyS0
/bin/define-cursor 321 123 5 9 >/dev/ttyS0 2>&1 &
while :; do
  /bin/busybox sleep 1000
done
INIT
}

# qemu_make FOLDER: root is Debian 13, and in its /guest is what QEMU loads.
qemu_make() {
  local root=$1/root

  # The kernel's package would make an initramfs for any machine.
  INITRD=No debian_13 "$root" "$QEMU_PACKAGES" || return
  mkdir "$root/guest"
  guest_init | guest_initramfs "$root" virtio-gpu >"$root/guest/initrd" || return
  mv "$root"/boot/vmlinuz-* "$root/guest/vmlinuz" || return
  chmod 644 "$root/guest/vmlinuz"
  rm -rf "${root:?}"/lib/modules "${root:?}"/boot
}

# Sets DEBIAN, the root of the Debian 13.
qemu_ready() {
  built_once "$ROOT/build/qemu" qemu_make "$ROOT/tests/vm/qemu-image.sh" \
    "$ROOT/tests/vm/debian-13.sh" || return
  DEBIAN=$BUILT/root
}

# QEMU runs in its Debian, as the user of a VMM. Paths below PRIVATE are the same there.
exec_qemu() {
  exec chroot --userspec="$(id -u vail-vmm):$(id -g vail-vmm)" --groups= "$DEBIAN" \
    qemu-system-x86_64 "$@"
}

enter_debian() {
  mount --bind "$PRIVATE" "$DEBIAN$PRIVATE"
  mount -t proc proc "$DEBIAN/proc"
}

# The guest's initramfs, and with it the program that is tested there.
make_initramfs() {
  mkdir -p "$PRIVATE/more/bin"
  cp "$ROOT/build/tests/helpers/define-cursor" "$PRIVATE/more/bin/"
  {
    cat "$DEBIAN/guest/initrd"
    (cd "$PRIVATE/more" && find . | "$DEBIAN/bin/busybox" cpio -o -H newc 2>/dev/null)
  } >"$PRIVATE/guest/initrd"
}
