#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon learns the type of an fd from the kernel, not from its name, because a mount can forge
# names. None of its questions reaches a FUSE file system, which might never answer.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

FORGED=$PRIVATE/forged
DETACHED=$PRIVATE/detached

# classify [CALL]: prints how the daemon's code, running as its user, classifies fd 7. With CALL, it
# makes only that system call.
classify() {
  run_as vaild "$HELPERS/classify-fd" "$@" 7
}

# forge NAME: opens $FORGED/NAME as fd 7 and detaches the mount, which makes its name /NAME. Any
# user gets the same in a mount namespace whose root is that file system.
forge() {
  mount --bind "$FORGED" "$DETACHED"
  exec 7<>"$DETACHED/$1"
  umount -l "$DETACHED"
}

# expect_not_fooled FILE NAME: forges the name and checks that the file is still classified as other.
expect_not_fooled() {
  forge "$2"
  expect_equal "$1 can have the name /$2" "/$2" "$(readlink /proc/self/fd/7)"
  expect_equal "$1 with the name /$2 is classified as other" "other 0" "$(classify)"
}

test_real_names() {
  exec 7<>"$PRIVATE/file"
  expect_equal "a regular file is classified as other" "other 0" "$(classify)"
  exec 7</proc/self/ns/net
  expect_equal "a namespace is classified as other" "other 0" "$(classify)"
}

test_tmpfs() {
  local name

  mount -t tmpfs tmpfs "$FORGED"
  mkdir -p "$FORGED/dev/dri"
  for name in "memfd:x (deleted)" memfd:x dmabuf: dmabuf:vgem anon_inode:sync_file \
    dev/dri/renderD128; do
    echo >"$FORGED/$name"
    expect_not_fooled "a file in a tmpfs" "$name"
  done
  mkfifo "$FORGED/dmabuf:pipe"
  expect_not_fooled "a pipe in a tmpfs" dmabuf:pipe
  mknod -m 666 "$FORGED/dmabuf:zero" c 1 5
  expect_not_fooled "a device in a tmpfs" dmabuf:zero
  forge memfd:x
  rm "$FORGED/memfd:x"
  expect_equal "a deleted file in a tmpfs can have the name of a memfd" "/memfd:x (deleted)" \
    "$(readlink /proc/self/fd/7)"
  expect_equal "a deleted file with the name of a memfd is classified as other" "other 0" \
    "$(classify)"
  umount "$FORGED"
}

# Shows that the FUSE file system really hangs. Otherwise the test would prove nothing.
expect_each_call_hangs() {
  local system_call

  forge dmabuf:
  for system_call in fstat fstatfs lseek ioctl; do
    expect_equal "FUSE: $system_call alone hangs" hangs "$(classify "$system_call")"
  done
}

test_fuse() {
  local name fuse

  if [ ! -c /dev/fuse ]; then
    skip "a file system that never answers" "this machine has no /dev/fuse"
    return
  fi
  "$HELPERS/never-answers" questions "$FORGED" 2>"$PRIVATE/fuse.log" &
  fuse=$!
  if ! is_mounted "$FORGED" "$fuse"; then
    skip "a file system that never answers" "$(cat "$PRIVATE/fuse.log")"
    return
  fi
  for name in "memfd:x (deleted)" dmabuf: dmabuf:vgem anon_inode:sync_file dmabuf:pipe \
    memfd:pipe; do
    expect_not_fooled "a file in FUSE" "$name"
  done
  expect_each_call_hangs
  exec 7<&-
  kill_and_wait "$fuse" # ends the system calls that hang
}

mkdir "$FORGED" "$DETACHED"
test_real_names
test_tmpfs
test_fuse
finish
