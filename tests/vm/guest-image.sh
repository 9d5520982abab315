# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the script uses what is set here
#
# What guests are made of, and how what is downloaded for them is kept. To be sourced.

# built_once FOLDER MAKE RECIPE...: sets BUILT to the folder in FOLDER that MAKE, a function, has
# filled; fills it where that of this recipe, the files, is not there yet. Built beside its place,
# so that half of one is never taken for one; and of two that want it, one builds.
built_once() {
  local folder=$1 make=$2 recipe lock status=0
  shift 2

  recipe=$(cat "$@" "${BASH_SOURCE[0]}" | sha256sum)
  BUILT=$folder/${recipe:0:16}
  mkdir -p "$folder"
  exec {lock}>"$folder/lock"
  flock "$lock"
  if [ ! -d "$BUILT" ]; then
    echo "# building the machine, once"
    rm -rf "${folder:?}"/*/
    mkdir "$BUILT.new"
    "$make" "$BUILT.new" && mv "$BUILT.new" "$BUILT" || status=1
  fi
  exec {lock}>&-
  return "$status"
}

# guest_initramfs ROOT [MODULE...]: with the busybox of the Debian in ROOT, an init, from stdin, and
# the modules and what they need in /modules, in order. Without compression, which costs more than
# it saves.
guest_initramfs() {
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
