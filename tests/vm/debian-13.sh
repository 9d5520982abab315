# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A Debian 13 to test with, from the mirror that this machine's own apt has. To be sourced.

# debian_13 FOLDER PACKAGES: a minimal one in a new folder, with the packages, a comma between two.
debian_13() {
  local mirror

  # shellcheck disable=SC2016 # apt's own variables
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' \
    'Label: Debian' | head -n 1)
  if [ -z "$mirror" ]; then
    echo "apt knows no mirror of Debian; run apt-get update" >&2
    return 1
  fi
  mmdebstrap --quiet --mode=root --variant=minbase --include="$2" trixie "$1" "$mirror"
}
