#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make deb, in a fresh Debian 13 that has only make and git, installs what is missing and builds all
# packages. Its lintian finds nothing.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/vm/debian-13.sh
. "$ROOT/tests/vm/debian-13.sh"

TRIXIE=$ROOT/build/packages/trixie

# in_trixie COMMAND...
in_trixie() { chroot "$TRIXIE" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

quietly() { "$@" >"$PRIVATE/output" 2>&1 || { tail -n 50 "$PRIVATE/output" | sed 's/^/# /'; return 1; }; }

# The folder has its name when it is complete.
build_trixie() {
  [ ! -d "$TRIXIE" ] || return 0
  rm -rf "$TRIXIE.new"
  build_debian_13 "$TRIXIE.new" make,git,lintian && mv "$TRIXIE.new" "$TRIXIE"
}

if ! build_trixie; then
  skip "Debian 13" "it could not be built. Check that apt can reach a Debian mirror."
  finish
fi
touch "$TRIXIE/etc/resolv.conf"
cat /etc/resolv.conf >"$PRIVATE/resolv.conf"
mount --bind "$PRIVATE/resolv.conf" "$TRIXIE/etc/resolv.conf"
mount -t proc proc "$TRIXIE/proc"
mount -t tmpfs tmpfs "$TRIXIE/mnt"
"$ROOT/packaging/copy-source" "$TRIXIE/mnt/vaild"
expect "make deb succeeds in Debian 13" quietly in_trixie make -C /mnt/vaild deb
expect_equal "lintian finds nothing" "" "$(in_trixie sh -c 'cd /mnt/vaild/build/deb &&
  lintian --allow-root --pedantic source/*.dsc *.deb dbgsym/*.deb' 2>&1)"
expect_equal "there are six packages" 6 "$(find "$TRIXIE/mnt/vaild/build/deb" -maxdepth 1 -name '*.deb' | wc -l)"
finish
