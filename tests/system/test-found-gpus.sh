#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A function of a GPU that the VMM has open is the VM's virtual GPU, and ends with that: a client may
# register because of it, loses the registration when the VMM closes it, and the next VM that opens
# it has it. The machine may have no GPU, so /sys in this namespace is made by the test, and VFIO
# groups have the numbers of /dev/zero and /dev/full.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-devices.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-devices.sh"
# shellcheck source=tests/system/lib/gpu-holders.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/gpu-holders.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee
NEXT_GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd
CARD=pci0000:00/0000:00:02.0
FUNCTION=pci0000:00/0000:00:02.1
SECOND_FUNCTION=pci0000:00/0000:00:02.2
CONTEXT=$(call io.vaild.Gpu.CreateContext)

vailctl() { "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"; }

# found_after_looks TEXT: tests whether these are found, after time for a look has passed.
found_after_looks() {
  advance_clock 10
  found_gpus_are "$1"
}

# alice_registers GUID: sets STATUS to that of a registration in alice's session.
alice_registers() {
  session_status alice "$(register "$1")"
}

test_registers_while_it_is_open() {
  start_vmm_with /dev/zero
  FIRST=$VMM
  [ "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  open_watch
  session_open alice vail-alice
  session_status alice "$CONTEXT"
  alice_registers "$GUID"
  expect_equal "the client of a VM whose VMM holds a function registers" STATUS_SUCCESS "$STATUS"
  expect_equal "the function is the VM's" "$GUID 0000:00:02.1 virtualFunction" "$(found_gpus)"
  expect_match "vailctl shows its source, function and adapter" \
    "virtualFunction +0000:00:02.1 .*Intel GPU 0000:00:02.0" "$(vailctl vgpu list)"
  if command -v script >/dev/null; then
    expect_equal "the table fits a terminal of 80 columns" "" \
      "$(NO_COLOR=1 script -qec "stty cols 80; ${CTL[*]} --no-pager vgpu list" /dev/null </dev/null |
        tr -d '\r' | grep -E '.{81}')"
  else
    skip "the table fits a terminal of 80 columns" "script is not installed"
  fi
  expect_match "vailctl show says the same" "virtualFunction 0000:00:02.1" "$(vailctl show "$GUID")"
}

test_only_shown() {
  local handle
  handle=$(ask root "$(call io.vaild.Machine.ListVirtualMachines)" |
    field '.parameters.virtualMachines[0].virtualGpus[0].virtualGpu')
  expect_match "vailctl says why nobody can remove it" "has the function open; detach" \
    "$(vailctl vgpu remove "$handle" 2>&1)"
  expect_equal "it is still there" "$GUID 0000:00:02.1 virtualFunction" "$(found_gpus)"
}

test_closing_takes_it_back() {
  close_first
  expect "a look notices that the function is closed" eventually found_after_looks ""
  next_event virtualGpuRemoved
  expect_match "watches learn why" '"reason":"functionClosed"' "$REPLY"
  next_event unregistered
  expect_match "the registration ends with the status of a VM without virtual GPU" \
    '"status":"STATUS_GRAPHICS_VAIL_STATE_CHANGED"' "$REPLY"
  alice_registers "$GUID"
  expect_equal "nobody registers any more" STATUS_GRAPHICS_VAIL_STATE_CHANGED "$STATUS"
}

test_next_vm() {
  start_vmm_with /dev/zero /dev/full
  [ "$(add_vm "$NEXT_GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  alice_registers "$NEXT_GUID"
  expect_equal "the client of the next VM that opens it registers" STATUS_SUCCESS "$STATUS"
  expect_equal "both functions are the next VM's" \
    "$NEXT_GUID 0000:00:02.1 virtualFunction,$NEXT_GUID 0000:00:02.2 virtualFunction" "$(found_gpus)"
  alice_registers "$GUID"
  expect_equal "and not the first one's" STATUS_GRAPHICS_VAIL_STATE_CHANGED "$STATUS"
}

test_one_of_two() {
  close_first
  expect "the VM keeps the function that is still open" \
    eventually found_after_looks "$NEXT_GUID 0000:00:02.2 virtualFunction"
  expect_equal "and its registration" 1 \
    "$(ask root "$(call io.vaild.ListRegistrations)" | field '.parameters.registrations | length')"
}

# An unplugged device has no entry in /sys any more, although the VMM still has the node open.
test_unplugged() {
  rm "/sys/dev/char/1:7"
  expect "an unplugged function is none" eventually found_after_looks ""
  next_event unregistered
  expect_match "its registration ends" STATUS_GRAPHICS_VAIL_STATE_CHANGED "$REPLY"
  kill_and_wait "$FIRST"
  kill_and_wait "$VMM"
}

make_sys
add_pci "$CARD" i915 0x8086
add_node "$CARD" card0
add_function "$FUNCTION" 0000:00:02.0 12 1:5
add_function "$SECOND_FUNCTION" 0000:00:02.0 13 1:7
use_test_clock
start_daemon
test_registers_while_it_is_open
test_only_shown
test_closing_takes_it_back
test_next_vm
test_one_of_two
test_unplugged
expect_clean_stop
finish
