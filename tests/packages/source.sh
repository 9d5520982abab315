#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Both builds of the packages have the same bytes, lintian and blhc find nothing, and what only these
# packages know about each other and about the source is right.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

FIRST=$ROOT/build/packages/this
SECOND=$ROOT/build/packages/again/elsewhere

# sums FOLDER: prints the checksums of what the build has made. Debian's description of the build
# itself, .buildinfo, tells when and where that was, and .changes has its checksum.
sums() {
  (cd "$1" && find . -type f ! -name '*.log' ! -name '*.buildinfo' ! -name '*.changes' -print0 |
    sort -z | xargs -0 sha256sum)
}

# control_file PACKAGE FILE: prints a file of the package's control files.
control_file() { dpkg-deb --ctrl-tarfile "$FIRST/$1"_*.deb | tar --extract --to-stdout "./$2"; }

# Prints RECORD_VERSION as the compiler reads it.
record_version() {
  printf '%s\n' '#include "daemon/host/persist/record-line.h"' RECORD_VERSION |
    gcc -E -P -iquote "$ROOT" -x c - | tail -n 1
}

# Prints the names of the packages.
packages() { sed -n 's/^Package: //p' "$ROOT/packaging/debian/control"; }

# The library may refuse the structures of a newer header, so a program needs the library that it was
# built with.
check_dependencies() {
  local package version

  version=$(control_file libvail0 control | sed -n 's/^Version: //p')
  for package in $(packages | grep -vx libvail0); do
    expect_equal "$package needs the library of its own version" "libvail0 (= $version)" \
      "$(control_file "$package" control | sed -n 's/^Depends: //p' | grep -o 'libvail0 ([^)]*)')"
  done
}

expect_equal "there are all packages and a source package" "$(packages | wc -l) 1" \
  "$(find "$FIRST" -maxdepth 1 -name '*.deb' | wc -l) $(find "$FIRST/source" -name '*.dsc' | wc -l)"
expect_equal "two builds have the same bytes" "$(sums "$FIRST")" "$(sums "$SECOND")"
expect_silent "lintian finds nothing" lintian --allow-root --pedantic "$FIRST"/source/*.dsc "$FIRST"/*.deb \
  "$FIRST"/dbgsym/*.deb
expect_silent "blhc finds no command that lacks hardening" blhc --all "$FIRST/build.log"
expect_match "the source has a version of the records" '^[0-9]+$' "$(record_version)"
expect_equal "the preinst refuses a downgrade from newer records" "newest=$(record_version)" \
  "$(control_file vaild preinst | grep '^newest=')"
check_dependencies
finish
