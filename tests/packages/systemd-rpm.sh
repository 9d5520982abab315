# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# The parts of systemd that run the scripts of RPM packages: macros, triggers and a helper program.
# Debian does not package them, so they come from its source of systemd. To be sourced after
# system-test.sh.

SYSTEMD_RPM=$ROOT/build/packages/systemd-rpm
SYSTEMD_MACROS=$SYSTEMD_RPM/macros.systemd

# download_source PACKAGE FOLDER: downloads the source of a Debian package, from the mirrors of apt.
download_source() {
  local lists=$2/lists keys=/usr/share/keyrings/debian-archive-keyring.gpg

  mkdir -p "$lists/partial"
  apt-get indextargets --format "deb-src [signed-by=$keys] \$(SITE) \$(RELEASE) main" \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u >"$2/sources.list"
  (cd "$2" &&
    apt=(apt-get -qq -o Dir::Etc::SourceList="$2/sources.list" -o Dir::Etc::SourceParts=/dev/null
      -o Dir::State::Lists="$lists" -o APT::Sandbox::User=root) &&
    "${apt[@]}" update && "${apt[@]}" source --download-only "$1")
}

# unpack_systemd FOLDER: unpacks the templates of the files from systemd's source in FOLDER, and
# replaces the names of folders in them.
unpack_systemd() {
  local name=(-e 's|{{SYSTEMD_UPDATE_HELPER_PATH}}|/usr/lib/systemd/systemd-update-helper|g'
    -e 's|{{SYSTEM_DATA_UNIT_DIR}}|/usr/lib/systemd/system|g' -e 's|{{USER_DATA_UNIT_DIR}}|/usr/lib/systemd/user|g'
    -e 's|{{SYSUSERS_DIR}}|/usr/lib/sysusers.d|g' -e 's|{{TMPFILES_DIR}}|/usr/lib/tmpfiles.d|g'
    -e 's|{{SYSTEMD_CATALOG_DIR}}|/usr/lib/systemd/catalog|g' -e 's|{{UPDATE_HELPER_USER_TIMEOUT}}|infinity|g'
    -e 's|{{\([A-Z_]*\)}}|/nowhere/\1|g') # of no use to vaild
  local file

  tar --extract --wildcards --strip-components=3 --directory="$1" \
    --file="$(echo "$1"/systemd_*.orig.tar.*)" '*/src/rpm/*.in' || return
  for file in "$1"/*.in; do
    sed "${name[@]}" "$file" >"${file%.in}" || return
  done
  chmod 755 "$1/systemd-update-helper"
}

# Gets the files, once. The folder has its name when it is complete.
get_systemd_rpm() {
  local new=$SYSTEMD_RPM.new

  [ ! -d "$SYSTEMD_RPM" ] || return 0
  rm -rf "$new"
  mkdir -p "$new"
  download_source systemd "$new" && unpack_systemd "$new" && mv "$new" "$SYSTEMD_RPM"
}

# build_systemd_rpm: builds a package with nothing but systemd's triggers, and prints its path.
build_systemd_rpm() {
  local spec=$PRIVATE/systemd-triggers.spec package

  {
    printf '%s\n' 'Name: systemd-triggers' 'Version: 1' 'Release: 1' 'Summary: Triggers of systemd' \
      'License: LGPL-2.1-or-later' 'BuildArch: noarch' '%description' 'Triggers of systemd.' \
      '%package udev' 'Summary: Triggers of udev' '%description udev' 'Triggers of udev.' '%files'
    cat "$SYSTEMD_RPM/triggers.systemd"
  } >"$spec"
  rpmbuild -bb --define "_topdir $PRIVATE/systemd-triggers" "$spec" >"$PRIVATE/systemd-triggers.log" 2>&1 || {
    sed 's/^/# /' "$PRIVATE/systemd-triggers.log" >&2
    return 1
  }
  find "$PRIVATE/systemd-triggers" -name '*.rpm'
}
