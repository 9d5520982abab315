#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make deb, in a fresh Debian 13 that has only make and git, installs what is missing and builds all
# packages. Its lintian finds nothing.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/vm/debian-13.sh
. "$ROOT/tests/vm/debian-13.sh"

FRESH=$ROOT/build/packages/trixie
TRIXIE=$PRIVATE/trixie/root # an overlay over FRESH, which stays fresh

# in_trixie COMMAND...
in_trixie() { chroot "$TRIXIE" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

quietly() { "$@" >"$PRIVATE/output" 2>&1 || { tail -n 50 "$PRIVATE/output" | sed 's/^/# /'; return 1; }; }

# The folder has its name when it is complete.
build_trixie() {
  [ ! -d "$FRESH" ] || return 0
  rm -rf "$FRESH.new"
  build_debian_13 "$FRESH.new" make,git,lintian && mv "$FRESH.new" "$FRESH"
}

# Mounts the overlay, with the network's and the kernel's files, and with the source in /mnt/vaild.
prepare() {
  mkdir "$PRIVATE/trixie"
  mount -t tmpfs tmpfs "$PRIVATE/trixie"
  mkdir "$PRIVATE/trixie/upper" "$PRIVATE/trixie/work" "$TRIXIE"
  mount -t overlay overlay \
    -o "lowerdir=$FRESH,upperdir=$PRIVATE/trixie/upper,workdir=$PRIVATE/trixie/work" "$TRIXIE"
  cat /etc/resolv.conf >"$TRIXIE/etc/resolv.conf"
  mount -t proc proc "$TRIXIE/proc"
  "$ROOT/packaging/copy-source" "$TRIXIE/mnt/vaild"
}

if ! build_trixie; then
  skip "Debian 13" "it could not be built. Check that apt can reach a Debian mirror."
  finish
fi
prepare
expect "make deb succeeds in Debian 13" quietly in_trixie make -C /mnt/vaild deb
expect_equal "lintian finds nothing" "" "$(in_trixie sh -c 'cd /mnt/vaild/build/deb &&
  lintian --allow-root --pedantic source/*.dsc *.deb dbgsym/*.deb' 2>&1)"
expect_equal "there are six packages" 6 "$(find "$TRIXIE/mnt/vaild/build/deb" -maxdepth 1 -name '*.deb' | wc -l)"
finish
