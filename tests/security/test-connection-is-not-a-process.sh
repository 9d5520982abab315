#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A connection is not a process: it speaks for the process that made it, and for no other that has
# come by the socket, whatever has become of the first meanwhile.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=77777777-7777-4777-8777-777777777777
LIST=$(call io.vaild.ListRegistrations)

# passed CHECK EXPECTED USER MODE REQUEST [PROGRAM]
passed() {
  local check=$1 expected=$2 user=$3
  shift 3
  expect_equal "$check" "$expected" \
    "$(run_as "$user" "$HELPERS/passed-socket" "$SOCKET" "$@" | statuses)"
}

# Programs that make who executes them root. They drop nothing, and ask nothing.
make_set_uid_programs() {
  cp /bin/cat "$PRIVATE/set-uid-cat"
  cp "$(command -v socat)" "$PRIVATE/set-uid-socat"
  chmod 4755 "$PRIVATE/set-uid-cat" "$PRIVATE/set-uid-socat"
}

others_are_refused() {
  local user

  for user in vail-alice root; do
    passed "$user: the connector itself" STATUS_SUCCESS "$user" own "$LIST"
    passed "$user: a child that inherited it" STATUS_ACCESS_DENIED "$user" inherited "$LIST"
    passed "$user: a process that was passed it" STATUS_ACCESS_DENIED "$user" passed "$LIST"
    passed "$user: the connector is gone" STATUS_PROCESS_IS_TERMINATING "$user" orphaned "$LIST"
    passed "$user: two processes' bytes in one message" STATUS_ACCESS_DENIED "$user" mixed "$LIST"
  done
  passed "the connector has become root by a set-uid program" STATUS_ACCESS_DENIED vail-alice \
    changed "$LIST" "$PRIVATE/set-uid-cat"
  passed "a child asks to be registered" STATUS_ACCESS_DENIED vail-alice inherited \
    "$(register "$GUID")"
  passed "a child of root's asks for a quarantine" STATUS_ACCESS_DENIED root inherited \
    "$(call io.vaild.Machine.SetQuarantine \
      "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")"
  passed "a child asks who the service is" STATUS_ACCESS_DENIED vail-alice inherited \
    "$(call org.varlink.service.GetInfo)"
}

# The connection says alice, /proc says root: neither is enough by itself.
becoming_another_is_not_the_same() {
  local answers

  answers=$(printf '%s\n' "$CONTEXT" "$(register "$GUID")" |
    run_as vail-alice "$HELPERS/passed-socket" "$SOCKET" becomes - "$PRIVATE/set-uid-socat" |
    statuses)
  expect_equal "who has become root is not alice any more" "STATUS_SUCCESS STATUS_ACCESS_DENIED" \
    "$answers"
  expect_equal "who has become root is no operator here" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$(call io.vaild.Machine.ListQuarantines)" |
      run_as vail-alice "$HELPERS/passed-socket" "$SOCKET" becomes - "$PRIVATE/set-uid-socat" |
      statuses)"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
make_set_uid_programs
others_are_refused
becoming_another_is_not_the_same
expect_clean_stop

start_daemon "$HELPERS/without-kernel-feature" peerpidfd
passed "without SO_PEERPIDFD: the connector itself" STATUS_SUCCESS vail-alice own "$LIST"
passed "without SO_PEERPIDFD: a child" STATUS_ACCESS_DENIED vail-alice inherited "$LIST"
passed "without SO_PEERPIDFD: the connector is gone" STATUS_PROCESS_IS_TERMINATING vail-alice \
  orphaned "$LIST"
expect_clean_stop
finish
