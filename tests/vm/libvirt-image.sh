# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the script uses what is set here
#
# Builds the Debian 13 of `make check-libvirt`, with its libvirt and QEMU. To be sourced after
# debian.sh and guest-image.sh. It is cached in build/libvirt until this file or one of those
# changes.

# The D-Bus display is in the package with OpenGL. The libraries are those of vaild's programs.
LIBVIRT_PACKAGES=systemd-sysv,systemd-container,libpam-systemd,dbus,procps
LIBVIRT_PACKAGES+=,libvirt-daemon,libvirt-daemon-driver-qemu,libvirt-clients
LIBVIRT_PACKAGES+=,qemu-system-x86,qemu-system-modules-opengl,seabios,libsmartcols1
LIBVIRT_PACKAGES+=,libjson-c5,libpng16-16t64,libevent-core-2.1-7t64,libxml2,libsdl2-2.0-0,zlib1g

# make_libvirt_image FOLDER
make_libvirt_image() { build_debian_13 "$1/root" "$LIBVIRT_PACKAGES"; }

# Builds the Debian 13 if necessary. Sets BOX_SYSTEM to its root folder; see box.sh.
prepare_libvirt_image() {
  build_once "$ROOT/build/libvirt" make_libvirt_image "$ROOT/tests/vm/libvirt-image.sh" \
    "$ROOT/tests/vm/debian.sh" || return
  BOX_SYSTEM=$BUILT/root
}
