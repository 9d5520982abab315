# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the script uses what is set here
#
# Builds the image of `make check-qemu`: a Debian 13 with its QEMU, and for a guest Debian's kernel
# and an initramfs. To be sourced after debian.sh and guest-image.sh. The image is cached in
# build/qemu until one of the three files changes.

QEMU_PACKAGES=qemu-system-x86,qemu-system-modules-opengl,seabios
QEMU_PACKAGES+=,linux-image-amd64,kmod,busybox-static,alsa-utils

# Prints the guest's init. It draws on a virtual terminal of each of the two virtual GPUs: the
# alphabet that read-console learns, and a token from the kernel's command line. With fbcon=map:01,
# the first terminal is on the first GPU, and the second one, once it is active, on the second GPU.
# Then it writes "drawn" to the serial port and runs define-cursor, which is in a second initramfs.
# A test can put another init into that one.
print_guest_init() {
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

# make_image FOLDER: makes a Debian 13 in FOLDER/root. Its folder /guest has the kernel for QEMU and two
# initramfs: one for guests with a screen, and one for guests with a sound card, whose init is empty.
make_image() {
  local root=$1/root

  # INITRD=No keeps the kernel's package from making an initramfs.
  INITRD=No build_debian_13 "$root" "$QEMU_PACKAGES" || return
  mkdir "$root/guest"
  print_guest_init | make_initramfs "$root" virtio-gpu virtio_input virtio_console evdev atkbd \
    >"$root/guest/initrd" || return
  # The driver of the codec comes first, because the driver of the card looks for it once.
  make_initramfs "$root" virtio_console snd_hda_codec_generic snd_hda_intel </dev/null \
    >"$root/guest/sound-initrd" || return
  mv "$root"/boot/vmlinuz-* "$root/guest/vmlinuz" || return
  chmod 644 "$root/guest/vmlinuz"
  rm -rf "${root:?}"/lib/modules "${root:?}"/boot
}

# Builds the image if necessary. Sets DEBIAN to the root folder of the Debian 13.
prepare_image() {
  build_once "$ROOT/build/qemu" make_image "$ROOT/tests/vm/qemu-image.sh" \
    "$ROOT/tests/vm/debian.sh" || return
  DEBIAN=$BUILT/root
}

# make_guest_initrd INITRD PROGRAM...: adds static programs, and what is in $PRIVATE/additional, to one
# of the image's initramfs. The result is $PRIVATE/guest/initrd.
make_guest_initrd() {
  local initrd=$1 program
  shift

  mkdir -p "$PRIVATE/additional/bin"
  for program; do
    cp "$ROOT/build/tests/helpers/$program" "$PRIVATE/additional/bin/"
  done
  {
    cat "$QEMU_TREE/guest/$initrd"
    (cd "$PRIVATE/additional" && find . | "$QEMU_TREE/bin/busybox" cpio -o -H newc 2>/dev/null)
  } >"$PRIVATE/guest/initrd"
}
