#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the README's section on libvirt, with the real libvirtd and QEMU, in a box: libvirtd runs QEMU
# as the user libvirt-qemu, and a viewer sees the guest's screen.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"
# shellcheck source=tests/system/lib/libvirt.sh
. "$ROOT/tests/system/lib/libvirt.sh"
# shellcheck source=tests/system/lib/readme.sh
. "$ROOT/tests/system/lib/readme.sh"

# run_section USER
run_section() {
  open_shell "$1"
  paste_file "$1: the section works as pasted" "$PRIVATE/section"
  expect_equal "$1: libvirt creates the guest and ends it" 2 \
    "$(said "^Domain 'guest' (created|destroyed)")"
  expect "$1: the guest's screen is shared" [ "$(said '^[0-9a-f]{32}$')" -eq 1 ]
  expect "$1: vail-libvirt status says so" [ "$(said 'shared +yes$')" -eq 1 ]
  close_shell
}

# Without a libvirtd, nothing else than the first line runs, and nothing is left that could not be ended.
check_without_libvirtd() {
  open_shell root
  paste_file "without libvirtd, the section can be pasted" "$PRIVATE/section"
  expect "one sentence says how to start libvirtd" \
    [ "$(said '^No libvirtd; .*: systemctl start libvirtd$')" -eq 1 ]
  expect "nothing else complains" [ "$(said '[Ee]rror|[Ff]ailed|cannot')" -eq 0 ]
  close_shell
}

needs_readme
needs_libvirt "the section on libvirt works as pasted"
examples "Start here" "A libvirt guest" >"$PRIVATE/section"
box_start
check_without_libvirtd
start_libvirt
for_readers run_section "$BOX_ROOT/etc"
box_log_on_failure
box_stop
finish
