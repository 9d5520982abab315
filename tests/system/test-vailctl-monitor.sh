#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the commands of vailctl that monitor the daemon: status, limits, metrics, reload and watch.
# Colours and the pager are used on a terminal and not in a pipe.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=16161616-1616-4616-8616-161616161616

check_reports() {
  expect_vailctl root 0 "status succeeds for an operator" status
  expect_match "status shows an operator that the numbers cover all users" \
    "Counts below: +of all users" "$SAID"
  expect_match "status shows an operator the number of all VMs" "Virtual machines: +1" "$SAID"
  expect_vailctl vail-alice 0 "status succeeds for an ordinary user" status
  expect_match "status shows an ordinary user only its own VMs" "Virtual machines: +0" "$SAID"
  expect_vailctl root 0 "status --json succeeds" --json status
  expect_equal "status --json prints one JSON document with the status" \
    STATUS_SUCCESS "$(jq -r .status <<<"$SAID")"
  expect_vailctl root 0 "limits succeeds" limits
  expect_match "limits shows the use and the maximum of a limit per uid" \
    "connectionsPerUid +[0-9]+ +512" "$SAID"
  expect_vailctl root 0 "metrics succeeds for an operator" metrics
  expect_equal "metrics ends with the end mark of OpenMetrics" "# EOF" "${SAID##*$'\n'}"
  # promtool reads the older format of Prometheus, in which a counter's family ends in _total. It
  # therefore reports that vaild_requests_total has no help text.
  if command -v promtool >/dev/null; then
    expect "metrics: promtool reports no other problem" \
      [ -z "$(promtool check metrics <<<"$SAID" 2>&1 |
        grep -v 'vaild_requests_total no help text')" ]
  else
    skip "metrics: promtool reports no other problem" "promtool is not installed"
  fi
  expect_vailctl vail-alice 1 "metrics fails for an ordinary user" metrics
  expect_match "metrics tells an ordinary user that only operators may read them" \
    "operators" "$SAID"
}

check_full_limit() {
  local assign

  assign=$(call io.vaild.Machine.AssignVirtualGpu "{\"virtualMachineGuid\":\"$GUID\"}")
  # shellcheck disable=SC2046 # one word for each request
  ask root $(yes "$assign" | head -n 64) >"$PRIVATE/assigned"
  expect_match "a VM with 64 vGPUs gets no other" STATUS_QUOTA_EXCEEDED \
    "$(tail -n 1 "$PRIVATE/assigned")"
  expect_vailctl root 0 "limits succeeds for a full limit" limits
  expect_match "limits shows which VM has reached its limit" \
    "virtualGpusPerMachine +64 +64 +- +100 % +VM $GUID" "$SAID"
  expect_match "limits shows an operator which user has the most connections" \
    "connectionsPerUid +[0-9]+ +512 +- +<?[0-9]+ % +user root" "$SAID"
  expect_vailctl root 0 "status succeeds for a full limit" status
  expect_match "status warns of a full limit" \
    "Limit: +virtualGpusPerMachine: 64 of 64 used \(100 %\) by VM $GUID" "$SAID"
  expect_vailctl vail-alice 0 "status succeeds for an ordinary user" status
  expect_equal "status warns nobody else" 0 "$(grep -c Limit: <<<"$SAID")"
}

check_reload() {
  expect_vailctl root 0 "reload succeeds for an operator" reload
  echo '{ "limits": { "watchesPerUid": "many" } }' >"$CONFIG/vaild.json"
  expect_vailctl root 1 "reload fails if the configuration is invalid" reload
  expect_match "reload names the file and the invalid key" \
    "vaild.json:1:15: limits.watchesPerUid" "$SAID"
  expect_vailctl root 0 "limits succeeds after a failed reload" limits
  expect_match "a failed reload keeps the previous limit" "watchesPerUid +[0-9]+ +256" "$SAID"
  rm "$CONFIG/vaild.json"
  expect_vailctl vail-alice 1 "reload fails for an ordinary user" reload
}

# has_line FILE PATTERN
has_line() { grep -q -- "$2" "$1"; }

check_watch() {
  local out=$PRIVATE/watch json=$PRIVATE/watch.json watchers

  "${CTL[@]}" watch >"$out" 2>&1 &
  watchers=$!
  "${CTL[@]}" --json watch "$GUID" >"$json" 2>&1 &
  watchers="$watchers $!"
  expect "watch begins with the existing VM" \
    eventually has_line "$out" "^current  *$GUID  VM added"
  expect "watch marks the end of the existing entities" eventually has_line "$out" "^[0-9:]\{8\}  this was the current state"
  expect "watch of one VM marks the end of the existing entities as well" \
    eventually has_line "$json" '"current"'
  session_open alice vail-alice
  session_status alice "$CONTEXT"
  session_status alice "$(register "$GUID")"
  expect_equal "a process registers during the watch" STATUS_SUCCESS "$STATUS"
  expect "watch shows the registration" \
    eventually has_line "$out" " $GUID  process ${SESSION_PID[alice]} registered, user vail-alice, context of vaild\$"
  "${CTL[@]}" vm update "$GUID" --name other --agent-user vail-vmm
  expect "watch shows what has changed of the VM" \
    eventually has_line "$out" " other  *name, agent changed"
  expect "watch --json shows what has changed of the VM" \
    eventually has_line "$json" '"changed":\["name","agent"\]'
  session_kill alice
  expect "watch shows the end of the registration with the reason" \
    eventually has_line "$out" " other  *process ${SESSION_PID[alice]} unregistered: exited"
  expect_equal "each line of watch --json is a JSON document" "$(wc -l <"$json")" \
    "$(jq -c .kind "$json" | wc -l)"
  expect_vailctl vail-bob 1 "watch of a VM fails for another user" watch "$GUID"
  # shellcheck disable=SC2086 # pids
  kill $watchers
}

# run_on_terminal COMMAND VARIABLE=VALUE...: runs the command on a terminal with these environment
# variables, and sets SAID to its output.
run_on_terminal() {
  SAID=$(env "${@:2}" TERM=xterm script -qec "$1" /dev/null </dev/null 2>&1)
}

check_terminal() {
  local list="${CTL[*]} list" metrics="${CTL[*]} metrics"
  if ! command -v script >/dev/null; then
    skip "colours and a pager are used on a terminal" "script is not installed"
    return
  fi
  run_on_terminal "$list" PAGER=
  expect_match "list prints colours on a terminal" $'\033\\[4mGUID' "$SAID"
  run_on_terminal "$list" PAGER= NO_COLOR=1
  expect "list prints no colours if NO_COLOR is set" [ "${SAID#*$'\033'}" = "$SAID" ]
  run_on_terminal "$metrics" PAGER='sed s/^/paged:/'
  expect_match "metrics uses the pager on a terminal" "paged:# EOF" "$SAID"
  run_on_terminal "$metrics --no-pager" PAGER='sed s/^/paged:/'
  expect "metrics --no-pager uses no pager" [ "${SAID#*paged}" = "$SAID" ]
  run_on_terminal "$metrics" PAGER=true
  expect "a pager that exits early is not reported as an error" \
    [ "${SAID#*cannot write}" = "$SAID" ]
  expect_vailctl root 0 "list succeeds in a pipe" list
  expect "list prints no colours in a pipe" [ "${SAID#*$'\033'}" = "$SAID" ]
}

# Stops the daemon until vailctl says that it waits. A pause of the machine can make vailctl give up,
# so this repeats that.
check_waiting() {
  local pid status=1

  while [ "$status" -ne 0 ]; do
    status=0
    kill -STOP "$DAEMON"
    : >"$PRIVATE/said"
    "${CTL[@]}" list >"$PRIVATE/listed" 2>"$PRIVATE/said" &
    pid=$!
    eventually_unless_gone "$pid" grep -q 'still waiting' "$PRIVATE/said" || true
    kill -CONT "$DAEMON"
    wait "$pid" || status=$?
  done
  expect_match "a command says what it waits for" \
    "^vailctl: vaild at $SOCKET has not answered yet; still waiting, see: systemctl status vaild, or the stderr of a vaild started by hand\$" \
    "$(cat "$PRIVATE/said")"
  expect "a command that has waited prints its result" grep -q "$GUID" "$PRIVATE/listed"
}

start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
check_reports
check_full_limit
check_reload
check_watch
check_waiting
check_terminal
expect_clean_stop
finish
