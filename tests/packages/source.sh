#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Both builds of the packages have the same bytes, and lintian and blhc find nothing.

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

expect_equal "two builds have the same bytes" "$(sums "$FIRST")" "$(sums "$SECOND")"
expect_equal "there are six packages and a source package" "6 1" \
  "$(find "$FIRST" -maxdepth 1 -name '*.deb' | wc -l) $(find "$FIRST/source" -name '*.dsc' | wc -l)"
expect_equal "lintian finds nothing" "" "$(lintian --allow-root --pedantic "$FIRST"/source/*.dsc "$FIRST"/*.deb \
  "$FIRST"/dbgsym/*.deb 2>&1)"
expect_equal "blhc finds no command that lacks hardening" "" "$(blhc --all "$FIRST/build.log" 2>&1)"
finish
