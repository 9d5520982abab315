#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the daemon is doing, by vailctl: status, limits, metrics, reload, and watch; colours and a
# pager on a terminal, and none of them in a pipe.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=16161616-1616-4616-8616-161616161616

shows() {
  ctl_as root 0 "status" status
  expect_match "status, to an operator: everybody's" "Shown: +everybody's" "$SAID"
  expect_match "status counts" "Virtual machines: +1" "$SAID"
  ctl_as vail-alice 0 "status, to anybody" status
  expect_match "who is told of its own" "Virtual machines: +0" "$SAID"
  ctl_as root 0 "status --json" --json status
  expect_equal "is one document" STATUS_SUCCESS "$(jq -r .status <<<"$SAID")"
  ctl_as root 0 "limits" limits
  expect_match "limits, in all and per uid" "connectionsPerUid +[0-9]+ +512" "$SAID"
  ctl_as root 0 "metrics" metrics
  expect_equal "metrics are OpenMetrics to the end" "# EOF" "${SAID##*$'\n'}"
  # promtool reads Prometheus's older format, where a counter's family ends in _total itself.
  if command -v promtool >/dev/null; then
    expect "promtool has nothing to say" [ -z "$(promtool check metrics <<<"$SAID" 2>&1 | grep -v 'vaild_requests_total no help text')" ]
  else
    skip "promtool check metrics" "promtool is not installed"
  fi
  ctl_as vail-alice 1 "metrics, to anybody" metrics
  expect_match "says who may" "operators" "$SAID"
}

reloads() {
  ctl_as root 0 "reload" reload
  echo '{ "limits": { "watchesPerUid": "many" } }' >"$CONFIG/vaild.json"
  ctl_as root 1 "reload of a mistake" reload
  expect_match "names file and key" "vaild.json: limits.watchesPerUid" "$SAID"
  ctl_as root 0 "the old one stays in force" limits
  expect_match "really" "watchesPerUid +[0-9]+ +256" "$SAID"
  rm "$CONFIG/vaild.json"
  ctl_as vail-alice 1 "reload, by anybody" reload
}

has_line() { grep -q -- "$2" "$1"; }

watches() {
  local out=$PRIVATE/watch json=$PRIVATE/watch.json watchers

  "${CTL[@]}" watch >"$out" 2>&1 &
  watchers=$!
  "${CTL[@]}" --json watch "$GUID" >"$json" 2>&1 &
  watchers="$watchers $!"
  expect "watch begins with what exists" eventually has_line "$out" "^virtualMachineAdded  *$GUID"
  expect "then says so" eventually has_line "$out" "^current"
  expect "of one VM as well" eventually has_line "$json" '"current"'
  session_open alice vail-alice
  session_status alice "$CONTEXT"
  session_status alice "$(register "$GUID")"
  expect_equal "somebody registers" STATUS_SUCCESS "$STATUS"
  expect "a change comes at once" eventually has_line "$out" "^registered  *$GUID pid ${SESSION_PID[alice]} "
  session_kill alice
  expect "the end says why" eventually has_line "$out" '^unregistered .*reason processExited'
  expect_equal "each line of --json is a document" "$(wc -l <"$json")" \
    "$(jq -c .kind "$json" | wc -l)"
  ctl_as vail-bob 1 "watch, by a stranger" watch "$GUID"
  # shellcheck disable=SC2086 # pids
  kill $watchers
}

# terminal COMMAND: as on a terminal; the output is in SAID.
terminal() {
  SAID=$(env "${@:2}" TERM=xterm script -qec "$1" /dev/null </dev/null 2>&1)
}

on_a_terminal() {
  local list="${CTL[*]} list"
  if ! command -v script >/dev/null; then
    skip "colours and pager" "script is not installed"
    return
  fi
  terminal "$list" PAGER=
  expect_match "colours on a terminal" $'\033\\[4mGUID' "$SAID"
  terminal "$list" PAGER= NO_COLOR=1
  expect "none with NO_COLOR" [ "${SAID#*$'\033'}" = "$SAID" ]
  terminal "$list" PAGER='sed s/^/paged:/'
  expect_match "a pager on a terminal" "paged:.*GUID" "$SAID"
  terminal "$list --no-pager" PAGER='sed s/^/paged:/'
  expect "none with --no-pager" [ "${SAID#*paged}" = "$SAID" ]
  terminal "${CTL[*]} metrics" PAGER=true
  expect "a pager that has seen enough is no error" [ "${SAID#*cannot write}" = "$SAID" ]
  ctl_as root 0 "in a pipe" list
  expect "neither" [ "${SAID#*$'\033'}" = "$SAID" ]
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
shows
reloads
watches
on_a_terminal
expect_clean_stop
finish
