#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the tests of the Debian packages, packaging/debian/tests, with autopkgtest's null server in a
# fresh Debian 12 under systemd, where the packages are installed.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"

# Prints the name of each test and whether it passed.
results() { sed -n 's/ *$//;s/^\([a-z-]*\)  *\(PASS\|FAIL\|SKIP\).*/\1 \2/p' "$BOX_ROOT/results/summary"; }

trap box_stop EXIT
start_debian
expect_install "the packages install" this
mkdir "$BOX_ROOT/source"
tar --extract --xz --strip-components=1 --directory="$BOX_ROOT/source" --file="$(echo "$THIS"/source/*.orig.tar.xz)"
tar --extract --xz --directory="$BOX_ROOT/source" --file="$(echo "$THIS"/source/*.debian.tar.xz)"
# The box has no network, so all packages that the tests need are installed.
box autopkgtest --no-built-binaries --output-dir /results /source -- null >"$PRIVATE/autopkgtest" 2>&1 ||
  sed 's/^/# /' "$PRIVATE/autopkgtest"
expect_equal "each test passes" "main-job PASS restart PASS upgrade PASS" "$(results | paste -sd' ')"
box_log_on_failure
finish
