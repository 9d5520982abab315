#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A connection is not a process. The daemon serves requests on it only if the process that
# connected sent them. Another process that inherits or receives the socket is refused, even after
# the first one has exited or changed its uid.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=77777777-7777-4777-8777-777777777777
LIST=$(call io.vaild.ListRegistrations)

# expect_status CHECK EXPECTED USER MODE REQUEST [PROGRAM]: checks the status of the reply to a
# request that passed-socket sends as USER.
expect_status() {
  local check=$1 expected=$2 user=$3
  shift 3
  expect_equal "$check" "$expected" \
    "$(run_as "$user" "$HELPERS/passed-socket" "$SOCKET" "$@" | statuses)"
}

# Makes copies of cat and socat that run with root's effective uid. They keep their privileges and
# check nothing.
make_set_uid_programs() {
  cp /bin/cat "$PRIVATE/set-uid-cat"
  cp "$(command -v socat)" "$PRIVATE/set-uid-socat"
  chmod 4755 "$PRIVATE/set-uid-cat" "$PRIVATE/set-uid-socat"
}

test_other_senders() {
  local user

  for user in vail-alice root; do
    expect_status "$user: the process that connected is served" STATUS_SUCCESS "$user" own "$LIST"
    expect_status "$user: a child that inherited the socket is refused" STATUS_ACCESS_DENIED \
      "$user" inherited "$LIST"
    expect_status "$user: a process that received the socket is refused" STATUS_ACCESS_DENIED \
      "$user" passed "$LIST"
    expect_status "$user: the socket is refused after the process that connected has exited" \
      STATUS_PROCESS_IS_TERMINATING "$user" orphaned "$LIST"
    expect_status "$user: a message with bytes of two processes is refused" STATUS_ACCESS_DENIED \
      "$user" mixed "$LIST"
  done
  expect_status "a child is refused after its parent became root through a set-uid program" \
    STATUS_ACCESS_DENIED vail-alice changed "$LIST" "$PRIVATE/set-uid-cat"
  expect_status "a child cannot register on an inherited socket" STATUS_ACCESS_DENIED vail-alice \
    inherited "$(register "$GUID")"
  expect_status "a child of root cannot set a quarantine on an inherited socket" \
    STATUS_ACCESS_DENIED root inherited "$(call io.vaild.Machine.SetQuarantine \
      "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")"
  expect_status "a child cannot call GetInfo on an inherited socket" STATUS_ACCESS_DENIED \
    vail-alice inherited "$(call org.varlink.service.GetInfo)"
}

# The connection was made by alice, but /proc says that the process is root now. The daemon grants
# neither the rights of alice nor those of root.
test_changed_uid() {
  local answers

  answers=$(printf '%s\n' "$CONTEXT" "$(register "$GUID")" |
    run_as vail-alice "$HELPERS/passed-socket" "$SOCKET" becomes - "$PRIVATE/set-uid-socat" |
    statuses)
  expect_equal "a process of alice that became root cannot register as alice" \
    "STATUS_SUCCESS STATUS_ACCESS_DENIED" "$answers"
  expect_equal "a process of alice that became root is not an operator" STATUS_ACCESS_DENIED \
    "$(printf '%s\n' "$(call io.vaild.Machine.ListQuarantines)" |
      run_as vail-alice "$HELPERS/passed-socket" "$SOCKET" becomes - "$PRIVATE/set-uid-socat" |
      statuses)"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
make_set_uid_programs
test_other_senders
test_changed_uid
expect_clean_stop

start_daemon "$HELPERS/without-kernel-feature" peerpidfd
expect_status "without SO_PEERPIDFD: the process that connected is served" STATUS_SUCCESS \
  vail-alice own "$LIST"
expect_status "without SO_PEERPIDFD: a child that inherited the socket is refused" \
  STATUS_ACCESS_DENIED vail-alice inherited "$LIST"
expect_status \
  "without SO_PEERPIDFD: the socket is refused after the process that connected has exited" \
  STATUS_PROCESS_IS_TERMINATING vail-alice orphaned "$LIST"
expect_clean_stop
finish
