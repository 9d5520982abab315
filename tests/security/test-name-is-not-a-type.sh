#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a descriptor is, the kernel says, not its name: names are forged with a mount. And nothing
# that is asked of it waits for a FUSE file system that never answers.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

FORGED=$PRIVATE/forged
DETACHED=$PRIVATE/detached

# judged [QUESTION]: what the daemon's user finds out about the descriptor that is open as 7.
judged() {
  run_as vaild "$HELPERS/classify-fd" "$@" 7
}

# forge NAME: opens $FORGED/NAME as 7, and takes the mount away: its name is /NAME then. Who has a
# mount namespace whose root is that file system does the same.
forge() {
  mount --bind "$FORGED" "$DETACHED"
  exec 7<>"$DETACHED/$1"
  umount -l "$DETACHED"
}

# is_other WHAT NAME: the file of that name is forged, and seen through.
is_other() {
  forge "$2"
  expect_equal "$1: the name is forged" "/$2" "$(readlink /proc/self/fd/7)"
  expect_equal "$1, /$2: seen through" "other 0" "$(judged)"
}

harmless_ones() {
  exec 7<>"$PRIVATE/file"
  expect_equal "a file" "other 0" "$(judged)"
  exec 7</proc/self/ns/net
  expect_equal "a namespace" "other 0" "$(judged)"
}

on_tmpfs() {
  local name

  mount -t tmpfs tmpfs "$FORGED"
  mkdir -p "$FORGED/dev/dri"
  for name in "memfd:x (deleted)" memfd:x dmabuf: dmabuf:vgem anon_inode:sync_file \
    dev/dri/renderD128; do
    echo >"$FORGED/$name"
    is_other "a file of a tmpfs" "$name"
  done
  mkfifo "$FORGED/dmabuf:pipe"
  is_other "a pipe of a tmpfs" dmabuf:pipe
  mknod -m 666 "$FORGED/dmabuf:zero" c 1 5
  is_other "a device of a tmpfs" dmabuf:zero
  forge memfd:x
  rm "$FORGED/memfd:x"
  expect_equal "a deleted file of a tmpfs: the name is forged" "/memfd:x (deleted)" \
    "$(readlink /proc/self/fd/7)"
  expect_equal "a deleted file of a tmpfs: seen through" "other 0" "$(judged)"
  umount "$FORGED"
}

# Without it the test would prove nothing: what is asked without care never returns.
each_question_hangs() {
  local question

  forge dmabuf:
  for question in fstat fstatfs lseek ioctl; do
    expect_equal "FUSE: $question alone" hangs "$(judged "$question")"
  done
}

on_a_file_system_that_never_answers() {
  local name fuse

  if [ ! -c /dev/fuse ]; then
    skip "a file system that never answers" "no /dev/fuse"
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
    is_other "FUSE" "$name"
  done
  each_question_hangs
  exec 7<&-
  kill_hard "$fuse" # and what hangs is let go
}

mkdir "$FORGED" "$DETACHED"
harmless_ones
on_tmpfs
on_a_file_system_that_never_answers
finish
