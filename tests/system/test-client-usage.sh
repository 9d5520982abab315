#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The other programs than vailctl quote what is wrong on their command line, and say what to do.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# says EXPECTED-STATUS MESSAGE PROGRAM ARGUMENT...: checks the exit status and the whole message.
says() {
  local expected=$1 message=$2 program=$3 said status=0
  shift 3

  said=$("$ROOT/build/$program" "$@" 2>&1 </dev/null) || status=$?
  expect_equal "$program $*: exit status" "$expected" "$status"
  expect_equal "$program $*: message" "$program: $message" "$said"
}

says 2 "unexpected argument \"guest\"; to give QEMU's monitor, use --qmp; see vail-qemu --help" \
  vail-qemu guest
says 2 "--display-fd needs the number of an inherited socket, above 2, not x; see vail-qemu --help" \
  vail-qemu --display-fd x
says 1 "cannot connect to QEMU's monitor /nowhere: No such file or directory; start QEMU with -qmp \
unix:/nowhere,server=on,wait=off" vail-qemu --qmp /nowhere
says 1 "cannot connect to QEMU's monitor /etc/passwd: it is not a socket; give --qmp the path that QEMU \
has after -qmp unix:" vail-qemu --qmp /etc/passwd
cp "$ROOT/build/vail-qemu" "$PRIVATE/build/"
mkdir -m 700 "$PRIVATE/closed"
expect_match "a monitor that may not be opened" \
  'Permission denied; run vail-qemu as root or as the user of QEMU$' \
  "$(run_as vail-alice "$PRIVATE/build/vail-qemu" --qmp "$PRIVATE/closed/qmp" 2>&1 || true)"
if [ -x "$ROOT/build/vail-libvirt" ]; then
  says 2 "list is not a command, and the only one is status; see vail-libvirt --help" vail-libvirt list
  says 2 'unexpected argument "all"; see vail-libvirt --help' vail-libvirt status all
  expect_match "vail-libvirt status without a libvirt says what to do" \
    'cannot connect to libvirt: .*; start libvirtd, or name another libvirt with --connect$' \
    "$("$ROOT/build/vail-libvirt" --connect qemu+unix:///system?socket=/nowhere status 2>&1 || true)"
else
  skip "vail-libvirt quotes what is wrong" "libvirt's headers are not installed"
fi
finish
