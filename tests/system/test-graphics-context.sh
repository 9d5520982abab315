#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A process has a graphics context if it has created one through the daemon or has a GPU device
# open. A file name alone does not count. CAP_SYS_PTRACE, the daemon's only capability, suffices to
# inspect processes of other users.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee

# registers CHECK EXPECTED WRAPPER...: checks the status of alice's registration by a socat that
# WRAPPER executes, and the kind of graphics context in the reply.
registers() {
  local check=$1 expected=$2
  shift 2
  printf '%s\n' "$(register "$GUID")" |
    run_as vail-alice "$@" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" >"$PRIVATE/answer"
  expect_equal "$check" "$expected" \
    "$(field '.parameters | "\(.status) \(.registration.graphicsContext)"' <"$PRIVATE/answer")"
}

# with_open CHECK EXPECTED FILE: the same for a process that has FILE open.
with_open() {
  registers "$1" "$2" "$HELPERS/with-fd" open "$3"
}

# Checks files that are not an open GPU device.
test_other_files() {
  registers "a process without open files has no context" "STATUS_INVALID_DISPOSITION null" env
  mknod -m 666 "$PRIVATE/render" c 226 128
  registers "an O_PATH fd of a DRM node is no context" "STATUS_INVALID_DISPOSITION null" \
    "$HELPERS/with-fd" path "$PRIVATE/render"
  mkdir -p "$PRIVATE/dev/dri"
  echo >"$PRIVATE/dev/dri/renderD128"
  with_open "a regular file with the name of a DRM node is no context" \
    "STATUS_INVALID_DISPOSITION null" \
    "$PRIVATE/dev/dri/renderD128"
  with_open "another character device is no context" "STATUS_INVALID_DISPOSITION null" /dev/zero
}

# Checks an open KFD device. Because the machine may have none, /sys in this namespace gives KFD the
# device number of /dev/zero. The daemon inspects the process as it would with a real device.
test_device() {
  expect_clean_stop
  mount -t tmpfs tmpfs /sys/class
  mkdir -p /sys/class/kfd/kfd
  echo 1:5 >/sys/class/kfd/kfd/dev
  start_daemon
  ready_vm "$GUID" "$ALICE_CLIENT"
  with_open "an open KFD device is a context" "STATUS_SUCCESS kfd" /dev/zero
  registers "an O_PATH fd of a KFD device is no context" "STATUS_INVALID_DISPOSITION null" \
    "$HELPERS/with-fd" path /dev/zero
  # shellcheck disable=SC2016
  registers "a KFD device among the first 1000 fds is found" "STATUS_SUCCESS kfd" \
    bash -c 'ulimit -n 2000; for i in {10..900}; do eval "exec $i</dev/null"; done
      exec 901</dev/zero "$@"' bash
  # shellcheck disable=SC2016
  registers "a KFD device after more fds than the daemon inspects is not found" \
    "STATUS_INVALID_DISPOSITION null" \
    bash -c 'ulimit -n 3000; for i in {10..1900}; do eval "exec $i</dev/null"; done
      exec 1901</dev/zero; exec "$@"' bash
}

# A context belongs to the process, not to the connection on which it was created.
test_context_of_process() {
  expect_equal "a context from one connection counts on another of the process" "STATUS_SUCCESS" \
    "$(head -n 2 < <(exec_as vail-alice "$HELPERS/register-process" "$SOCKET" "$GUID" \
      < <(exec sleep infinity)) | tail -n 1 | cut -d' ' -f2)"
  expect_equal "the context of another process does not count" STATUS_INVALID_DISPOSITION \
    "$(ask vail-alice "$(register "$GUID")" | statuses)"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
test_other_files
test_context_of_process
test_device
expect_clean_stop
finish
