#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the README's section on libvirt, with the real libvirtd and QEMU, in a box: libvirtd runs QEMU
# as the user libvirt-qemu, and a viewer sees the guest's screen.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"
# shellcheck source=tests/system/lib/readme.sh
. "$ROOT/tests/system/lib/readme.sh"

# run_section USER
run_section() {
  open_shell "$1"
  paste_file "$1: the section works as pasted" "$PRIVATE/section"
  expect_equal "$1: libvirt creates the guest and ends it" 2 \
    "$(said "^Domain 'guest' (created|destroyed)")"
  expect "$1: the guest's screen is shared" [ "$(said 'console 0')" -ge 1 ]
  close_shell
}

# Debian's package libvirt-daemon-system has the unit and the user. The tests need neither of them
# on this machine, where the package would start libvirtd, and so the box gets its own.
prepare_libvirt() {
  local unit=$BOX_ROOT/etc/systemd/system/libvirtd.service

  sed -i '/^libvirt-qemu:/d' "$BOX_ROOT/etc/passwd" "$BOX_ROOT/etc/group"
  echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >>"$BOX_ROOT/etc/passwd"
  echo 'libvirt-qemu:x:64055:' >>"$BOX_ROOT/etc/group"
  mkdir -p "$BOX_ROOT/etc/libvirt"
  echo 'stdio_handler = "file"' >"$BOX_ROOT/etc/libvirt/qemu.conf" # there is no virtlogd
  printf '%s\n' '[Service]' 'Type=notify' 'ExecStart=/usr/sbin/libvirtd' >"$unit"
  box systemctl daemon-reload
  expect "libvirtd starts" quietly box systemctl start libvirtd.service
}

needs_readme
if ! command -v libvirtd >/dev/null || ! command -v virsh >/dev/null; then
  skip "the section on libvirt works as pasted" "libvirtd or virsh is not installed"
  finish
fi
examples "Start here" "A libvirt guest" >"$PRIVATE/section"
box_start
prepare_libvirt
for_readers run_section "$BOX_ROOT/etc"
box_log_on_failure
box_stop
finish
