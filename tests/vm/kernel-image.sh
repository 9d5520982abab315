# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the script uses what is set here
#
# The machine of `make check-kernel`: Debian 13's stock kernel, a root file system with what the
# tests need, and an initramfs that knows the way to it. To be sourced behind debian-13.sh and
# guest-image.sh. The three are the recipe; what is built of it is kept under build/kernel until they
# change.

# Libraries by the names that Debian 12 gave them as well: what is built there runs here.
IMAGE_PACKAGES=linux-image-amd64,systemd-sysv,kmod,busybox-static,socat,jq
IMAGE_PACKAGES+=,libevent-core-2.1-7t64,libjson-c5,libpng16-16t64,libasan8,libubsan1

# The second disk is a tar file with the tree that is tested; it says what to do.
image_unit() {
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

image_init() {
  cat <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
# In order. One for instructions that this processor lacks is refused, and not needed.
for module in /modules/*; do
  /bin/busybox insmod "$module"
done
/bin/busybox mount -t ext4 /dev/vda /root || exec /bin/busybox poweroff -f
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
INIT
}

# image_make FOLDER
image_make() {
  # The kernel's package would make an initramfs for any machine: minutes here, and seconds a boot.
  INITRD=No debian_13 "$1/root" "$IMAGE_PACKAGES" || return
  image_init | guest_initramfs "$1/root" virtio_blk ext4 >"$1/initrd" || return
  cp "$1"/root/boot/vmlinuz-* "$1/vmlinuz" || return
  image_unit >"$1/root/etc/systemd/system/vaild-tests.service"
  truncate --size=1G "$1/disk"
  mke2fs -q -t ext4 -O ^has_journal -d "$1/root" "$1/disk" || return
  rm -rf "$1/root"
}

# Sets IMAGE, the folder.
image_ready() {
  built_once "$ROOT/build/kernel" image_make "$ROOT/tests/vm/kernel-image.sh" \
    "$ROOT/tests/vm/debian-13.sh" || return
  IMAGE=$BUILT
}
