# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Builds a Debian 13 for tests, from the mirror that apt uses on this machine. To be sourced.

# build_debian_13 FOLDER PACKAGES: installs a minimal Debian 13 with the packages, a list with
# commas, in a new folder.
build_debian_13() {
  local mirror

  # shellcheck disable=SC2016 # apt expands these variables
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' \
    'Label: Debian' | head -n 1)
  if [ -z "$mirror" ]; then
    echo "apt knows no Debian mirror. Run apt-get update." >&2
    return 1
  fi
  mmdebstrap --quiet --mode=root --variant=minbase --include="$2" trixie "$1" "$mirror"
}
