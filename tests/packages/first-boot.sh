#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Installs the packages in a fresh Debian 12 that does not run, and upgrades them, as whoever builds an
# image does. No systemd runs, and a policy-rc.d lets no service start. At the first boot the user, the
# folders and the socket are there, and the service runs.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"

VM=11111111-1111-4111-8111-111111111111

# in_image COMMAND...: runs a command in the system that does not run.
in_image() { chroot "$BOX_ROOT" "${NO_INTERACTION[@]}" "$@"; }

# install_in_image VERSION: installs the packages of a version, "this" or "next".
install_in_image() {
  local image=$BOX_ROOT/mnt

  mount --bind "$PACKAGES/$1" "$image"
  expect "$1: the packages install without systemd" quietly in_image \
    sh -c 'apt-get -y --no-install-recommends install /mnt/*.deb'
  umount "$image"
}

build_image() {
  local policy=$BOX_ROOT/usr/sbin/policy-rc.d boot=$BOX_ROOT/etc/systemd/system/box.target.d

  printf '%s\n' '#!/bin/sh' 'exit 101' >"$policy"
  chmod 755 "$policy"
  mount -t proc proc "$BOX_ROOT/proc"
  install_in_image this
  install_in_image next
  [ "$FAILED" -eq 0 ] || finish
  expect_equal "no process runs in the image" / "$(readlink /proc/[0-9]*/root 2>/dev/null | sort -u)"
  umount "$BOX_ROOT/proc"
  rm "$policy"
  mkdir "$boot"
  printf '%s\n' '[Unit]' 'Wants=multi-user.target timers.target' >"$boot/first-boot.conf"
}

# kind_of PATH: prints the kind, mode, owner and group of a file in the box.
kind_of() { box stat -c '%F %a %U:%G' "$1"; }

check_first_boot() {
  expect "the image boots" eventually box systemctl is-active --quiet multi-user.target
  expect "the service starts at the first boot" property_is ActiveState active
  expect_equal "it is the version of the upgrade" "vailctl $(version_of_vaild | sed 's/-.*//')" \
    "$(box vailctl --version)"
  expect_enabled "the image"
  expect_match "the user is there" '^vaild:[^:]*:[0-9]+:[0-9]+:VAIL Broker:' "$(box getent passwd vaild)"
  expect_match "the group is there" '^vaild:[^:]*:[0-9]+:' "$(box getent group vaild)"
  expect_equal "the service runs as this user" vaild "$(box stat -c %U "/proc/$(property MainPID)")"
  expect_equal "the socket is open to everybody" "socket 666 root:root" "$(kind_of /run/vaild/vaild.sock)"
  expect_equal "its folder is root's" "directory 755 root:root" "$(kind_of /run/vaild)"
  expect_equal "quarantines are the daemon's alone" "directory 700 vaild:vaild" "$(kind_of /var/lib/vaild)"
  expect_match "a plain user runs vailctl" 'Version: +[0-9]' "$(run_as vail-alice vailctl status)"
  expect_match "vail-libvirt is not failed without a libvirtd" '^(active|activating)$' \
    "$(property ActiveState vail-libvirt.service)"
  expect "vaild-fleet may impose quarantines" test -e "$BOX_ROOT/etc/vaild/vaild.json.d/50-vaild-fleet.json"
  expect "its group is there, so that the configuration of vaild is right" quietly box vaild --check-config
  expect_silent "no unit of the packages is failed" box systemctl list-units --failed --plain --no-legend 'vail*'
}

BOX_BEFORE_BOOT=build_image
trap box_stop EXIT
start_debian
check_first_boot
check_main_job "$VM"
box_log_on_failure
finish
