#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Removing vaild stops it and keeps quarantines and configuration, so that they are in force when it
# is installed again. Purging deletes them. An upgrade does not stop a timer that the administrator
# has enabled. Removing vail-qemu stops its instances, and purging deletes the links that start them.
# Removing vail-libvirt stops it for all users. Purging all packages leaves nothing but the user vaild.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"

VM=77777777-7777-4777-8777-777777777777
GUEST=22222222-2222-4222-8222-222222222222
FLEET_DROP_IN=$BOX_ROOT/etc/vaild/vaild.json.d/50-vaild-fleet.json
METRICS=$BOX_ROOT/var/lib/prometheus/node-exporter/vaild.prom

quarantines() {
  ask root "$(call io.vaild.Machine.ListQuarantines)" |
    field '[.parameters.quarantines[].virtualMachineGuid] | if . == [] then "none" else join(" ") end'
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

# An instance of vail-qemu@ that the administrator starts with the system ends with its package.
check_agent() {
  local links=$BOX_ROOT/etc/systemd/system/multi-user.target.wants

  expect_install "vail-qemu installs" this vail-qemu
  start_guest "$GUEST"
  expect "the administrator starts it with the system" quietly box systemctl add-wants \
    multi-user.target vail-qemu@run-guest.qmp.service
  ln -s /dev/null "$links/vail-qemu@mine.service"
  expect "the agent runs" quietly box pgrep -x vail-qemu
  expect_apt "vail-qemu is removed" remove vail-qemu
  expect "removed: no agent is left" none_runs vail-qemu
  expect_silent "removed: no instance is failed" box systemctl list-units --failed --plain --no-legend
  expect "removed: the link stays" test -L "$links/vail-qemu@run-guest.qmp.service"
  expect_apt "vail-qemu is purged" purge vail-qemu
  expect_equal "purged: only the administrator's own link stays" vail-qemu@mine.service \
    "$(find "$links" -name 'vail-qemu@*' -printf '%f\n')"
}

# A running vaild knows at once what the user of vaild-fleet may do, and its configuration stays right
# without vaild-fleet.
check_fleet() {
  expect_install "vaild-fleet installs" this vaild-fleet
  expect "its drop-in is there" test -e "$FLEET_DROP_IN"
  expect_fleet_quarantines "installed: its user imposes quarantines at once" STATUS_SUCCESS
  echo '{ "endpoints": ["http://127.0.0.1:2379"] }' >"$BOX_ROOT/etc/vaild/fleet.json"
  expect "it starts with a configuration, also without an etcd" quietly box systemctl start vaild-fleet
  expect_apt "vaild-fleet is removed" remove vaild-fleet
  expect "removed: it does not run" none_runs vaild-fleet
  expect "removed: its configuration stays" test -e "$BOX_ROOT/etc/vaild/fleet.json"
  expect "removed: the configuration of vaild is right" quietly box systemctl reload vaild
  rm "$FLEET_DROP_IN"
  expect_install "vaild-fleet installs again" this vaild-fleet
  expect "installed again: the deleted drop-in stays deleted" not test -e "$FLEET_DROP_IN"
  expect_apt "vaild-fleet is purged" purge vaild-fleet
  expect "purged: its configuration is gone" not test -e "$BOX_ROOT/etc/vaild/fleet.json"
  expect_install "vaild-fleet installs after the purge" this vaild-fleet
  expect "installed after the purge: its drop-in is there" test -e "$FLEET_DROP_IN"
  expect_apt "vaild-fleet is purged again" purge vaild-fleet
  expect "purged: its drop-in is gone" not test -e "$FLEET_DROP_IN"
  expect_fleet_quarantines "purged: its user imposes no quarantines any more" STATUS_ACCESS_DENIED
  expect "purged: the administrator's drop-in stays" test -e "${FLEET_DROP_IN%/*}/mine.json"
  expect "purged: the configuration of vaild is right" quietly box systemctl reload vaild
}

# user_systemctl ARGUMENT...: runs systemctl for the services of vail-alice.
user_systemctl() { box systemctl --user --machine "$ALICE@" "$@"; }

# Starts the service of vail-alice with another program, which needs no libvirt.
start_user_service() {
  local drop_ins=$BOX_ROOT/etc/systemd/user/vail-libvirt.service.d

  expect_apt "what runs services of users installs" install "${USER_SERVICES[@]}"
  echo "vail-alice:*:19000:0:99999:7:::" >>"$BOX_ROOT/etc/shadow"
  mkdir -p "$drop_ins"
  printf '%s\n' '[Service]' Type=exec ExecStart= 'ExecStart=/usr/bin/sleep infinity' >"$drop_ins/run.conf"
  expect "a user's manager starts" quietly box systemctl start "user@$ALICE.service"
  expect "the user starts vail-libvirt" quietly user_systemctl start vail-libvirt.service
}

check_user_service() {
  expect_install "vail-libvirt installs" this vail-qemu vail-libvirt
  start_user_service
  expect_equal "the user's service runs" active "$(user_systemctl is-active vail-libvirt.service)"
  expect_apt "vail-libvirt is removed" remove vail-libvirt
  expect_equal "removed: the user's service is stopped" inactive \
    "$(user_systemctl is-active vail-libvirt.service)"
}

# expect_stopped HOW: expects that nothing of vaild runs.
expect_stopped() {
  expect_equal "$1: service, socket and timer are stopped" "inactive inactive inactive" \
    "$(for unit in vaild.service vaild.socket vaild-metrics.timer; do
      property ActiveState "$unit"
    done | paste -sd' ')"
  expect_silent "$1: no unit is failed" box systemctl list-units --failed --plain --no-legend 'vail*'
  expect "$1: no process is left" none_runs vaild
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
  expect_install "vaild installs after that" this vaild libvail0
  expect_equal "installed after the purge: no quarantine is left" none "$(quarantines)"
}

# vaild-fleet is removed with vaild. If then vaild alone is purged, files of vaild-fleet stay.
check_purge_of_one() {
  expect_install "vaild-fleet installs once more" this vaild-fleet
  expect_apt "vaild and vaild-fleet are removed" remove vaild
  expect_apt "vaild alone is purged" purge vaild
  expect_equal "purged alone: only the drop-in of vaild-fleet is left" 50-vaild-fleet.json \
    "$(find "$BOX_ROOT/etc/vaild" -type f -printf '%f\n')"
  expect_install "both install after that" this vaild libvail0 vaild-fleet
  expect_fleet_quarantines "installed again: the user of vaild-fleet imposes quarantines" STATUS_SUCCESS
}

# expect_no_traces: expects that no file has the name or the user of a package. The folders of drop-ins
# and the link are the test's.
expect_no_traces() {
  expect_silent "purged: no file is left" box find / -xdev \( -name 'vail*' -o -name '*[!a]vail*' \) \
    ! -path '/packages/*' ! -path '/usr/local/*' ! -path '/etc/systemd/*.service.d' ! -name vail-qemu@mine.service
  expect_silent "purged: no file of the user is left" box find / -xdev -user vaild
  expect_silent "purged: nothing is left in /run" box find /run -maxdepth 1 -name 'vail*'
}

check_purge_of_all() {
  local names

  mapfile -t names < <(box dpkg-query -W -f '${db:Status-Status} ${Package}\n' '*vail*' |
    sed -nE 's/^(installed|config-files) //p')
  expect_match "dpkg knows packages that were removed" 'vail-libvirt' "${names[*]}"
  expect_apt "all packages are purged" purge "${names[@]}"
  expect_match "purged: the user stays, because its number must not become another's" '^vaild:' \
    "$(box getent passwd vaild)"
  expect_no_traces
}

trap box_stop EXIT
start_debian
set_up
check_fleet
check_user_service
check_agent
check_timer
check_removal
check_purge
check_purge_of_one
check_purge_of_all
box_log_on_failure
finish
