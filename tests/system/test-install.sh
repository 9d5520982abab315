#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make install puts exactly the files of installed-files there, make uninstall takes exactly these
# away; a program that is built against what was installed runs with it.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

TARGET=$PRIVATE/target

# make_for TARGET-OF-MAKE PREFIX
make_for() {
  make -s -C "$ROOT" "$1" DESTDIR="$TARGET" prefix="$2" >"$PRIVATE/make.log" 2>&1 || {
    sed 's/^/# make: /' "$PRIVATE/make.log"
    return 1
  }
}

# Mode and path of each file under a folder; a link with where it leads.
files_of() {
  (cd "$1" && find . \( -type f -printf '%m %P\n' \) -o \( -type l -printf 'link %P -> %l\n' \)) |
    LC_ALL=C sort
}

# with_prefix PREFIX: the list, without its comments.
listed() {
  sed -e '/^#/d' -e "s|PREFIX|${1#/}|" "$ROOT/tests/system/installed-files" | LC_ALL=C sort
}

# Under another prefix, with a file of somebody else's beside each kind of ours.
install_and_uninstall() {
  local prefix=$1 foreign difference

  rm -rf "$TARGET"
  foreign=$TARGET$prefix/include/vail/foreign.h
  expect "$prefix: make install" make_for install "$prefix"
  difference=$(diff <(listed "$prefix") <(files_of "$TARGET")) || true
  expect_equal "$prefix: what is listed is there, and nothing else" "" "$difference"
  expect "$prefix: no name is left to fill in" \
    not_found '@[a-z]*@' "$TARGET$prefix/lib/systemd" "$TARGET$prefix/libexec" "$TARGET$prefix/lib/pkgconfig"
  touch "$foreign"
  expect "$prefix: make uninstall" make_for uninstall "$prefix"
  expect_equal "$prefix: what is another's stays, and nothing else" \
    "644 ${foreign#"$TARGET"/}" "$(files_of "$TARGET")"
  rm "$foreign"
  expect "$prefix: make uninstall, with nothing there" make_for uninstall "$prefix"
}

not_found() { ! grep -rqE "$@"; }

# A stranger's build: pkg-config and the headers under the prefix, nothing of the tree.
build_against_it() {
  local flags

  printf '%s\n' '#include <d3dkmthk.h>' '#include <vail.h>' \
    'int main(void)' '{' \
    'return D3DKMTRegisterVailProcess(NULL) != STATUS_INVALID_PARAMETER;' '}' >"$PRIVATE/user.c"
  make_for install /usr
  flags=$(PKG_CONFIG_PATH=$TARGET/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$TARGET \
    pkg-config --cflags --libs vail)
  # shellcheck disable=SC2086 # flags
  expect "a program builds against it" gcc -Wall -Werror -o "$PRIVATE/user" "$PRIVATE/user.c" $flags
  expect "and runs" env LD_LIBRARY_PATH="$TARGET/usr/lib" "$PRIVATE/user"
  expect_match "vailctl finds the library in the prefix" '^vailctl [0-9]' \
    "$("$TARGET/usr/bin/vailctl" --version)"
}

install_and_uninstall /usr
install_and_uninstall /opt/vaild
build_against_it
finish
