# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A real libvirtd in a box. To be sourced after box.sh.

# Skips the check if libvirt is not installed.
needs_libvirt() {
  command -v libvirtd >/dev/null && command -v virsh >/dev/null && return
  skip "$1" "libvirtd or virsh is not installed"
  finish
}

# Starts libvirtd in the box. Debian's package libvirt-daemon-system has the unit and the user. The
# tests need neither of them on this machine, where the package would start libvirtd, and so the box
# gets its own.
start_libvirt() {
  local unit=$BOX_ROOT/etc/systemd/system/libvirtd.service

  sed -i '/^libvirt-qemu:/d' "$BOX_ROOT/etc/passwd" "$BOX_ROOT/etc/group"
  echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >>"$BOX_ROOT/etc/passwd"
  echo 'libvirt-qemu:x:64055:' >>"$BOX_ROOT/etc/group"
  mkdir -p "$BOX_ROOT/etc/libvirt"
  echo 'stdio_handler = "file"' >"$BOX_ROOT/etc/libvirt/qemu.conf" # there is no virtlogd
  printf '%s\n' '[Service]' 'Type=notify' 'ExecStart=/usr/sbin/libvirtd' KillMode=process >"$unit"
  box systemctl daemon-reload
  expect "libvirtd starts" quietly box systemctl start libvirtd.service
}
