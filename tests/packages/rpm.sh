#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The RPM packages build, rpmlint finds no error, and they have the same files as the Debian packages,
# apart from the folders that a system chooses.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/systemd-rpm.sh
. "$ROOT/tests/packages/systemd-rpm.sh"

PACKAGES=$ROOT/build/packages

# normalised: reads paths from stdin, and prints them without what differs between the systems:
# compressed pages, documents, and the folders of libraries, units and zsh's functions.
normalised() {
  sed -E -e '/\/usr\/share\/(doc|licenses)|\/$|build-id|dbgsym/d' -e 's/\.gz$//' \
    -e 's|^(/usr)?/lib/systemd/system/|UNITS/|' -e 's|^/usr/lib(64)?/([a-z0-9_]+-linux-gnu[a-z0-9]*/)?(libvail\.so\|pkgconfig)|LIBRARY/\3|' \
    -e 's|/zsh/[a-z-]+/|/zsh/|' | LC_ALL=C sort
}

deb_files() {
  local deb

  for deb in "$PACKAGES"/this/*.deb; do
    dpkg-deb -c "$deb"
  done | awk '{ print $6 }' | sed 's/^\.//' | normalised
}

# RPM lists folders like files.
rpm_files() {
  rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$PACKAGES"/rpm/*.rpm 2>/dev/null |
    sed -n 's/^[-l][^ ]* \(\/.*\)/\1/p' | normalised | uniq
}

# deb_newest, rpm_newest: print the newest version of records that the package's script knows.
deb_newest() { dpkg-deb --ctrl-tarfile "$PACKAGES"/this/vaild_*.deb | tar -xO ./preinst | grep '^newest='; }

rpm_newest() { rpm -qp --scripts "$PACKAGES"/rpm/vaild-[0-9]*.rpm 2>/dev/null | grep '^newest='; }

# mklibname is Mandriva's. sysusers.d and tmpfiles.d are in lib on all systems.
rpmlint_errors() {
  local report

  report=$(rpmlint "$ROOT/packaging/rpm/vaild.spec" 2>&1)
  grep -q 'specfiles checked' <<<"$report" || echo "rpmlint has not checked the spec: $report"
  grep -E ' E: ' <<<"$report" |
    grep -vE 'mklibname|hardcoded-library-path in %\{_prefix\}/lib/(sysusers|tmpfiles)\.d'
}

if ! command -v rpmbuild >/dev/null; then
  skip "the RPM packages" "rpmbuild is not installed"
  finish
fi
LOAD=()
if get_systemd_rpm; then
  LOAD=(--load "$SYSTEMD_MACROS")
else
  skip "systemd's macros in the RPM packages" "apt cannot download Debian's source of systemd"
fi
expect "the RPM packages build" quietly "$ROOT/packaging/build-rpm" "$PACKAGES/rpm" "${LOAD[@]}"
rm -f "$PACKAGES"/rpm/*debug*.rpm "$PACKAGES"/rpm/*.src.rpm
deb_files >"$PRIVATE/deb-files"
rpm_files >"$PRIVATE/rpm-files"
expect "vaild's program is among the files" grep -qx /usr/sbin/vaild "$PRIVATE/deb-files"
expect_silent "they have the files of the Debian packages" diff "$PRIVATE/deb-files" "$PRIVATE/rpm-files"
expect_match "the script of vaild has the version of the records that it reads" '^newest=[0-9]+$' "$(rpm_newest)"
expect_equal "it has the number of the Debian package" "$(deb_newest)" "$(rpm_newest)"
if command -v rpmlint >/dev/null; then
  expect_equal "rpmlint finds no error in the spec" "" "$(rpmlint_errors)"
else
  skip "errors in the spec" "rpmlint is not installed"
fi
finish
