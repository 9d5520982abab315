#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A graphics context is one made through the daemon, or a GPU device that is really open; the
# daemon looks into processes of other users with CAP_SYS_PTRACE and no more.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee

# registers CHECK EXPECTED WRAPPER...: alice, by a socat that the wrapper executes.
registers() {
  local check=$1 expected=$2
  shift 2
  printf '%s\n' "$(register "$GUID")" |
    run_as vail-alice "$@" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" >"$PRIVATE/answer"
  expect_equal "$check" "$expected" \
    "$(field '.parameters | "\(.status) \(.registration.graphicsContext)"' <"$PRIVATE/answer")"
}

# with_open CHECK EXPECTED FILE
with_open() {
  registers "$1" "$2" "$HELPERS/with-fd" open "$3"
}

a_name_is_no_context() {
  registers "nothing open" "STATUS_INVALID_DISPOSITION null" env
  mknod -m 666 "$PRIVATE/render" c 226 128
  registers "an O_PATH descriptor of a DRM node" "STATUS_INVALID_DISPOSITION null" \
    "$HELPERS/with-fd" path "$PRIVATE/render"
  mkdir -p "$PRIVATE/dev/dri"
  echo >"$PRIVATE/dev/dri/renderD128"
  with_open "a file that is named like one" "STATUS_INVALID_DISPOSITION null" \
    "$PRIVATE/dev/dri/renderD128"
  with_open "another character device" "STATUS_INVALID_DISPOSITION null" /dev/zero
}

# This kernel has no GPU; so, in this namespace, /sys calls the number of /dev/zero that of KFD.
# What is looked at of the process, and how, is as it is with a real one.
a_device_is_one() {
  expect_clean_stop
  mount -t tmpfs tmpfs /sys/class
  mkdir -p /sys/class/kfd/kfd
  echo 1:5 >/sys/class/kfd/kfd/dev
  start_daemon
  ready_vm "$GUID" "$ALICE_CLIENT"
  with_open "a KFD device that is open" "STATUS_SUCCESS kfd" /dev/zero
  registers "an O_PATH descriptor of it" "STATUS_INVALID_DISPOSITION null" \
    "$HELPERS/with-fd" path /dev/zero
  # shellcheck disable=SC2016
  registers "one among the first thousand" "STATUS_SUCCESS kfd" \
    bash -c 'ulimit -n 2000; for i in {10..900}; do eval "exec $i</dev/null"; done
      exec 901</dev/zero "$@"' bash
  # shellcheck disable=SC2016
  registers "one that comes after more than are looked at" "STATUS_INVALID_DISPOSITION null" \
    bash -c 'ulimit -n 3000; for i in {10..1900}; do eval "exec $i</dev/null"; done
      exec 1901</dev/zero; exec "$@"' bash
}

of_the_process_not_of_the_connection() {
  expect_equal "made on one connection it counts on another" "STATUS_SUCCESS" \
    "$(head -n 2 < <(exec_as vail-alice "$HELPERS/register-process" "$SOCKET" "$GUID" \
      < <(exec sleep infinity)) | tail -n 1 | cut -d' ' -f2)"
  expect_equal "another process's does not count" STATUS_INVALID_DISPOSITION \
    "$(ask vail-alice "$(register "$GUID")" | statuses)"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
a_name_is_no_context
of_the_process_not_of_the_connection
a_device_is_one
expect_clean_stop
finish
