#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The metrics of vaild-fleet with the real vaild of one host and an etcd that the test plays: what
# vailctl fleet metrics prints, before etcd is reached, with a lease and a VM, and while etcd or vaild
# is away; who may ask; and the file that the metrics timer writes.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=11111111-1111-4111-8111-111111111111
OTHER=22222222-2222-4222-8222-222222222222
HERE=11111111111111111111111111111111
THERE=22222222222222222222222222222222
FLEET_SOCKET=$PRIVATE/fleet.sock
FLEET_LOG=$PRIVATE/fleet.log
export VAILD_FLEET_SOCKET=$FLEET_SOCKET

# etcd COMMAND...: tells the etcd of the fleet what to do.
etcd() { echo "$*" >&"$ETCD"; }

start_fleet() {
  mkfifo "$PRIVATE/etcd"
  exec {ETCD}<>"$PRIVATE/etcd"
  VAILD_SOCKET=$SOCKET "$HELPERS/lone-fleet" "$FLEET_SOCKET" --observers 47010 <"$PRIVATE/etcd" \
    >"$FLEET_LOG" 2>&1 &
  FLEET=$!
  eventually test -S "$FLEET_SOCKET"
}

# metric NAME: prints the value of a metric; nothing if it is absent.
metric() { "${CTL[@]}" fleet metrics | awk -v name="vaild_fleet_$1" '$1 == name { print $2 }'; }

# metric_is NAME VALUE: tests that.
metric_is() { [ "$(metric "$1")" = "$2" ]; }

# metric_grows NAME VALUE: tests that it is greater.
metric_grows() { [ "$(metric "$1")" -gt "$2" ]; }

check_before_etcd() {
  expect_equal "before etcd: it is not reached" 0 "$(metric etcd_reached)"
  expect_equal "before etcd: there is no lease" 0 "$(metric lease_held)"
  expect_equal "before etcd: there is no age" "" "$(metric age_seconds)"
  expect_equal "before etcd: no hosts are known" 0 "$(metric hosts)"
  expect "vaild is there" eventually metric_is vaild_present 1
}

check_what_is_known() {
  etcd reach yes
  etcd lease yes
  expect "etcd is reached" eventually metric_is etcd_reached 1
  expect "there is a lease" eventually metric_is lease_held 1
  expect "it is the first" metric_is leases_total 1
  expect "this host is known" eventually metric_is hosts 1
  ready_vm "$GUID" "$ALICE_CLIENT"
  expect "a VM is known" eventually metric_is virtual_machines 1
  expect "its claim was won" eventually metric_is 'changes_total{change="swap",outcome="done"}' 1
  expect "keys were put" metric_grows 'changes_total{change="put",outcome="done"}' 2
  expect "the state is of now" metric_is age_seconds 0.000
  etcd put "hosts/$THERE" '{"name":"there","version":"1"}'
  etcd put "vms/$OTHER/$THERE" '{"name":"web","state":"running"}'
  etcd put "quarantine/$OTHER" '{"reason":"stolen"}'
  etcd put strange '{}'
  expect "an unknown key is ignored" eventually metric_is ignored_keys_total 1
  expect "another host is known" metric_is hosts 2
  expect "its VM is known" metric_is virtual_machines 2
  expect "a quarantine is known" metric_is quarantines 1
  expect "the index has a size" metric_grows index_bytes 1000
  etcd put "hosts/$HERE" '{"name":"clone"}'
  expect "a key that another has changed is mended" eventually metric_is mended_keys_total 1
}

check_text() {
  expect_vailctl root 0 "the text" fleet metrics
  expect_match "it ends as OpenMetrics does" '# EOF$' "$SAID"
  expect_equal "--json has the same text" '# TYPE vaild_fleet_build_info gauge' \
    "$("${CTL[@]}" fleet metrics --json | jq -r .openMetrics | head -n 1)"
  if command -v promtool >/dev/null; then
    expect "promtool reports no problem" quietly promtool check metrics <<<"$(grep -v '^# EOF' <<<"$SAID")"
  fi
}

check_rights() {
  expect_vailctl vail-alice 0 "an observer may ask" fleet metrics
  expect_vailctl vail-bob 1 "another user may not" fleet metrics
}

check_away() {
  etcd lease no
  expect "a lost lease is counted" eventually metric_is lost_leases_total 1
  expect "there is none then" metric_is lease_held 0
  etcd lease yes
  expect "the VM is known again" eventually metric_is virtual_machines 1
  etcd reach no
  expect "etcd is away" eventually metric_is etcd_reached 0
  expect_match "the state has an age" '^[0-9]+\.[0-9]{3}$' "$(metric age_seconds)"
  expect "what was known stays" metric_is virtual_machines 1
  kill -STOP "$DAEMON"
  expect_equal "a vaild that hangs keeps no metrics back" 0 "$(metric etcd_reached)"
  kill -CONT "$DAEMON"
}

# written: prints what the script of the timer writes, with vailctl of the build.
written() {
  sed "s|@bindir@|$PRIVATE/build|" "$ROOT/systemd/write-metrics.in" >"$PRIVATE/write-metrics"
  sh "$PRIVATE/write-metrics" "$PRIVATE/vaild.prom" && cat "$PRIVATE/vaild.prom"
}

# The script looks into /run, so the test has one of its own here.
check_timer() {
  mount -t tmpfs tmpfs /run
  mkdir -p /run/vaild /run/vaild-fleet
  : >/run/vaild/state
  export VAILD_SOCKET=$SOCKET
  expect_match "timer: without vaild-fleet, there are those of vaild" 'vaild_build_info' "$(written)"
  expect_equal "timer: and no others" "" "$(grep vaild_fleet "$PRIVATE/vaild.prom" || true)"
  : >/run/vaild-fleet/socket
  expect_match "timer: with it, there are those of vaild" 'vaild_build_info' "$(written)"
  expect_match "timer: and those of vaild-fleet" 'vaild_fleet_etcd_reached 0' "$(cat "$PRIVATE/vaild.prom")"
  expect_match "timer: counters are named as their samples" '# TYPE vaild_fleet_keepalives_total counter' \
    "$(cat "$PRIVATE/vaild.prom")"
  expect_equal "timer: nothing is specific to OpenMetrics" "" \
    "$(grep -E '^$|^# (EOF|UNIT)' "$PRIVATE/vaild.prom" || true)"
  rm /run/vaild/state
  expect_match "timer: without vaild, there are those of vaild-fleet" 'vaild_fleet_build_info' "$(written)"
  expect_equal "timer: and no others" "" "$(grep vaild_build "$PRIVATE/vaild.prom" || true)"
}

start_daemon
start_fleet
check_before_etcd
check_what_is_known
check_text
check_rights
check_away
check_timer
kill_and_wait "$FLEET"
expect_vailctl root 1 "without vaild-fleet, vailctl says how to start it" fleet metrics
expect_match "without vaild-fleet: the sentence" 'systemctl start vaild-fleet' "$SAID"
expect_clean_stop
[ "$FAILED" -eq 0 ] || sed 's/^/# fleet: /' "$FLEET_LOG"
finish
