#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each file that make install installs belongs to one Debian package, and each function of libvail is in
# its symbols file. Building the packages would find the same, but takes minutes.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

LISTS=$ROOT/packaging/debian
UNITS=usr/lib/systemd/system

# in_package PACKAGE PATH: tests whether a line of the package's list matches the path or a folder above.
# On this system the library is in no folder of an architecture.
in_package() {
  local line

  while IFS= read -r line; do
    line=${line/'${env:UNITS}'/$UNITS}
    line=${line/#'usr/lib/*/'/usr/lib/}
    # shellcheck disable=SC2053 # the line is a pattern
    [[ $2 != $line && $2 != $line/* ]] || return 0
  done <"$LISTS/$1.install"
  return 1
}

# owners PATH: prints the packages that the file belongs to.
owners() {
  local list

  for list in "$LISTS"/*.install; do
    ! in_package "$(basename "$list" .install)" "$1" || basename "$list" .install
  done
}

# Prints each of FILES that does not belong to one package, with those that it belongs to.
strays() {
  local file packages

  for file in "${FILES[@]}"; do
    packages=$(owners "$file" | paste -sd' ')
    [[ $packages =~ ^[^\ ]+$ ]] || echo "$file: $packages"
  done
}

# Prints each user or group that two packages make in different ways. Package managers would make it as the
# first one says.
disagreements() {
  sed -n '/^[ug] /p' "$ROOT"/systemd/*.sysusers | LC_ALL=C sort -u | awk '{ print $2 }' | uniq -d
}

# Prints the functions of libvail with their versions.
functions() { nm --dynamic --defined-only --with-symbol-versions "$ROOT/build/libvail.so.0" | sed -n 's/.* T //; s/@@/@/p'; }

mapfile -t FILES < <(sed -nE '/^#/d; s/^(link|[0-7]+) ([^ ]+).*/\2/; s|^PREFIX|usr|; s|ZSH|vendor-completions|; p' \
  "$ROOT/tests/system/installed-files")
expect_match "the list of installed files is read" ' usr/bin/vailctl ' " ${FILES[*]} "
expect_equal "vaild belongs to the package vaild" vaild "$(owners usr/sbin/vaild)"
expect_equal "a unit of another program does not" "" "$(owners "$UNITS/vaild-other.service")"
expect_silent "each installed file belongs to one package" strays
expect_silent "files of sysusers that name the same user or group agree" disagreements
sed -n 's/^ \([^ ]*\) .*/\1/p' "$LISTS/libvail0.symbols" | grep -v '^VAIL_' | LC_ALL=C sort >"$PRIVATE/listed"
functions | LC_ALL=C sort >"$PRIVATE/functions"
expect "the symbols file has functions" grep -q '^vail_open@VAIL_0$' "$PRIVATE/listed"
expect_silent "the symbols file has each function of libvail" diff "$PRIVATE/listed" "$PRIVATE/functions"
finish
