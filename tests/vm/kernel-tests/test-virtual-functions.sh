#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A real SR-IOV function that a VMM holds through VFIO is the VM's virtual GPU, until the VMM closes
# it. QEMU emulates no GPU with functions, so the device is igb, a NIC. As such it is none. For the
# rest of the test, the file class of the function is covered by one that says "display"; everything
# else is the kernel's own.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/gpu-holders.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/gpu-holders.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee
NEXT_GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd
PCI=/sys/bus/pci/devices

# Prints the address of the NIC, or nothing.
find_nic() {
  local link
  for link in /sys/bus/pci/drivers/igb/????:*; do
    [ ! -e "$link" ] || basename "$link"
  done
}

# make_function NIC: makes a function of the NIC, and gives it to VFIO. Sets FUNCTION to its address
# and GROUP to the path of its node.
make_function() {
  echo 0 >"$PCI/$1/sriov_drivers_autoprobe"
  echo 1 >"$PCI/$1/sriov_numvfs"
  FUNCTION=$(basename "$(readlink "$PCI/$1/virtfn0")")
  echo vfio-pci >"$PCI/$FUNCTION/driver_override"
  echo "$FUNCTION" >/sys/bus/pci/drivers_probe
  GROUP=/dev/vfio/$(basename "$(readlink "$PCI/$FUNCTION/iommu_group")")
  eventually test -c "$GROUP"
  chown vail-vmm "$GROUP"
}

# Covers the file with the class of the function.
pretend_display() {
  echo 0x030000 >"$PRIVATE/class"
  mount --bind "$PRIVATE/class" "$PCI/$FUNCTION/class"
}

# alice_registers GUID: sets STATUS to that of a registration in alice's session.
alice_registers() { session_status alice "$(register "$1")"; }

test_nic() {
  start_vmm_with "$GROUP"
  [ "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_equal "the VMM holds the function of the NIC" "$FUNCTION virtualFunction $NIC 0x020000" \
    "$(ask root "$(call io.vaild.Gpu.ListHolders)" | field '.parameters.holders[].gpus[] |
      "\(.function) \(.kind) \(.device) \(.pciClass)"')"
  alice_registers "$GUID"
  expect_equal "a function of a NIC is no virtual GPU" STATUS_GRAPHICS_VAIL_STATE_CHANGED "$STATUS"
}

test_display() {
  pretend_display
  alice_registers "$GUID"
  expect_equal "with a function of a display, the client registers" STATUS_SUCCESS "$STATUS"
  expect_equal "the function is the VM's" "$GUID $FUNCTION virtualFunction" "$(found_gpus)"
}

test_closing() {
  close_first
  expect "a look notices that it is closed" eventually found_gpus_are ""
  next_event unregistered
  expect_match "the registration ends" '"status":"STATUS_GRAPHICS_VAIL_STATE_CHANGED"' "$REPLY"
  alice_registers "$GUID"
  expect_equal "nobody registers any more" STATUS_GRAPHICS_VAIL_STATE_CHANGED "$STATUS"
}

test_next_vm() {
  local first=$VMM
  start_vmm_with "$GROUP"
  [ "$(add_vm "$NEXT_GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  alice_registers "$NEXT_GUID"
  expect_equal "the client of the next VM registers" STATUS_SUCCESS "$STATUS"
  expect_equal "the function is the next VM's" "$NEXT_GUID $FUNCTION virtualFunction" "$(found_gpus)"
  kill_and_wait "$first"
}

# The kernel waits with the removal until the function is not open any more.
test_unplugged() {
  echo 0 >"$PCI/$NIC/sriov_numvfs" &
  kill_and_wait "$VMM"
  wait $!
  expect "the VMs have ended" eventually running_vms_are ""
  expect_equal "there is no function any more" "" "$(found_gpus)"
}

NIC=$(find_nic)
if [ -z "$NIC" ] || [ ! -e "$PCI/$NIC/iommu_group" ]; then
  skip "$NAME" "QEMU emulates igb since version 8.0, and this machine has none behind an IOMMU"
  finish
fi
make_function "$NIC"
start_daemon
open_watch
session_open alice vail-alice
session_status alice "$(call io.vaild.Gpu.CreateContext)"
test_nic
test_display
test_closing
test_next_vm
umount "$PCI/$FUNCTION/class"
test_unplugged
expect_clean_stop
finish
