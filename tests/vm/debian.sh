# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Builds a minimal Debian for tests, from the mirror that apt uses on this machine. To be sourced.

# build_debian SUITE FOLDER PACKAGES: installs a minimal Debian of the suite, such as bookworm, with
# the packages, a list with commas, in a new folder.
build_debian() {
  local mirror

  # shellcheck disable=SC2016 # apt expands these variables
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' \
    'Label: Debian' | head -n 1)
  if [ -z "$mirror" ]; then
    echo "apt knows no Debian mirror. Run apt-get update." >&2
    return 1
  fi
  mmdebstrap --quiet --mode=root --variant=minbase --include="$3" "$1" "$2" "$mirror"
}

# build_debian_13 FOLDER PACKAGES
build_debian_13() { build_debian trixie "$@"; }
