# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the script uses what is set here
#
# Builds the image of `make check-kernel`: Debian 13's kernel, a root file system with the packages
# that the tests need, and an initramfs that mounts it. To be sourced after debian.sh and
# guest-image.sh. The image is cached in build/kernel until one of the three files changes.

# The libraries have the same sonames in Debian 12, so that programs built there run here.
IMAGE_PACKAGES=linux-image-amd64,systemd-sysv,kmod,busybox-static,socat,jq
IMAGE_PACKAGES+=,libevent-core-2.1-7t64,libjson-c5,libpng16-16t64,libasan8,libubsan1
# A QEMU with GL, which needs no other package of Mesa, and viewers: vail-view's window and GDBus.
IMAGE_PACKAGES+=,qemu-system-x86,qemu-system-modules-opengl,seabios,ovmf,libegl1,libopengl0
IMAGE_PACKAGES+=,libbsd0,libsmartcols1,libsdl2-2.0-0,xvfb,xauth,openbox,xdotool,imagemagick,python3-gi

# Prints the systemd unit that runs the tests and powers the guest off. The second disk is a tar file
# with the programs to test.
print_test_unit() {
  cat <<'UNIT'
[Unit]
DefaultDependencies=no
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
ExecStart=mkdir /vaild
ExecStart=tar --extract --file=/dev/vdb --directory=/vaild
ExecStart=/vaild/tests/vm/kernel-guest
UNIT
}

# Prints the init of the initramfs.
print_guest_init() {
  cat <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
# Modules for instructions that this processor lacks fail to load, and are not needed.
for module in /modules/*; do
  /bin/busybox insmod "$module"
done
/bin/busybox mount -t ext4 /dev/vda /root || exec /bin/busybox poweroff -f
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
INIT
}

# make_image FOLDER: makes the guest's vmlinuz, initrd and disk.
make_image() {
  # INITRD=No keeps the kernel's package from making an initramfs, which takes minutes.
  INITRD=No build_debian_13 "$1/root" "$IMAGE_PACKAGES" || return
  print_guest_init | make_initramfs "$1/root" virtio_blk ext4 >"$1/initrd" || return
  cp "$1"/root/boot/vmlinuz-* "$1/vmlinuz" || return
  print_test_unit >"$1/root/etc/systemd/system/vaild-tests.service"
  truncate --size=3G "$1/disk"
  mke2fs -q -t ext4 -O ^has_journal -d "$1/root" "$1/disk" || return
  rm -rf "$1/root"
}

# Builds the image if necessary. Sets IMAGE to its folder.
prepare_image() {
  build_once "$ROOT/build/kernel" make_image "$ROOT/tests/vm/kernel-image.sh" \
    "$ROOT/tests/vm/debian.sh" || return
  IMAGE=$BUILT
}
