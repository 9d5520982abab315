#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks under a real systemd that a driver keeps its adapter when the daemon is restarted or
# killed: the driver registers the adapter again and finds everything that was on it. If the driver
# does not register in time, its adapter ends.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
WAIT=30 # seconds: LIMIT_DRIVER_WAIT_SECONDS

# The states of a page table entry as gpu-driver prints them, see VailTranslationState.
RESERVED=2
SET=3

gpu() { call "io.vaild.Gpu.$1" "{${2-}}"; }

# Prints everything that an operator can list about adapters, GPU processes, VMs and registrations.
list_everything() {
  ask root "$(gpu ListAdapters)" "$(gpu ListProcesses)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.Machine.ListVirtualMachines)" \
    "$(gpu DescribeAddressSpace "\"process\":\"$PROCESS\"")" | jq -cS .
}

# printed_value NAME WORD: reads the session's output up to the next line that begins with WORD, and
# prints the rest of that line.
printed_value() {
  REPLY=
  while [[ $REPLY != "$2 "* ]] && read -r -u "${SESSION_OUT[$1]}" REPLY; do :; done
  echo "${REPLY#"$2" }"
}

# Starts a driver with an adapter, a process that draws on it, and a VM with a viewer whose only
# vGPU is on the adapter. Sets ADAPTER, and PROCESS to the GPU process of the drawing process.
set_up() {
  local shared

  box_session drawer vail-alice gpu-process
  box_session driver root gpu-driver "$PID"
  shared=$(printed_value driver shared)
  ADAPTER=$(printed_value driver adapter)
  PROCESS=$(printed_value driver process)
  expect_match "the driver registers an adapter and creates a GPU process" '^[0-9a-f]{32}$' \
    "$PROCESS"
  session_ask drawer "$ADAPTER"$'\n'"$shared"
  expect_equal "the drawing process maps in the driver's shared range" "$PROCESS" \
    "$(printed_value drawer process)"
  box_session vmm vail-vmm share-object "$GUID"
  expect_equal "the VM is registered" STATUS_SUCCESS "$(add_vm "$GUID" "$PID" "$ALICE_CLIENT")"
  expect_equal "the VM gets a vGPU on the adapter" STATUS_SUCCESS "$(ask root "$(call \
    io.vaild.Machine.AssignVirtualGpu \
    "{\"virtualMachineGuid\":\"$GUID\",\"adapter\":\"$ADAPTER\"}")" | statuses)"
  box_session viewer vail-alice open-object "$GUID"
  expect_reply "the viewer registers for the VM" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
}

# check_restart HOW COMMAND...: restarts the daemon with the command, and lets the driver register
# its adapter again. HOW is the prefix of the check names.
check_restart() {
  local how=$1 before
  shift
  DAEMON=$(property MainPID)
  before=$(list_everything)
  expect "$how: the command succeeds" quietly "$@"
  expect "$how: the daemon starts again" eventually has_restarted
  expect_equal "$how: the adapter and everything on it are restored" "$before" \
    "$(list_everything)"
  expect_equal "$how: before the driver returns nobody may create a GPU process" \
    STATUS_ACCESS_DENIED "$(ask root "$(gpu CreateProcess "\"adapter\":\"$ADAPTER\"")" | statuses)"
  expect_reply "$how: the driver takes its adapter over and sets its page table entry again" \
    "STATUS_SUCCESS restored same $RESERVED STATUS_SUCCESS $SET" driver again
  expect_equal "$how: nothing else has changed" "$before" "$(list_everything)"
  expect_reply "$how: the driver cannot take its adapter over a second time" \
    "STATUS_OBJECT_NAME_COLLISION new same $SET STATUS_SUCCESS $SET" driver again
  reset_start_limits
}

# Makes the next start of the daemon that of the build with sanitizers and the clock of the tests.
# Leak detection is off, because it does not work in the unit's sandbox.
install_daemon_with_own_clock() {
  CLOCK=$BOX_ROOT/usr/local/lib/clock
  use_test_clock
  install -m 755 "$VAILD" "$BOX_ROOT/usr/sbin/vaild"
  override Environment=ASAN_OPTIONS=detect_leaks=0 Environment=VAILD_CLOCK=/usr/local/lib/clock
}

adapters() { ask root "$(gpu ListAdapters)" | field '[.parameters.adapters[].name] | join(",")'; }

# wait_for_event NAME TEXT: reads the session's output up to the next line that contains TEXT, and
# sets REPLY to that line. Fails if the output ends first.
wait_for_event() {
  while read -r -u "${SESSION_OUT[$1]}" REPLY; do
    [[ $REPLY != *"$2"* ]] || return 0
  done
  return 1
}

check_late_driver() {
  DAEMON=$(property MainPID)
  install_daemon_with_own_clock
  expect "timeout: the daemon is restarted" quietly box systemctl restart vaild.service
  expect "timeout: the daemon starts again" eventually has_restarted
  session_open watcher root
  session_ask watcher '{"method":"io.vaild.Watch","more":true}'
  expect "timeout: the log says that one adapter waits for its driver" \
    log_has "^1 adapter waits up to $WAIT seconds for its driver to"
  expect_equal "timeout: the waiting adapter is listed" "vaild software adapter,a card" \
    "$(adapters)"
  advance_clock $((WAIT - 1))
  expect_equal "timeout: the adapter still waits one second before the timeout" \
    "vaild software adapter,a card" "$(adapters)"
  advance_clock 1
  expect "timeout: the adapter is removed when no driver has registered" \
    wait_for_event watcher '"kind":"adapterRemoved"'
  expect_equal "timeout: the event has the same reason as a closed connection" driverGone \
    "$(field .parameters.event.reason <<<"$REPLY")"
  expect_equal "timeout: other adapters remain" "vaild software adapter" "$(adapters)"
  expect "timeout: the removal is logged" log_has '^adapterRemoved adapter=a card reason=driverGone'
  expect_equal "timeout: only the adapter and the viewer's registration are logged as ended" \
    "adapterRemoved unregistered" "$(box \
      journalctl --quiet --no-pager -o cat --unit "$UNIT" |
      grep -oE '^(adapterRemoved|unregistered) ' | sort | xargs)"
  expect_equal "timeout: registrations for a VM without another vGPU end" "" "$(registered_pids)"
  session_ask driver again
  expect_match "timeout: a driver that registers later gets a new adapter" \
    '^STATUS_SUCCESS new other .* STATUS_INVALID_HANDLE' "$REPLY"
}

trap box_stop EXIT
box_start
box_install
set_up
check_restart "systemctl restart" box systemctl restart vaild.service
check_restart "SIGKILL" box systemctl kill --signal KILL vaild.service
check_late_driver
box_log_on_failure
finish
