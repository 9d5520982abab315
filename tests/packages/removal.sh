#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Removing vaild stops it and keeps quarantines and configuration, so that they are in force when it
# is installed again. Purging deletes them. An upgrade does not stop a timer that the administrator
# has enabled.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"

VM=77777777-7777-4777-8777-777777777777
METRICS=$BOX_ROOT/var/lib/prometheus/node-exporter/vaild.prom

quarantines() {
  ask root "$(call io.vaild.Machine.ListQuarantines)" |
    field '[.parameters.quarantines[].virtualMachineGuid] | join(" ")'
}

set_up() {
  expect_install "vaild installs" this vaild libvail0
  expect_equal "a quarantine begins" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.Machine.SetQuarantine "{\"virtualMachineGuid\":\"$VM\",\"quarantined\":true}")" | statuses)"
  mkdir -p "$BOX_ROOT/etc/vaild/vaild.json.d" "${METRICS%/*}"
  echo '{ "limits": { "connectionsPerUid": 300 } }' >"$BOX_ROOT/etc/vaild/vaild.json.d/mine.json"
  expect "the administrator enables the timer" quietly box systemctl enable --now vaild-metrics.timer
  expect "the metrics are written" eventually test -s "$METRICS"
}

check_timer() {
  expect_install "the next version installs" next vaild libvail0
  expect_equal "an upgrade leaves the timer as it was" "enabled active" \
    "$(box systemctl is-enabled vaild-metrics.timer) $(property ActiveState vaild-metrics.timer)"
}

# expect_stopped HOW: expects that nothing of vaild runs.
expect_stopped() {
  expect_equal "$1: service, socket and timer are stopped" "inactive inactive inactive" \
    "$(for unit in vaild.service vaild.socket vaild-metrics.timer; do
      property ActiveState "$unit"
    done | paste -sd' ')"
  expect "$1: no process is left" not box pgrep -x vaild
  expect "$1: the metrics are not reported for ever" not test -e "$METRICS"
}

check_removal() {
  expect_apt "vaild is removed" remove vaild
  expect_stopped "removed"
  expect "removed: the quarantine stays" test -e "$BOX_ROOT/var/lib/vaild/quarantine/$VM.json"
  expect "removed: the configuration stays" test -e "$BOX_ROOT/etc/vaild/vaild.json.d/mine.json"
  expect_install "vaild installs again" this vaild libvail0
  expect_equal "installed again: the quarantine is in force" "$VM" "$(quarantines)"
}

check_purge() {
  expect_apt "vaild is purged" purge vaild
  expect_stopped "purged"
  expect_equal "purged: no file of vaild is left" "" \
    "$(box find /etc/vaild /var/lib/vaild /etc/systemd/system -name '*vaild*' ! -name '*.d' 2>/dev/null)"
  expect_install "vaild installs after that" this vaild libvail0
  expect_equal "installed after the purge: no quarantine is left" "" "$(quarantines)"
}

trap box_stop EXIT
start_debian
set_up
check_timer
check_removal
check_purge
box_log_on_failure
finish
