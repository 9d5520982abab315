#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The GPU devices of a real kernel are adapters: virtio-gpu by its PCI address, vgem by its path, and
# one whose driver is loaded later. A VMM with an open node holds the device of that node.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee

# Prints driver and location of all devices, one for each line.
devices() {
  ask root "$(call io.vaild.Gpu.ListAdapters)" |
    field '.parameters.adapters[] | select(.source == "drm") |
      "\(.driver) \(.pciAddress // .devicePath)"'
}

has_device() { devices | grep -qE "$1"; }
lacks_device() { ! has_device "$1"; }

# node_of DRIVER: prints a node of the device with that driver.
node_of() {
  ask root "$(call io.vaild.Gpu.ListAdapters)" |
    field ".parameters.adapters[] | select(.driver == \"$1\") | .nodes[-1]"
}

reload() { "$PRIVATE/build/vailctl" --socket "$SOCKET" reload; }

test_present_devices() {
  expect "virtio-gpu has its PCI address" has_device '^virtio_gpu 0000:00:[0-9a-f]{2}\.0$'
  expect "vgem has its path" has_device ' (platform|faux)/vgem$'
}

# Other scripts that run at the same time use vgem.
test_later_device() {
  if [ "$(wc -l <"$ROOT/tests/scripts")" -ne 1 ]; then
    skip "a device that comes later" "run this script alone, because others need its driver"
    return
  fi
  rmmod vgem
  reload
  expect "a device is gone when its driver is" lacks_device vgem
  modprobe vgem
  reload
  expect "a device is found when its driver is loaded" has_device ' (platform|faux)/vgem$'
}

test_holder() {
  exec_as vail-vmm "$HELPERS/with-fd" open "/dev/dri/$(node_of virtio_gpu)" sleep infinity &
  VMM=$!
  eventually runs_as "$VMM" 947 sleep
  [ "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_match "the VMM holds virtio-gpu" '^0000:00:[0-9a-f]{2}\.0 paravirtual$' \
    "$(ask root "$(call io.vaild.Gpu.ListHolders)" |
      field '.parameters.holders[].gpus[] | "\(.function) \(.kind)"')"
}

# The other tests do not see the GPUs of the machine.
umount /sys/class/drm
start_daemon
test_present_devices
test_later_device
test_holder
expect_clean_stop
finish
