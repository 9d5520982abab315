#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Tests what the kernel reports about fds of GPU memory and fences, and how vaild classifies them.
# vaild relies on these facts, so that this test detects a kernel that changes them.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

DMA_BUF_MAGIC=0x444d4142
SIZE=16384

declare -A FACTS

# read_facts COMMAND...: runs describe-fd. Sets FACTS to the values that it prints, by key. Returns its
# exit status.
read_facts() {
  local key value text status=0

  FACTS=()
  text=$("$@") || status=$?
  while read -r key value; do
    [ "$key" != fdinfo ] || { key="fdinfo ${value%% *}" value=${value#* }; }
    FACTS[$key]=$value
  done <<<"$text"
  return "$status"
}

# describe KIND: sets FACTS for a new fd of this kind. If this machine has no device for it, skips the
# kind and fails.
describe() {
  local status=0

  read_facts "$HELPERS/make-fd" "$1" "$HELPERS/describe-fd" 3 || status=$?
  [ "$status" -ne 3 ] || skip "$1" "this kernel has no device for it"
  [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || not_ok "$1" "exit status $status"
  return "$status"
}

# expect_facts CHECK [KEY VALUE]...: compares values in FACTS.
expect_facts() {
  local check=$1
  shift
  while [ $# -gt 0 ]; do
    expect_equal "$check: $1" "$2" "${FACTS[$1]:-}"
    shift 2
  done
}

# expect_classified KIND RESULT: checks the result of the daemon's own code, run as the daemon's user.
expect_classified() {
  expect_equal "$1: vaild classifies it as $2" "$2" \
    "$("$HELPERS/make-fd" "$1" "${AS_DAEMON[@]}" "$HELPERS/classify-fd" 3)"
}

test_dma_bufs() {
  local kind

  for kind in udmabuf dma-heap vgem virtio-gpu; do
    describe "$kind" || continue
    expect_facts "$kind" filesystem "$DMA_BUF_MAGIC" end "$SIZE" 'fdinfo size' "$SIZE" mode readWrite \
      reopen ENXIO fence ENOTTY mount other
    expect_match "$kind: link" '^/dmabuf:' "${FACTS[link]:-}"
    expect_classified "$kind" "dmabuf $SIZE writable"
    echo "# $kind: exporter ${FACTS[fdinfo exp_name]:-}, file type ${FACTS[file]:-}," \
      "st_size ${FACTS[size]:-}"
  done
}

test_memfd() {
  describe memfd || return 0
  expect_facts memfd file regular mount own size "$SIZE" mode readWrite reopen opens fence ENOTTY
  expect_match "memfd: link" '^/memfd:' "${FACTS[link]:-}"
  expect_classified memfd "memfd $SIZE writable sealable"
  expect "memfd: its file system is not that of dma-bufs" test "${FACTS[filesystem]:-}" != "$DMA_BUF_MAGIC"
}

test_fences() {
  local state

  for state in pending signalled; do
    describe "$state-fence" || continue
    expect_facts "$state-fence" link anon_inode:sync_file fence "1 $state" reopen ENXIO mount other
    expect_classified "$state-fence" "sync_file 0"
    expect "$state-fence: its file system is not that of dma-bufs" test \
      "${FACTS[filesystem]:-}" != "$DMA_BUF_MAGIC"
  done
}

# test_fetched KIND: looks at an fd of this kind in a process of alice. vaild does the same to find
# the GPU devices that its callers have open.
test_fetched() {
  local kind=$1 holder

  exec_as vail-alice "$HELPERS/make-fd" "$kind" sleep infinity 2>/dev/null &
  holder=$!
  if ! eventually runs_as "$holder" "$ALICE" sleep; then
    skip "another user's $kind" "this kernel has no device for it"
    return
  fi
  read_facts "${AS_DAEMON[@]}" "$HELPERS/describe-fd" "$holder" 3 || true
  expect_equal "another user's $kind: CAP_SYS_PTRACE suffices to fetch it" \
    "$(sed -n 's/^ino:\t//p' "/proc/$holder/fdinfo/3") $(readlink "/proc/$holder/fd/3")" \
    "${FACTS[fdinfo ino]:-} ${FACTS[link]:-}"
  read_facts run_as vaild "$HELPERS/describe-fd" "$holder" 3 || true
  expect_facts "another user's $kind: without CAP_SYS_PTRACE" pidfd_getfd EPERM
  expect "another user's $kind: CAP_SYS_PTRACE does not open /proc/PID/fd" \
    bash -c '! "$@" 2>/dev/null' bash "${AS_DAEMON[@]}" ls "/proc/$holder/fd"
  kill_and_wait "$holder"
}

test_memfd
test_dma_bufs
test_fences
test_fetched vgem
test_fetched pending-fence
finish
