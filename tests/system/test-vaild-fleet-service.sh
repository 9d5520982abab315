#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The unit of vaild-fleet in a real systemd, with an etcd in the same box: its sandbox, its user, its
# log when etcd ends and returns, and its start without a configuration.

source "$(dirname "$0")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
source "$ROOT/tests/system/lib/box.sh"

if [ ! -x "$ROOT/build/vaild-fleet" ] || ! command -v etcd >/dev/null; then
  skip "$NAME" "etcd or vaild-fleet is missing; install etcd-server and libcurl's development files"
  finish
fi

UNIT=vaild-fleet.service

# hosts_are PATTERN: tests whether vailctl shows such a host.
hosts_are() { box vailctl fleet hosts 2>/dev/null | grep -qE "$1"; }

start_etcd() {
  box systemd-run --quiet --unit=test-etcd --service-type=notify --setenv=ETCD_DATA_DIR=/run/etcd etcd
}

trap box_stop EXIT
box_start
box_install
box systemd-sysusers vaild-fleet.conf
expect_equal "systemd-analyze verify reports no error in the unit" "" \
  "$(box systemd-analyze verify --man=no "/usr/lib/systemd/system/$UNIT" 2>&1)"
expect "systemd-analyze security rates the exposure of the unit as 1.3 at most" quietly \
  systemd-analyze security --offline=true --threshold=13 "$BOX_ROOT/usr/lib/systemd/system/$UNIT"

override WatchdogSec=1d
box systemctl start "$UNIT"
expect_equal "the unit does not start without a configuration" inactive "$(property ActiveState)"
echo '{ "endpoints": ["http://127.0.0.1:2379"], "name": "boxed" }' |
  nsenter -t "$BOX_LEADER" -m tee /etc/vaild/fleet.json >/dev/null

start_etcd
expect "the unit starts" quietly box systemctl start "$UNIT"
expect_match "it runs as a user of its own" '^[1-9]' "$(property UID)"
expect "the sandbox lets it reach etcd and vaild" eventually hosts_are '^boxed +this host'
box systemctl stop test-etcd
expect "the log says that etcd is away" eventually log_has 'etcd is away: http://127.0.0.1:2379: '
start_etcd
expect "the fleet is shown again when etcd is back" eventually hosts_are '^boxed +this host'
expect "it stops" quietly box systemctl stop "$UNIT"
expect_equal "it ends with success" success "$(property Result)"
expect_equal "it has not restarted" 0 "$(property NRestarts)"
box_log_on_failure
finish
