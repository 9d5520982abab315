# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the script uses what is set here
#
# Builds the guests' images and caches them. To be sourced.

# progress TEXT: says what happens now. steps.sh has another one.
declare -F progress >/dev/null || progress() { echo "$*"; }

# build_once FOLDER MAKE RECIPE...: calls the function MAKE with a new folder inside FOLDER, which it
# has to fill. Sets BUILT to the result. The result is used again until one of the RECIPE files
# changes. If MAKE fails, no result remains. If two scripts need the same result, one of them builds
# it and the other waits.
build_once() {
  local folder=$1 make=$2 recipe lock status=0
  shift 2

  recipe=$(cat "$@" "${BASH_SOURCE[0]}" | sha256sum)
  BUILT=$folder/${recipe:0:16}
  mkdir -p "$folder"
  exec {lock}>"$folder/lock"
  flock "$lock"
  if [ ! -d "$BUILT" ]; then
    progress "# building the guest's image, once"
    rm -rf "${folder:?}"/*/
    mkdir "$BUILT.new"
    "$make" "$BUILT.new" && mv "$BUILT.new" "$BUILT" || status=1
  fi
  exec {lock}>&-
  return "$status"
}

# make_initramfs ROOT [MODULE...]: prints an initramfs that contains busybox from the Debian in ROOT,
# stdin as its init, and in /modules the kernel modules and their dependencies, in loading order. It
# is not compressed, because decompression in the guest costs more time than it saves.
make_initramfs() {
  local root=$1 initramfs version module count=10
  shift

  initramfs=$(mktemp -d)
  mkdir "$initramfs"/{bin,dev,modules,proc,root,sys}
  cp "$root/bin/busybox" "$initramfs/bin/"
  cat >"$initramfs/init"
  chmod 755 "$initramfs/init"
  for module; do
    version=$(basename "$root"/lib/modules/*)
    chroot "$root" modprobe --set-version "$version" --show-depends "$module" || return
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | while read -r module; do
    chroot "$root" busybox unxz -c "$module" >"$initramfs/modules/$count.ko"
    count=$((count + 1))
  done || return
  (cd "$initramfs" && find . | bin/busybox cpio -o -H newc 2>/dev/null) || return
  rm -rf "$initramfs"
}
