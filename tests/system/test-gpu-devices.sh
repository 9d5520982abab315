#!/bin/bash
# SPDX-License-Identifier: MIT
#
# GPU devices of the host are adapters as long as they exist, and `vailctl gpu holders` tells which
# VM holds which. The machine may have no GPU, so /sys in this namespace is made by the test. An open
# device has the number of /dev/zero or /dev/full there; everything else is as with a real one.

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

vailctl() { "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"; }

# udev_adds MINOR: adds the file of a DRM node to the database, as udev does.
udev_adds() {
  echo "I:1" >"/run/udev/data/.#c226:$1"
  mv "/run/udev/data/.#c226:$1" "/run/udev/data/c226:$1"
}

# Prints the names of all adapters but the software adapter.
adapters() {
  ask root "$(call io.vaild.Gpu.ListAdapters)" |
    field '[.parameters.adapters[] | select(.source == "drm") | .name] | join(",")'
}

adapters_are() { [ "$(adapters)" = "$1" ]; }

# status_remarks: prints the remarks of vailctl status about GPU devices.
status_remarks() { vailctl --json status | field '[.remarks[] | select(.subject | test("GPU")) | .subject + " " + .message] | join("; ")'; }

test_start_without_gpus() {
  expect_equal "a host without DRM has no adapters of its own" "" "$(adapters)"
  expect_equal "a host without DRM has no remark about it" "" "$(status_remarks)"
}

test_reload() {
  add_pci "$CARD" i915 0x8086
  add_node "$CARD" card0
  vailctl reload
  expect_equal "a reload finds a new device" "Intel GPU 0000:00:02.0" "$(adapters)"
  expect_match "vailctl shows the device, its source and its node" \
    'Intel GPU 0000:00:02.0 +drm .*i915 .*card0' "$(vailctl adapters)"
}

test_hotplug() {
  add_node faux/vgem card1
  udev_adds 1
  expect "a device that comes is listed" eventually adapters_are "Intel GPU 0000:00:02.0,GPU faux/vgem"
  rm /sys/class/drm/card1
  rm /run/udev/data/c226:1
  expect "a device that goes is not listed any more" eventually adapters_are "Intel GPU 0000:00:02.0"
}

test_unreadable() {
  chmod 700 /sys/class
  vailctl reload
  expect_match "status says that the devices cannot be read" \
    'GPU devices of the host cannot be read from /sys/class/drm: Permission denied' "$(status_remarks)"
  expect_equal "the adapters stay as they were" "Intel GPU 0000:00:02.0" "$(adapters)"
  chmod 755 /sys/class
  vailctl reload
  expect_equal "the remark goes when they can be read" "" "$(status_remarks)"
}

# adapter_handle: prints the handle of the device.
adapter_handle() {
  ask root "$(call io.vaild.Gpu.ListAdapters)" |
    field '.parameters.adapters[] | select(.source == "drm") | .adapter'
}

test_only_shown() {
  local adapter
  adapter=$(adapter_handle)
  expect_equal "an operator cannot remove it, nor assign virtual GPUs on it" \
    "STATUS_NOT_SUPPORTED STATUS_NOT_SUPPORTED" \
    "$(ask root "$(call io.vaild.Gpu.UnregisterAdapter "{\"adapter\":\"$adapter\"}")" \
      "$(call io.vaild.Machine.AssignVirtualGpu \
        "{\"virtualMachineGuid\":\"$GUID\",\"adapter\":\"$adapter\"}")" | statuses)"
}

# holders USER: prints GUID, function and kind of all that is held, as the user sees it.
holders() {
  ask "$1" "$(call io.vaild.Gpu.ListHolders)" | field '[.parameters.holders[] | .virtualMachineGuid as $guid |
    .gpus[] | "\($guid) \(.function) \(.kind)"] | join(",")'
}

# Gives the number of /dev/zero to a VFIO group with a virtual function.
make_function() {
  add_function "$FUNCTION" 0000:00:02.0 12 1:5
  ln -s "../../devices/$CARD/drm/card0" /sys/dev/char/1:7
}

test_holders() {
  local first
  make_function
  start_holder /dev/zero
  first=$VMM
  [ "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_equal "the VMM that has the group open holds the function" \
    "$GUID 0000:00:02.1 virtualFunction" "$(holders root)"
  expect_equal "its function is a part of the adapter" "$(adapter_handle)" \
    "$(ask root "$(call io.vaild.Gpu.ListHolders)" | field '.parameters.holders[0].gpus[0].adapter')"
  expect_match "vailctl shows function, VM and VMM" \
    "0000:00:02.1 +virtualFunction +display .*$GUID +$first" "$(vailctl gpu holders)"
  kill_and_wait "$first"
  expect "the VM has ended" eventually running_vms_are ""
  expect_equal "vailctl says that nobody holds anything" "No VM holds a GPU device." \
    "$(vailctl gpu holders)"
  start_holder /dev/zero
  [ "$(add_vm "$NEXT_GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_equal "the same function in the hands of the next VM is the next VM's" \
    "$NEXT_GUID 0000:00:02.1 virtualFunction" "$(holders root)"
}

test_paravirtual() {
  start_holder /dev/full
  [ "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_equal "a VMM with a DRM node open holds the adapter" \
    "$GUID 0000:00:02.0 paravirtual" \
    "$(ask root "$(call io.vaild.Gpu.ListHolders "{\"virtualMachineGuid\":\"$GUID\"}")" |
      field '.parameters.holders[] | "\(.virtualMachineGuid) \(.gpus[0].function) \(.gpus[0].kind)"')"
  expect_equal "a stranger sees no VM" "" "$(holders vail-bob)"
}

# The daemon without sanitizers has an examiner with its filter of system calls.
# shellcheck disable=SC2034 # start_daemon uses VAILD
test_restart() {
  expect_clean_stop
  VAILD=$ROOT/build/vaild
  start_daemon
  expect_equal "a start finds the devices again" "Intel GPU 0000:00:02.0" "$(adapters)"
  expect_equal "they are not counted as restored or dropped" "0 0" \
    "$(vailctl --json status | field '"\(.restored) \(.dropped)"')"
  start_holder /dev/zero
  [ "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_equal "the examiner's filter allows the search" "$GUID 0000:00:02.1 virtualFunction" \
    "$(holders root)"
}

make_sys
start_daemon
test_start_without_gpus
test_reload
test_hotplug
test_unreadable
test_holders
test_paravirtual
test_only_shown
test_restart
expect_clean_stop
finish
