#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the hand-over of a VM with the QEMU that is installed here: a local migration between two
# QEMUs of one UUID, a save and restore, and restarts of vaild in between. A viewer keeps its
# registration and goes on showing pictures.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"
# shellcheck source=tests/vm/hand-over-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/hand-over-guest.sh"

# vail-bob may run VMs of its own here. An operator's VM with the same GUID is in the way.
check_refused_user() {
  echo '{"allowUserMachines":true}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  ready_vm "$GUID" "$ALICE_CLIENT"
  exec_qemu() { exec_as vail-bob qemu-system-x86_64 "$@"; }
  QMP=$PRIVATE/guest/qmp-bob
  start_guest "${WITH_DISPLAY[@]}"
  exec_as vail-bob "$PRIVATE/vail-qemu" --qmp "$QMP" --socket "$SOCKET" 2>"$PRIVATE/bob.log" &
  AGENT=$!
  expect "collision: vail-qemu waits while another VM has the GUID" \
    eventually grep -q 'another virtual machine with the GUID' "$PRIVATE/bob.log"
  expect "collision: it has an audit record" eventually grep -q \
    "denied io.vaild.Machine.RegisterVirtualMachine vm=$GUID .*OBJECT_NAME_COLLISION" "$LOG"
  expect "collision: the VM is not handed over" vm_is "$VMM" null
  kill_and_wait "$VMM"
  expect "collision: vail-qemu registers its VM when the other one has ended" \
    eventually vm_is "$QEMU" null
  expect_equal "collision: the wait is logged once" 1 "$(grep -c 'tries again' "$PRIVATE/bob.log")"
  kill_and_wait "$QEMU"
  process_ends "collision: vail-qemu exits with QEMU" "$AGENT" 0 'QEMU has ended$' "$PRIVATE/bob.log"
}

cp "$VAIL_QEMU" "$ROOT/build/sanitized/vail-view" "$PRIVATE/"
make_changing_disk
start_daemon
check_migration
check_migration_that_fails
check_save_and_restore
check_end_of_both
expect "each hand-over is in the log" grep -q "virtualMachineChanged vm=$GUID .*handOverCompleted" "$LOG"
expect "an abandoned one, too" grep -q "virtualMachineChanged vm=$GUID .*handOverAbandoned" "$LOG"
check_refused_user
expect_clean_stop
finish
