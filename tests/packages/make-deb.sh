#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make-deb.sh RELEASE: make deb, in a fresh Debian RELEASE (12 or 13) that has only make and git,
# installs what is missing and builds all packages. The release's lintian finds nothing.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/vm/debian.sh
. "$ROOT/tests/vm/debian.sh"

RELEASE=$1
declare -A SUITES=([12]=bookworm [13]=trixie)
FRESH=$ROOT/build/packages/fresh-${SUITES[$RELEASE]}
TREE=$PRIVATE/debian/root # an overlay over FRESH, which stays fresh

# in_tree COMMAND...
in_tree() { chroot "$TREE" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

# The folder has its name when it is complete.
build_fresh() {
  [ ! -d "$FRESH" ] || return 0
  rm -rf "$FRESH.new"
  build_debian "${SUITES[$RELEASE]}" "$FRESH.new" make,git,lintian && mv "$FRESH.new" "$FRESH"
}

# Mounts the overlay, with the network's and the kernel's files, and with the source in /mnt/vaild.
prepare() {
  mkdir "$PRIVATE/debian"
  mount -t tmpfs tmpfs "$PRIVATE/debian"
  mkdir "$PRIVATE/debian/upper" "$PRIVATE/debian/work" "$TREE"
  mount -t overlay overlay \
    -o "lowerdir=$FRESH,upperdir=$PRIVATE/debian/upper,workdir=$PRIVATE/debian/work" "$TREE"
  cat /etc/resolv.conf >"$TREE/etc/resolv.conf"
  mount -t proc proc "$TREE/proc"
  "$ROOT/packaging/copy-source" "$TREE/mnt/vaild"
}

if ! build_fresh; then
  skip "Debian $RELEASE" "it could not be built. Check that apt can reach a Debian mirror."
  finish
fi
prepare
expect "make deb succeeds in Debian $RELEASE" quietly in_tree make -C /mnt/vaild deb
expect_silent "lintian finds nothing" in_tree sh -c 'cd /mnt/vaild/build/deb &&
  lintian --allow-root --pedantic source/*.dsc *.deb dbgsym/*.deb'
expect_equal "there are all packages" "$(grep -c '^Package:' "$ROOT/packaging/debian/control")" \
  "$(find "$TREE/mnt/vaild/build/deb" -maxdepth 1 -name '*.deb' | wc -l)"
finish
