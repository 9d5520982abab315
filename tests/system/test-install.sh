#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make install installs exactly the files in installed-files, and make uninstall removes exactly
# these. A program can be built with the installed headers and library and runs.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

TARGET=$PRIVATE/target

# make_for GOAL PREFIX: runs make for the prefix, with TARGET as DESTDIR. Prints its output if it
# fails.
make_for() {
  make -s -C "$ROOT" "$1" DESTDIR="$TARGET" prefix="$2" >"$PRIVATE/make.log" 2>&1 || {
    sed 's/^/# make: /' "$PRIVATE/make.log"
    return 1
  }
}

# files_of FOLDER: prints the mode and path of each file, and the path and target of each symbolic
# link.
files_of() {
  (cd "$1" && find . \( -type f -printf '%m %P\n' \) -o \( -type l -printf 'link %P -> %l\n' \)) |
    LC_ALL=C sort
}

# listed PREFIX: prints the list in installed-files for this prefix, without its comments.
listed() {
  local zsh=site-functions

  [ "$1" != /usr ] || zsh=vendor-completions
  sed -e '/^#/d' -e "s|PREFIX|${1#/}|" -e "s|ZSH|$zsh|" "$ROOT/tests/system/installed-files" | LC_ALL=C sort
}

# install_and_uninstall PREFIX: checks both. make uninstall must not remove a file that make install
# has not installed.
install_and_uninstall() {
  local prefix=$1 foreign

  rm -rf "$TARGET"
  foreign=$TARGET$prefix/include/vail/foreign.h
  expect "$prefix: make install succeeds" make_for install "$prefix"
  listed "$prefix" >"$PRIVATE/listed"
  files_of "$TARGET" >"$PRIVATE/installed"
  expect_silent "$prefix: exactly the listed files are installed" diff "$PRIVATE/listed" "$PRIVATE/installed"
  expect "$prefix: the installed files contain no @name@ to be replaced" \
    not_found '@[a-z]*@' "$TARGET$prefix/lib/systemd" "$TARGET$prefix/libexec" "$TARGET$prefix/lib/pkgconfig" \
      "$TARGET$prefix/share/vaild"
  touch "$foreign"
  expect "$prefix: make uninstall succeeds" make_for uninstall "$prefix"
  expect_equal "$prefix: only the foreign file remains" \
    "644 ${foreign#"$TARGET"/}" "$(files_of "$TARGET")"
  rm "$foreign"
  expect "$prefix: make uninstall succeeds when nothing is installed" make_for uninstall "$prefix"
}

# not_found PATTERN PATH...: tests whether no file under the paths contains PATTERN. grep has another
# status than 1 if it fails.
not_found() {
  local status=0

  grep -rqE "$@" || status=$?
  [ "$status" -eq 1 ]
}

# Builds a program with pkg-config and the installed files only, not with the source tree.
test_build() {
  local flags

  printf '%s\n' '#include <d3dkmthk.h>' '#include <vail.h>' \
    'int main(void)' '{' \
    'return D3DKMTRegisterVailProcess(NULL) != STATUS_INVALID_PARAMETER;' '}' >"$PRIVATE/user.c"
  make_for install /usr
  flags=$(PKG_CONFIG_PATH=$TARGET/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$TARGET \
    pkg-config --cflags --libs vail)
  # shellcheck disable=SC2086 # flags
  expect "a program builds with the installed files" gcc -Wall -Werror -o "$PRIVATE/user" \
    "$PRIVATE/user.c" $flags
  expect "the program runs with the installed library" env LD_LIBRARY_PATH="$TARGET/usr/lib" \
    "$PRIVATE/user"
  expect_match "the installed vailctl finds the library in its prefix" '^vailctl [0-9]' \
    "$("$TARGET/usr/bin/vailctl" --version)"
}

install_and_uninstall /usr
install_and_uninstall /opt/vaild
test_build
finish
