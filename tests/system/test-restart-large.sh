#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Of a thousand registrations and a thousand shared objects none is lost under a real systemd: over
# a restart, a kill, the watchdog's and an upgrade. Who dies meanwhile is gone, and who asks
# meanwhile is answered.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
OTHER=99999999-9999-4999-8999-999999999999
MANY=1000
NO_LEAKS=Environment=ASAN_OPTIONS=detect_leaks=0

# All that there is of these, in an order of their own.
everything() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)" >"$PRIVATE/$1"
}

# How many of the lists' things there are: VMs, registrations, objects and GPU processes, of which
# one is the kernel's.
counted() { jq -c '.parameters[] | select(type == "array") | length' "$PRIVATE/$1" | paste -sd' '; }

# How many the daemon says that are charged, of the limits of these names.
used() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c --args '[.parameters.limits[] | select(.name | IN($ARGS.positional[])) | .used]' "$@"
}

# vmm NAME GUID: a VM with a vGPU, whose VMM is the session of that name.
vmm() {
  box_session "$1" vail-vmm share-object "$2"
  expect_equal "a VM" STATUS_SUCCESS "$(add_vm "$2" "$PID" "$ALICE_CLIENT")"
  assign_gpu "$2" >/dev/null
}

# Beside the many, one memory as two planes of an object and as another object: the daemon opens it
# anew for each, so that systemd, which has each description once, has all three.
setting_up() {
  local again

  vmm sharer "$GUID"
  vmm other "$OTHER"
  expect_reply "it shares $MANY objects" STATUS_SUCCESS sharer "share-many $MANY"
  expect_stored "a memory each" $((2 + MANY))
  session_ask other "share readWrite memory memory"
  read -r STATUS HANDLE INODE again <<<"$REPLY"
  expect_equal "one memory is two planes" "STATUS_SUCCESS $INODE" "$STATUS $again"
  session_ask other "share readWrite memory"
  read -r STATUS SECOND again <<<"$REPLY"
  expect_equal "and is shared twice" "STATUS_SUCCESS $INODE" "$STATUS $again"
  expect_stored "each opened anew" $((5 + MANY))
  box_session many vail-alice register-many "$GUID"
  expect_reply "$MANY processes are registered" "$MANY" many "register $MANY"
  box_session viewer vail-alice open-object "$OTHER"
  expect_reply "and a viewer" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_stored "a pidfd each" $((6 + 2 * MANY))
}

expect_stored() {
  expect "$1: systemd has $2" eventually property_is NFileDescriptorStore "$2"
}

# loses_none HOW COMMAND...
loses_none() {
  local how=$1 charged

  shift
  forget_starts
  DAEMON=$(property MainPID)
  everything before
  charged=$(charged)
  expect "$how" quietly "$@"
  expect "$how: it comes back" eventually is_another_and_up
  everything after
  expect_equal "$how: as many as there were" "2 $((1 + MANY)) $((2 + MANY)) $((2 + MANY))" \
    "$(counted after)"
  expect "$how: the same" quietly cmp "$PRIVATE/before" "$PRIVATE/after"
  expect_equal "$how: charged for" "$charged" "$(charged)"
  expect_equal "$how: kept" $((6 + 2 * MANY)) "$(property NFileDescriptorStore)"
}

stuck() {
  get_stuck
  eventually is_another_and_up && log_has 'atchdog timeout'
}

# The tests' own build is another, with sanitizers; in the unit's sandbox these find no leaks.
upgrade() {
  override "$NO_LEAKS"
  install -m 755 "$VAILD" "$BOX_ROOT/usr/sbin/vaild"
  box systemctl restart vaild.service
}

shares_as_before() {
  expect_reply "two planes are there" "STATUS_SUCCESS $INODE:readWrite $INODE:readWrite" viewer "open $HANDLE"
  expect_reply "the VMM writes" STATUS_SUCCESS other "write 0 after all"
  expect_reply "which both show" "STATUS_SUCCESS after all" viewer "read 1"
  expect_reply "they are closed" STATUS_SUCCESS viewer close
  expect_reply "the other is there" "STATUS_SUCCESS $INODE:readWrite" viewer "open $SECOND"
  expect_reply "and shows it" "STATUS_SUCCESS after all" viewer "read 0"
  expect_reply "and is closed" STATUS_SUCCESS viewer close
}

# There is no daemon for a while: a hundred processes end, and some ask.
slow_restart() {
  forget_starts
  override "$NO_LEAKS" "ExecStartPre=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.05; done'"
  box systemctl restart --no-block vaild.service
  expect "there is no daemon" eventually property_is SubState start-pre
  expect_reply "a hundred end" $((MANY - 100)) many "kill 100"
  printf 'open %s\n' "$HANDLE" >&"${SESSION_IN[viewer]}"
  ask vail-bob "$(call io.vaild.ListRegistrations)" >"$PRIVATE/answer" &
  expect "who asks meanwhile waits" eventually so_many_wait 2
  box touch /run/go
  read -r -u "${SESSION_OUT[viewer]}" REPLY || true
  expect_equal "one that was registered before is answered" \
    "STATUS_SUCCESS $INODE:readWrite $INODE:readWrite" "$REPLY"
  wait $!
  expect_equal "so is another" STATUS_SUCCESS "$(statuses <"$PRIVATE/answer")"
  everything after
  expect_equal "who ended meanwhile is gone, and nobody else" \
    "2 $((MANY - 99)) $((2 + MANY)) $((MANY - 98))" "$(counted after)"
  expect_equal "and is charged for no more" "[$((MANY - 99)),$((2 + MANY))]" \
    "$(used registrations objects)"
  expect_stored "nor kept" $((2 * MANY - 94))
}

# Beside the listener: connections that nobody has accepted yet.
so_many_wait() { [ "$(box grep -c " $SOCKET\$" /proc/net/unix)" -eq $((1 + $1)) ]; }

nothing_is_left() {
  # shellcheck disable=SC2086 # several pids
  box kill -KILL $STARTED
  expect "with them all ends" eventually running_are ""
  expect_stored "in the end" 0
}

trap box_stop EXIT
box_start
box_install
setting_up
override LimitCORE=0
loses_none "systemctl restart" box systemctl restart vaild.service
loses_none "SIGKILL" box systemctl kill --signal KILL vaild.service
loses_none "the watchdog" stuck
loses_none "an upgrade" upgrade
shares_as_before
slow_restart
nothing_is_left
box_log_on_failure
finish
