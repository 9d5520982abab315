#!/bin/bash
# SPDX-License-Identifier: MIT
#
# In the sandbox of its unit, the daemon notices GPU devices that come and go, and finds the function
# that a VMM of another user holds. The devices are in a /sys/class and /run/udev that the test makes.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee

# Prints the names of all adapters but the software adapter.
adapters() {
  box vailctl --json adapters | jq -r '[.adapters[] | select(.source == "drm") | .name] | join(",")'
}

adapters_are() { [ "$(adapters)" = "$1" ]; }

# Makes /sys/class without DRM and, in /sys/dev/char, /dev/zero a node of vgem.
make_sys() {
  box mount -t tmpfs tmpfs /sys/class
  box mount -t tmpfs tmpfs /sys/dev
  box mkdir -p /sys/class/drm /sys/dev/char /run/udev/data
  box ln -s ../../devices/faux/vgem/drm/card0 /sys/dev/char/1:5
}

check_hotplug() {
  expect_equal "the host has no devices at the start" "" "$(adapters)"
  box ln -s ../../devices/faux/vgem/drm/card0 /sys/class/drm/card0
  box sh -c 'echo I:1 >/run/udev/data/.#c226:0 && mv /run/udev/data/.#c226:0 /run/udev/data/c226:0'
  expect "a device that comes is listed" eventually adapters_are "GPU faux/vgem"
  box rm /sys/class/drm/card0 /run/udev/data/c226:0
  expect "a device that goes is not listed any more" eventually adapters_are ""
}

# box_sleeps PID: tests whether the process executes sleep, and so has its files open.
box_sleeps() { [ "$(box cat "/proc/$1/comm" 2>/dev/null)" = sleep ]; }

check_holder() {
  # shellcheck disable=SC2016
  VMM=$(box sh -c 'setpriv --reuid vail-vmm --regid vail-vmm --init-groups --inh-caps=-all -- \
    sleep infinity 9</dev/zero >/dev/null & echo $!')
  eventually box_sleeps "$VMM"
  box vailctl vm add "$GUID" --pid "$VMM" --user vail-alice >"$PRIVATE/out"
  expect_match "the VMM of another user holds its device" "faux/vgem +paravirtual .*$GUID +$VMM" \
    "$(box vailctl gpu holders)"
}

trap box_stop EXIT
box_start
make_sys
box_install
check_hotplug
check_holder
box_log_on_failure
finish
