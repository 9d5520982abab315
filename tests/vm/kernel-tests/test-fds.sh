#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the kernel says of the descriptors that GPU memory and fences are passed around as, and what
# vaild takes them for. It tells them apart by this, so a kernel that says something else is to be
# known first.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

DMA_BUF_MAGIC=0x444d4142
SIZE=16384

declare -A SAID

# hear COMMAND...: takes what describe-fd prints into SAID, by its keys.
hear() {
  local key value text status=0

  SAID=()
  text=$("$@") || status=$?
  while read -r key value; do
    [ "$key" != fdinfo ] || { key="fdinfo ${value%% *}" value=${value#* }; }
    SAID[$key]=$value
  done <<<"$text"
  return "$status"
}

# describe KIND: what is said of a new one; where the machine has no device for it, skips it and fails.
describe() {
  local status=0

  hear "$HELPERS/make-fd" "$1" "$HELPERS/describe-fd" 3 || status=$?
  [ "$status" -ne 3 ] || skip "$1" "this kernel has no device that makes one"
  [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || not_ok "$1" "exit status $status"
  return "$status"
}

# says CHECK KEY VALUE...
says() {
  local check=$1
  shift
  while [ $# -gt 0 ]; do
    expect_equal "$check: $1" "$2" "${SAID[$1]:-}"
    shift 2
  done
}

# is_judged KIND VERDICT: by the daemon's own code, as its user.
is_judged() {
  expect_equal "$1: vaild takes it for" "$2" \
    "$("$HELPERS/make-fd" "$1" "${AS_DAEMON[@]}" "$HELPERS/classify-fd" 3)"
}

dma_bufs() {
  local kind

  for kind in udmabuf dma-heap vgem virtio-gpu; do
    describe "$kind" || continue
    says "$kind" filesystem "$DMA_BUF_MAGIC" end "$SIZE" 'fdinfo size' "$SIZE" mode readWrite \
      anew ENXIO fence ENOTTY mount other
    expect_match "$kind: link" '^/dmabuf:' "${SAID[link]:-}"
    is_judged "$kind" "dmabuf $SIZE writable"
    echo "# $kind: exporter ${SAID[fdinfo exp_name]:-}, fstat() a ${SAID[file]:-} file of ${SAID[size]:-}"
  done
}

memory() {
  describe memfd || return 0
  says memfd file regular mount own size "$SIZE" mode readWrite anew opens fence ENOTTY
  expect_match "memfd: link" '^/memfd:' "${SAID[link]:-}"
  is_judged memfd "memfd $SIZE writable sealable"
  expect "memfd: is no dma-buf" test "${SAID[filesystem]:-}" != "$DMA_BUF_MAGIC"
}

fences() {
  local state

  for state in pending signalled; do
    describe "$state-fence" || continue
    says "$state-fence" link anon_inode:sync_file fence "1 $state" anew ENXIO mount other
    is_judged "$state-fence" "sync_file 0"
    expect "$state-fence: is no dma-buf" test "${SAID[filesystem]:-}" != "$DMA_BUF_MAGIC"
  done
}

# fetch KIND: of alice's, in another process. vaild looks at what its callers have open so.
fetch() {
  local kind=$1 holder

  exec_as vail-alice "$HELPERS/make-fd" "$kind" sleep infinity 2>/dev/null &
  holder=$!
  if ! eventually runs_as "$holder" "$ALICE" sleep; then
    skip "another user's $kind" "this kernel makes none"
    return
  fi
  hear "${AS_DAEMON[@]}" "$HELPERS/describe-fd" "$holder" 3 || true
  expect_equal "another user's $kind, with CAP_SYS_PTRACE alone: is the same" \
    "$(sed -n 's/^ino:\t//p' "/proc/$holder/fdinfo/3") $(readlink "/proc/$holder/fd/3")" \
    "${SAID[fdinfo ino]:-} ${SAID[link]:-}"
  hear run_as vaild "$HELPERS/describe-fd" "$holder" 3 || true
  says "another user's $kind, without it" pidfd_getfd EPERM
  expect "another user's $kind: /proc/PID/fd is closed to that capability" \
    bash -c '! "$@" 2>/dev/null' bash "${AS_DAEMON[@]}" ls "/proc/$holder/fd"
  kill_hard "$holder"
}

memory
dma_bufs
fences
fetch vgem
fetch pending-fence
finish
