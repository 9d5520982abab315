#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The unit of vaild-fleet in a real systemd, with an etcd in the same box: its sandbox, its user, its
# log when etcd ends and returns, its start without a configuration, and a quarantine of the fleet with
# the configuration of vaild that the package makes.

source "$(dirname "$0")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
source "$ROOT/tests/system/lib/box.sh"

if [ ! -x "$ROOT/build/vaild-fleet" ] || ! command -v etcd >/dev/null; then
  skip "$NAME" "etcd or vaild-fleet is missing; install etcd-server and libcurl's development files"
  finish
fi

UNIT=vaild-fleet.service
VM=44444444-4444-4444-8444-444444444444
DROP_INS=/etc/vaild/vaild.json.d

# hosts_are PATTERN: tests whether vailctl shows such a host.
hosts_are() { box vailctl fleet hosts 2>/dev/null | grep -qE "$1"; }

start_etcd() {
  box systemd-run --quiet --unit=test-etcd --service-type=notify --setenv=ETCD_DATA_DIR=/run/etcd etcd
}

# quarantine_is REASON: tests the reason of the only quarantine in vaild; null for none.
quarantine_is() {
  [ "$(ask root "$(call io.vaild.Machine.ListQuarantines)" | field '.parameters.quarantines[0].reason')" = "$1" ]
}

# postinst VERSION: runs the script of the package after the installation, as an upgrade from VERSION or,
# if that is empty, as the first installation. The test has made the users already.
postinst() { box sh /root/postinst configure "$1"; }

# The package names the group in vaild's configuration once, and keeps what an administrator has named.
check_postinst() {
  cp "$ROOT/packaging/debian/vaild-fleet.postinst" "$BOX_ROOT/root/postinst"
  # The policy of an image lets no package reload a service.
  box rm -f /usr/sbin/policy-rc.d
  box mkdir -p "$DROP_INS"
  box sh -c "echo '{ \"quarantineGroup\": \"\" }' >$DROP_INS/mine.json"
  expect_match "the package says that the administrator's quarantineGroup stays" 'quarantineGroup already' "$(postinst "")"
  expect_equal "it adds no other" mine.json "$(box ls "$DROP_INS")"
  box rm "$DROP_INS/mine.json"
  expect "an upgrade succeeds" quietly postinst 1.0
  expect_equal "it does not bring back what the administrator has deleted" "" "$(box ls "$DROP_INS")"
  expect "the first installation succeeds" quietly postinst ""
  expect_equal "it names a group" 50-vaild-fleet.json "$(box ls "$DROP_INS")"
  expect "the configuration of vaild is right" quietly box vaild --check-config
}

check_quarantine() {
  expect "a quarantine of the fleet begins" quietly box vailctl fleet quarantine "$VM" --reason stolen
  expect "it is imposed on this host" eventually quarantine_is 'fleet: stolen'
  expect "it ends" quietly box vailctl fleet release "$VM"
  expect "it is lifted on this host" eventually quarantine_is null
}

check_metrics() {
  local folder=/var/lib/prometheus/node-exporter

  box mkdir -p "$folder"
  expect "the service of the metrics runs" quietly box systemctl start vaild-metrics.service
  expect "it writes those of vaild-fleet" box grep -qx 'vaild_fleet_etcd_reached 1' "$folder/vaild.prom"
  expect "it writes those of vaild" box grep -q '^vaild_build_info' "$folder/vaild.prom"
  expect_equal "it logs nothing" "" \
    "$(box journalctl --quiet --no-pager -o cat --unit vaild-metrics.service)"
}

trap box_stop EXIT
box_start
box_install
box systemd-sysusers vaild-fleet.conf
check_postinst
expect_equal "systemd-analyze verify reports no error in the unit" "" \
  "$(box systemd-analyze verify --man=no "/usr/lib/systemd/system/$UNIT" 2>&1)"
expect "systemd-analyze security rates the exposure of the unit as 1.3 at most" quietly \
  systemd-analyze security --offline=true --threshold=13 "$BOX_ROOT/usr/lib/systemd/system/$UNIT"

override WatchdogSec=1d
box systemctl start "$UNIT"
expect_equal "the unit does not start without a configuration" inactive "$(property ActiveState)"
expect_match "vailctl says that it needs one" \
  'no vaild-fleet serves .*; write /etc/vaild/fleet.json as fleet.json\(5\) shows, and start it with: systemctl' \
  "$(box vailctl fleet hosts 2>&1 || true)"
echo '{ "endpoints": ["http://127.0.0.1:2379"], "name": "boxed" }' |
  nsenter -t "$BOX_LEADER" -m tee /etc/vaild/fleet.json >/dev/null

start_etcd
expect "the unit starts" quietly box systemctl start "$UNIT"
expect_match "it runs as a user of its own" '^[1-9]' "$(property UID)"
expect "the sandbox lets it reach etcd and vaild" eventually hosts_are '^boxed +this host'
check_quarantine
check_metrics
box systemctl stop test-etcd
expect "the log says that etcd is away" eventually log_has 'etcd is away: http://127.0.0.1:2379: '
start_etcd
expect "the fleet is shown again when etcd is back" eventually hosts_are '^boxed +this host'
expect "it stops" quietly box systemctl stop "$UNIT"
expect_equal "it ends with success" success "$(property Result)"
expect_match "vailctl says only how to start it" 'no vaild-fleet serves [^;]*; start it with: systemctl start' \
  "$(box vailctl fleet hosts 2>&1 || true)"
expect_equal "it has not restarted" 0 "$(property NRestarts)"
box_log_on_failure
finish
