#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks under a real systemd that 1000 registrations and 1000 shared objects survive a restart, a
# kill, a watchdog timeout and an upgrade of the daemon. Registrations of processes that exit in the
# meantime end, and requests sent in the meantime are answered.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
OTHER=99999999-9999-4999-8999-999999999999
MANY=1000
NO_LEAK_CHECK=Environment=ASAN_OPTIONS=detect_leaks=0

# save_lists NAME: writes the daemon's lists of VMs, registrations, objects and GPU processes to the
# file NAME in PRIVATE.
save_lists() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)" >"$PRIVATE/$1"
}

# counts NAME: prints the length of each list in the file NAME: VMs, registrations, objects and GPU
# processes, including the adapter's system process.
counts() { jq -c '.parameters[] | select(type == "array") | length' "$PRIVATE/$1" | paste -sd' '; }

# used LIMIT...: prints the current use of these limits as a JSON array.
used() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c --args '[.parameters.limits[] | select(.name | IN($ARGS.positional[])) | .used]' "$@"
}

# add_vm_with_session NAME GUID: registers a VM with a vGPU. Its VMM is the new session NAME.
add_vm_with_session() {
  box_session "$1" vail-vmm share-object "$2"
  expect_equal "the VM of the session $1 is registered" STATUS_SUCCESS "$(add_vm "$2" "$PID" "$ALICE_CLIENT")"
  assign_gpu "$2" >/dev/null
}

# Shares MANY objects and registers MANY processes. In addition shares one memfd three times: as two
# planes of one object, and as another object. systemd stores an open file description only once.
# All three fds are stored, because the daemon reopens the memfd for each plane.
set_up() {
  local inode

  add_vm_with_session sharer "$GUID"
  add_vm_with_session other "$OTHER"
  expect_reply "a VMM shares $MANY objects" STATUS_SUCCESS sharer "share-many $MANY"
  expect_stored "one memfd of each object and a pidfd of each VMM are stored" $((2 + MANY))
  session_ask other "share readWrite memory memory"
  read -r STATUS HANDLE INODE inode <<<"$REPLY"
  expect_equal "one memfd is shared as two planes" "STATUS_SUCCESS $INODE" "$STATUS $inode"
  session_ask other "share readWrite memory"
  read -r STATUS SECOND inode <<<"$REPLY"
  expect_equal "the same memfd is shared as another object" "STATUS_SUCCESS $INODE" \
    "$STATUS $inode"
  expect_stored "the memfd is stored once for each of its three planes" $((5 + MANY))
  box_session many vail-alice register-many "$GUID"
  expect_reply "$MANY processes register" "$MANY" many "register $MANY"
  box_session viewer vail-alice open-object "$OTHER"
  expect_reply "a viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_stored "a pidfd of each registered process is stored" $((6 + 2 * MANY))
}

# expect_stored CHECK COUNT: waits until systemd stores COUNT fds.
expect_stored() {
  expect "$1: $2 fds" eventually property_is NFileDescriptorStore "$2"
}

# check_restart HOW COMMAND...: restarts the daemon with the command, and expects everything to be
# the same. HOW is the prefix of the check names.
check_restart() {
  local how=$1 charged

  shift
  reset_start_limits
  DAEMON=$(property MainPID)
  save_lists before
  charged=$(charged)
  expect "$how: the command succeeds" quietly "$@"
  expect "$how: the daemon starts again" eventually has_restarted
  save_lists after
  expect_equal "$how: all VMs, registrations, objects and GPU processes are restored" \
    "2 $((1 + MANY)) $((2 + MANY)) $((2 + MANY))" "$(counts after)"
  expect "$how: the lists are the same as before" quietly cmp "$PRIVATE/before" "$PRIVATE/after"
  expect_equal "$how: the limits are charged as before" "$charged" "$(charged)"
  expect_equal "$how: systemd still stores all fds" $((6 + 2 * MANY)) \
    "$(property NFileDescriptorStore)"
}

let_watchdog_restart() {
  hang_daemon
  eventually has_restarted && log_has 'atchdog timeout'
}

# Replaces the daemon by the build with sanitizers. Leak detection is off, because it does not work
# in the unit's sandbox.
upgrade() {
  override "$NO_LEAK_CHECK"
  install -m 755 "$VAILD" "$BOX_ROOT/usr/sbin/vaild"
  box systemctl restart vaild.service
}

check_sharing_after_restarts() {
  expect_reply "the viewer opens both planes of the restored object" \
    "STATUS_SUCCESS $INODE:readWrite $INODE:readWrite" viewer "open $HANDLE"
  expect_reply "the VMM writes to the first plane" STATUS_SUCCESS other "write 0 after all"
  expect_reply "the viewer reads the text in the second plane" "STATUS_SUCCESS after all" viewer \
    "read 1"
  expect_reply "the viewer closes the first object" STATUS_SUCCESS viewer close
  expect_reply "the viewer opens the other object with the same memfd" \
    "STATUS_SUCCESS $INODE:readWrite" viewer "open $SECOND"
  expect_reply "the viewer reads the text in the other object" "STATUS_SUCCESS after all" viewer \
    "read 0"
  expect_reply "the viewer closes the other object" STATUS_SUCCESS viewer close
}

# Delays the start of the daemon. Meanwhile 100 processes are killed, and two clients send requests.
check_delayed_start() {
  reset_start_limits
  override "$NO_LEAK_CHECK" \
    "ExecStartPre=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.05; done'"
  box systemctl restart --no-block vaild.service
  expect "delayed start: the daemon does not run" eventually property_is SubState start-pre
  expect_reply "delayed start: 100 registered processes are killed" $((MANY - 100)) many "kill 100"
  printf 'open %s\n' "$HANDLE" >&"${SESSION_IN[viewer]}"
  ask vail-bob "$(call io.vaild.ListRegistrations)" >"$PRIVATE/answer" &
  expect "delayed start: two clients wait for the daemon" eventually connections_wait 2
  box touch /run/go
  read -r -u "${SESSION_OUT[viewer]}" REPLY || true
  expect_equal "delayed start: the request of the registered viewer is answered" \
    "STATUS_SUCCESS $INODE:readWrite $INODE:readWrite" "$REPLY"
  wait $!
  expect_equal "delayed start: the request of an unregistered client is answered" STATUS_SUCCESS \
    "$(statuses <"$PRIVATE/answer")"
  save_lists after
  expect_equal "delayed start: only the killed processes are not restored" \
    "2 $((MANY - 99)) $((2 + MANY)) $((MANY - 98))" "$(counts after)"
  expect_equal "delayed start: killed processes are not charged for" \
    "[$((MANY - 99)),$((2 + MANY))]" "$(used registrations objects)"
  expect_stored "delayed start: pidfds of killed processes are not stored" $((2 * MANY - 94))
}

# connections_wait COUNT: tests whether the socket has COUNT connections that are not accepted. The
# listener itself is in the list as well.
connections_wait() { [ "$(box grep -c " $SOCKET\$" /proc/net/unix)" -eq $((1 + $1)) ]; }

check_end() {
  # shellcheck disable=SC2086 # several pids
  box kill -KILL $STARTED
  expect "when all processes are killed, all VMs end" eventually running_vms_are ""
  expect_stored "when all processes are killed, no fd remains stored" 0
}

trap box_stop EXIT
box_start
box_install
set_up
override LimitCORE=0
check_restart "systemctl restart" box systemctl restart vaild.service
check_restart "SIGKILL" box systemctl kill --signal KILL vaild.service
check_restart "watchdog" let_watchdog_restart
check_restart "upgrade" upgrade
check_sharing_after_restarts
check_delayed_start
check_end
box_log_on_failure
finish
