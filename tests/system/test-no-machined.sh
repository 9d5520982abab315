#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A host without a system bus, or without systemd-machined, is served as any other. Status says that no
# VMs are looked for, and nothing is logged about it. The daemon finds a bus that comes later.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

remark() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    field '[.parameters.remarks[] | select(.subject == "the VMs of systemd-machined") | .message][0]'
}

remark_matches() { [[ "$(remark)" =~ $1 ]]; }

# Starts a system bus that can start no service. Its socket is in a file system of this test alone.
start_bus() {
  cat >"$PRIVATE/bus.conf" <<END
<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen><policy context="default">
<allow user="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
END
  dbus-daemon --config-file="$PRIVATE/bus.conf" --nofork --nopidfile 2>"$PRIVATE/bus.log" &
  BUS=$!
  disown "$BUS"
  eventually test -S /run/dbus/system_bus_socket
}

mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/dbus
start_daemon
expect "without a bus, status says so" remark_matches '^are not looked for, because this host has no system bus$'
start_bus
expect "a bus that comes later is found" eventually remark_matches 'systemd-machined is not installed'
kill "$BUS"
expect "so is its end" eventually remark_matches 'system bus'
expect_equal "no other user gets the remark" null \
  "$(ask vail-alice "$(call io.vaild.Monitor.GetStatus)" | field '.parameters.remarks[0]')"
expect_equal "nothing is logged about it" "" "$(grep -iE 'machined|system bus' "$LOG" || true)"
expect_clean_stop
finish
