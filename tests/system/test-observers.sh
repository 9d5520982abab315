#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Observers see with vailctl what operators see, and change nothing. The quarantine group imposes and
# lifts quarantines, and sees nothing else. A reload gives and takes both rights.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=0b5e1111-2222-4333-8444-555555555555
OTHER=0b5e2222-2222-4333-8444-555555555555

add_user vail-olga 47020 /bin/bash
add_user vail-ward 47021 /bin/bash
printf '%s\n' vaild-observers:x:47030:vail-olga vail-wardens:x:47031:vail-ward >>"$PRIVATE/etc/group"

# same_as_operator CHECK ARGUMENT...: checks that vailctl prints the same for root and the observer. The
# arguments ask for JSON, because tables have ages.
same_as_operator() {
  local check=$1 operators
  shift
  operators=$("${CTL[@]}" "$@")
  expect_vailctl vail-olga 0 "an observer may call: vailctl $*" "$@"
  expect_equal "an observer sees $check as an operator does" "$operators" "$SAID"
  expect "there is something to see of $check" [ "$(wc -c <<<"$operators")" -gt 60 ]
}

# A VM with an object, a registration, a GPU process, and a quarantine.
start_something() {
  session_open_with vmm vail-vmm "$HELPERS/share-object" "$SOCKET" "$GUID"
  expect_equal "a VM is added" STATUS_SUCCESS "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  session_ask vmm "share read memory"
  expect_match "it shares an object" '^STATUS_SUCCESS ' "$REPLY"
  session_open web vail-alice
  session_status web "$CONTEXT"
  session_status web "$(register "$GUID")"
  expect_equal "a viewer is registered" STATUS_SUCCESS "$STATUS"
  expect_vailctl root 0 "an operator imposes a quarantine" vm quarantine "$OTHER" --reason "GPU hang"
}

what_observers_see() {
  local process

  process=$("${CTL[@]}" --json gpu processes | jq -r '.processes[] | select(.pid != null) | .process')
  same_as_operator "the VMs" --json list
  same_as_operator "one VM" --json show "$GUID"
  same_as_operator "the registrations" --json registrations
  same_as_operator "the adapters" --json adapters
  same_as_operator "the GPU processes" --json gpu processes
  same_as_operator "the holders of GPUs" --json gpu holders
  same_as_operator "an address space" --json gpu map "$process"
  same_as_operator "the quarantines" --json vm quarantines
  same_as_operator "the virtual GPUs" --json vgpu list
  same_as_operator "the objects" --json objects
  expect_vailctl vail-olga 0 "an observer lists the VMs as a table" list
  expect_match "it has the VM" "$GUID" "$SAID"
  expect_vailctl vail-olga 0 "an observer lists the display channels" displays
  expect_match "they are all, and none" "^No display channels\." "$SAID"
  expect_vailctl vail-olga 0 "an observer asks for the status" status
  expect_match "it has the numbers of all users" "Counts below: +of all users" "$SAID"
  expect_vailctl vail-olga 0 "an observer asks for the limits" limits
  expect_match "they have the totals" $'\n *registrations +1 ' "$SAID"
  expect_vailctl vail-olga 0 "an observer asks for the metrics" metrics
  expect_vailctl vail-olga 0 "an observer may wait for a VM" wait "$GUID"
}

# refused USER PATTERN ARGUMENT...: checks that vailctl refuses, with a message that matches.
refused() {
  local user=$1 pattern=$2
  shift 2
  expect_vailctl "$user" 1 "$user may not call: vailctl $*" "$@"
  expect_match "the message names the group" "$pattern" "$SAID"
}

what_observers_may_not() {
  local of_vaild='a member of the group vaild($|[^-])'

  refused vail-olga "$of_vaild" vm quarantine "$GUID"
  refused vail-olga "$of_vaild" vm release "$OTHER"
  refused vail-olga "$of_vaild" vm remove "$GUID"
  refused vail-olga "$of_vaild" vm update "$GUID" --name x
  refused vail-olga "$of_vaild" vgpu assign "$GUID"
  refused vail-olga "$of_vaild" revoke "$GUID" "${SESSION_PID[web]}"
  refused vail-olga "$of_vaild" reload
  expect_vailctl vail-olga 1 "an observer is not registered" exec "$GUID" -- true
  expect "nothing has changed" registered_pids_are "${SESSION_PID[web]}"
}

what_others_learn() {
  local both='a member of the group vaild or vaild-observers'

  refused vail-bob "$both" show "$GUID"
  refused vail-bob "$both" metrics
  expect_vailctl vail-bob 1 "vail-bob may not watch the VM" watch "$GUID"
  expect_match "the message names those who may" "only operators, observers, .* vailctl exec $GUID -- vailctl watch" \
    "$SAID"
  refused vail-bob "$both" vm quarantines
  refused vail-ward "$both" show "$GUID"
  refused vail-ward 'a member of the group vaild($|[^-])' vm quarantine "$OTHER"
}

# reload JSON: makes this the configuration.
reload() {
  echo "$1" >"$CONFIG/vaild.json"
  "${CTL[@]}" reload
}

the_quarantine_group() {
  reload '{"quarantineGroup":"vail-wardens"}'
  expect_vailctl vail-ward 0 "its members list quarantines" --json vm quarantines
  expect_equal "they see them all" "$OTHER" "$(jq -r '.quarantines[].virtualMachineGuid' <<<"$SAID")"
  expect_vailctl vail-ward 0 "they lift one" vm release "$OTHER"
  expect_vailctl vail-ward 0 "they impose one" vm quarantine "$GUID" --reason "GPU hang"
  expect "registrations end" registered_pids_are ""
  expect "the log says who" grep -q "allowed .*SetQuarantine vm=$GUID .* uid=47021 " "$LOG"
  expect_vailctl vail-ward 0 "they see no VM" --json list
  expect_equal "the list is empty" 0 "$(jq '.virtualMachines | length' <<<"$SAID")"
  refused vail-ward 'a member of the group vaild($|[^-])' vm remove "$GUID"
  refused vail-olga 'a member of the group vaild or vail-wardens' vm release "$GUID"
  refused vail-bob 'a member of the group vaild, vaild-observers or vail-wardens' vm quarantines
  refused vail-bob 'only operators and members of .* a member of the group vaild or vail-wardens' vm release "$GUID"
  expect_vailctl vail-ward 0 "they lift it" vm release "$GUID"
}

# quarantine_and_wait GUID FILE: lets the file's watch receive an event about the GUID.
quarantine_and_wait() {
  "${CTL[@]}" vm quarantine "$1"
  eventually grep -q "\"quarantined\".*$1\|$1.*\"quarantined\"" "$2"
}

a_reload_takes_the_right() {
  local watch=$PRIVATE/watch unseen=0b5e3333-2222-4333-8444-555555555555

  : >"$watch"
  exec_as vail-olga "${CTL[@]}" --json watch >"$watch" 2>&1 &
  local watcher=$!
  eventually grep -q '"current"' "$watch"
  quarantine_and_wait 0b5e4444-2222-4333-8444-555555555555 "$watch"
  ok "an observer's watch reports changes"
  reload '{"observersGroup":""}'
  expect_vailctl vail-olga 1 "without the group, nobody is an observer" show "$GUID"
  expect_match "the message names the other group" 'such as a member of the group vaild \(STATUS' "$SAID"
  "${CTL[@]}" vm quarantine "$unseen"
  reload '{}'
  quarantine_and_wait 0b5e6666-2222-4333-8444-555555555555 "$watch"
  expect "the watch has not reported what happened in between" [ "$(grep -c "$unseen" "$watch")" = 0 ]
  kill_and_wait "$watcher"

  sed -i '/^vaild-observers/d' "$PRIVATE/etc/group"
  cat "$PRIVATE/etc/group" >/etc/group
  reload '{}'
  expect_vailctl vail-olga 1 "a group that has been removed has no members" show "$GUID"
  expect_equal "a group that does not exist is a mistake" 1 \
    "$(reload '{"quarantineGroup":"vail-nobody"}' >/dev/null 2>&1 && echo 0 || echo 1)"
  refused vail-ward 'a member of the group vaild \(STATUS' vm quarantine "$GUID"
}

start_daemon
start_something
what_observers_see
what_observers_may_not
what_others_learn
the_quarantine_group
a_reload_takes_the_right
expect_clean_stop
finish
