#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vaild-fleet with the real vaild of one host and an etcd that the test plays, and vailctl
# fleet: what the host puts into etcd, claims and hand-overs, quarantines of the fleet, who may ask,
# and what is shown while etcd or vaild is away.

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
  VAILD_SOCKET=$SOCKET "$HELPERS/lone-fleet" "$FLEET_SOCKET" --operators "$(id -g vaild)" \
    --observers 47010 <"$PRIVATE/etcd" >"$FLEET_LOG" 2>&1 &
  FLEET=$!
  eventually test -S "$FLEET_SOCKET"
}

# shown EXPRESSION COMMAND...: prints a jq expression of what vailctl fleet shows to root.
shown() { "${CTL[@]}" fleet "${@:2}" --json 2>/dev/null | jq -rc "$1"; }

# shows EXPECTED EXPRESSION COMMAND...: tests that.
shows() { [ "$(shown "${@:2}")" = "$1" ]; }

# fleet_has PATTERN: tests whether the fleet has made such a change in etcd.
fleet_has() { grep -qE "$1" "$FLEET_LOG"; }

is_nowhere() { ! "${CTL[@]}" fleet where "$1" >/dev/null 2>&1; }

# quarantine_is REASON: tests the reason of the VM's quarantine in the local vaild; null for none.
quarantine_is() {
  [ "$(ask root "$(call io.vaild.Machine.ListQuarantines)" |
    field ".parameters.quarantines | map(select(.virtualMachineGuid == \"$GUID\"))[0].reason")" = "$1" ]
}

## What is shown

check_before_etcd() {
  expect_vailctl root 0 "before etcd: lists are empty" fleet hosts
  expect_match "before etcd: and say why" 'this may be old or incomplete: etcd was not reached yet' "$SAID"
  expect_vailctl root 1 "before etcd: place is refused" fleet place --type any
  expect_match "before etcd: with a sentence" 'etcd was not reached yet; try again when it is back' "$SAID"
}

check_own_keys() {
  etcd reach yes
  etcd lease yes
  expect "the host is there" eventually shows here '.hosts[0].name' hosts
  expect "it has the software adapter" eventually shows software '.gpus[0].address' gpus
  ready_vm "$GUID" "$ALICE_CLIENT"
  expect "a new VM is there" eventually shows '["here","running",true,1]' \
    '.virtualMachines[0] | [.hostName, .state, .where, .virtualGpus]' vms
  expect "where finds it" eventually shows here .hostName where "$GUID"
  expect "its virtual GPU is in use" eventually shows "1 $GUID" \
    '.gpus[0] | "\(.used) \(.holders[0].virtualMachineGuid)"' gpus
  expect "place does not count the software adapter" shows 'here 0 it has no GPU' \
    '.places[0] | "\(.hostName) \(.free) \(.reason)"' place --type any
  expect "hosts does not count it either" shows 0 '.hosts[0].free' hosts
}

check_tables() {
  expect_vailctl root 0 "tables: hosts" fleet hosts
  expect_match "tables: hosts name this one" 'here +this host +1 ' "$SAID"
  expect_vailctl root 0 "tables: vms" fleet vms
  expect_match "tables: vms name the host" "$GUID +- +here +running" "$SAID"
  expect_vailctl root 0 "tables: gpus" fleet gpus
  expect_match "tables: gpus name the adapter" 'here +software ' "$SAID"
  expect_vailctl root 0 "tables: where" fleet where "$GUID"
  expect_match "tables: where names the host" 'here +this host +[0-9]+ ' "$SAID"
  expect_vailctl root 1 "an unknown VM is refused" fleet where nothing
  expect_match "an unknown VM: with a sentence" \
    'no host of the fleet has a VM with this name; list the VMs of all hosts with: vailctl fleet vms ' "$SAID"
  expect_vailctl root 2 "place needs a type" fleet place
}

# VMs of all hosts by their names and by the beginnings of their GUIDs.
check_names() {
  expect "names: where takes the beginning of a GUID" shows there .hostName where "${OTHER%%-*}"
  expect_vailctl root 1 "names: where of the beginning of no GUID" fleet where 3333
  expect_match "names: where says that it is none" 'no host of the fleet has a VM with this name' "$SAID"
  expect_vailctl root 0 "names: a quarantine by name" fleet quarantine web --reason moved
  expect "names: it is imposed" eventually shows "[\"$OTHER\"]" '[.quarantines[].virtualMachineGuid]' quarantines
  expect_match "names: completion of where offers VMs of other hosts" 'web' "$("$PRIVATE/build/vailctl" --complete fleet where '')"
  expect_match "names: completion of release offers the fleet's quarantines" "$OTHER" \
    "$("$PRIVATE/build/vailctl" --complete fleet release '')"
  expect_vailctl root 0 "names: it is lifted by the beginning of the GUID" fleet release 2222
  expect "names: it is gone" eventually shows 0 '.quarantines | length' quarantines
  expect_vailctl root 0 "names: it is lifted again" fleet release web
  expect_match "names: vailctl says that nothing was done" \
    '^vailctl: nothing was done, because the fleet shows no quarantine of web; .*vailctl fleet quarantines$' "$SAID"
  expect_vailctl root 0 "names: a whole GUID in capital letters needs no VM" fleet release \
    3333ABCD-3333-4333-8333-333333333333
  etcd delete quarantine/3333abcd-3333-4333-8333-333333333333
  expect_vailctl root 1 "names: nobody has this name" fleet quarantine nothing
  expect_match "names: vailctl points to the list of all hosts" \
    'no virtual machine .* name "nothing"; to see the virtual machines, run: vailctl fleet vms ' "$SAID"
  expect_vailctl root 1 "names: nothing to release has this name" fleet release nothing
  expect_match "names: vailctl points to the quarantines, too" \
    'which keep no name, run: vailctl fleet quarantines ' "$SAID"
}

check_other_host() {
  etcd put "hosts/$THERE" '{"name":"there","version":"1"}'
  etcd put "gpus/$THERE/0000:41:00.0" '{"types":[{"name":"big","free":3},{"name":"none","free":0}]}'
  etcd put "vms/$OTHER/$THERE" '{"name":"web","state":"running"}'
  etcd put "where/$OTHER" "{\"host\":\"$THERE\",\"name\":\"there\",\"virtualMachineName\":\"web\"}"
  expect "another host's VM is found by its name" eventually shows there .hostName where web
  expect "place puts the host with the most free first" eventually shows '["there","here"]' \
    '[.places[].hostName]' place --type big
  expect "place says why another is not offered" eventually shows \
    'all its vGPUs of this type are in use' '.places[1].reason' place --type none
  expect_match "vail-view says on which host a VM is" 'virtual machine web is on the host there; run vail-view' \
    "$("$PRIVATE/vail-view" web --socket "$SOCKET" --png "$PRIVATE/web.png" 2>&1 || true)"
  expect_match "vailctl says so, too" 'virtual machine web is on the host there; run vailctl there' \
    "$("${CTL[@]}" describe web 2>&1 || true)"
  expect_match "vailctl says so of a GUID" "virtual machine $OTHER is on the host there; run vailctl there" \
    "$("${CTL[@]}" describe "$OTHER" 2>&1 || true)"
  expect_equal "vail-view says nothing to other users" "" \
    "$(run_as vail-bob "$PRIVATE/vail-view" web --socket "$SOCKET" --png /dev/null 2>&1 | grep 'is on the host' || true)"
  check_names
  etcd delete "hosts/$THERE"
  etcd delete "vms/$OTHER/$THERE"
  expect "a host that has gone is unreachable" eventually shows true '.unreachable >= 0' where web
  expect_vailctl root 0 "unreachable: the table" fleet where web
  expect_match "unreachable: says so" 'there +unreachable for ' "$SAID"
}

## Claims

check_hand_over() {
  local before after

  before=$(shown .epoch where "$GUID")
  etcd put "hosts/$THERE" '{"name":"there"}'
  etcd put "vms/$GUID/$THERE" '{"state":"incoming"}'
  expect "hand-over: the VM is incoming there" eventually shows incoming \
    ".virtualMachines[] | select(.host == \"$THERE\").state" vms
  kill_and_wait "$VMM"
  expect "hand-over: the source's key goes" eventually fleet_has "^delete vms/$GUID/$HERE"
  expect "hand-over: where stays for the destination" shows "$before" .epoch where "$GUID"
  etcd put "vms/$GUID/$THERE" '{"state":"running"}'
  etcd put "where/$GUID" "{\"host\":\"$THERE\"}"
  expect "hand-over: where flips" eventually shows there .hostName where "$GUID"
  after=$(shown .epoch where "$GUID")
  expect "hand-over: the epoch grows" test "$after" -gt "$before"
  ready_vm "$GUID" "$ALICE_CLIENT"
  expect "hand-over back: the VM is incoming here" eventually shows incoming \
    '.virtualMachines[] | select(.hostName == "here").state' vms
  etcd delete "vms/$GUID/$THERE"
  expect "hand-over back: this host claims it" eventually shows here .hostName where "$GUID"
}

check_conflict() {
  etcd put "vms/$GUID/$THERE" '{"state":"running"}'
  etcd put "where/$GUID" "{\"host\":\"$THERE\"}"
  expect "conflict: it is shown" eventually shows conflict \
    '.virtualMachines[] | select(.hostName == "here").state' vms
  expect_equal "conflict: the VM still runs" "$GUID" "$(running_vms)"
  etcd delete "vms/$GUID/$THERE"
  expect "conflict: it ends with the other host's VM" eventually shows here .hostName where "$GUID"
}

## Quarantines

check_quarantine() {
  expect_vailctl root 0 "quarantine: imposed" fleet quarantine "$GUID" --reason stolen
  expect "quarantine: on this host" eventually quarantine_is 'fleet: stolen'
  expect "quarantine: listed with its author" eventually shows '["stolen","uid 0 on here"]' \
    '.quarantines[0] | [.reason, .who]' quarantines
  expect_vailctl root 0 "quarantine: imposed again for the same reason" fleet quarantine "$GUID" --reason stolen
  expect_match "quarantine: vailctl says that it was there" \
    "^vailctl: only its author .* the fleet had $GUID in quarantine already for this reason; .* vailctl fleet release $GUID\$" \
    "$SAID"
  expect_vailctl root 0 "quarantine: lifted on this host alone" vm release "$GUID"
  expect_match "quarantine: vailctl says that it comes back, and how to lift it" \
    "^vailctl: the fleet has put $GUID into quarantine, so vaild-fleet imposes that here again; .* vailctl fleet release $GUID\$" \
    "$SAID"
  expect "quarantine: it comes back" eventually quarantine_is 'fleet: stolen'
  expect_vailctl root 0 "quarantine: lifted" fleet release "$GUID"
  expect "quarantine: lifted on this host" eventually quarantine_is null
  expect_vailctl root 0 "quarantine: an operator's own" vm quarantine "$GUID" --reason ours
  expect_vailctl root 0 "quarantine: the fleet's beside it" fleet quarantine "$GUID" --reason stolen
  expect "quarantine: it is in etcd" eventually shows 1 '.quarantines | length' quarantines
  expect_vailctl root 0 "quarantine: the fleet's is lifted" fleet release "$GUID"
  expect "quarantine: it is gone from etcd" eventually shows 0 '.quarantines | length' quarantines
  expect "quarantine: the operator's own stays" quarantine_is ours
  expect_vailctl root 0 "quarantine: and can be lifted" vm release "$GUID"
}

check_quarantine_while_down() {
  etcd put "quarantine/$GUID" '{"reason":"later"}'
  expect "down: imposed" eventually quarantine_is 'fleet: later'
  stop_daemon
  etcd delete "quarantine/$GUID"
  expect "vaild is away: the host says so" eventually shows true '.hosts[] | select(.self).vaildIsAway' hosts
  expect "vaild is away: place does not offer it" eventually shows 'vaild is away' \
    '.places[] | select(.hostName == "here").reason' place --type any
  expect "vaild is away: where is still known" shows here .hostName where "$GUID"
  start_daemon
  expect "down: lifted when vaild is back" eventually quarantine_is null
  expect "vaild is away: it is logged" fleet_says 'vaild is away'
  expect "vaild is back: the host says so" eventually shows false '.hosts[] | select(.self).vaildIsAway' hosts
  # Without systemd, vaild has lost the VM.
  expect "vaild is back: the VM is nowhere" eventually is_nowhere "$GUID"
  kill_and_wait "$VMM"
  ready_vm "$GUID" "$ALICE_CLIENT"
  expect "vaild is back: a new VM is here" eventually shows here .hostName where "$GUID"
}

# released N: prints a GUID.
released() { printf '00000000-0000-4000-8000-%012d' "$1"; }

# Hosts that were down hear of the last 4096 releases. The oldest one has the highest GUID here.
check_old_releases() {
  local i

  for ((i = 4096; i > 0; i--)); do
    etcd put "quarantine/$(released $i)" '{"released":true}'
  done
  etcd put "quarantine/$OTHER" '{}'
  expect "old releases: they are there" eventually shows "$OTHER" '.quarantines[].virtualMachineGuid' quarantines
  expect_vailctl root 0 "old releases: one more" fleet release "$OTHER"
  expect "old releases: the oldest one goes" eventually fleet_has "^delete quarantine/$(released 4096)"
  expect_equal "old releases: no other one goes" 1 "$(grep -c '^delete quarantine/' "$FLEET_LOG")"
}

## Who may ask

# fleet_status USER METHOD [PARAMETERS]: prints the status of a request to the socket.
fleet_status() { run_as "$1" "${SOCAT[@]}" - "UNIX-CONNECT:$FLEET_SOCKET" <<<"$(call "${@:2}")" | statuses; }

# ask_fleet REQUEST: prints the replies to root.
ask_fleet() { "${SOCAT[@]}" - "UNIX-CONNECT:$FLEET_SOCKET" <<<"$1"; }

# many_vms VERB [VALUE]: prints the lines about the keys of as many VMs of another host, whose list is longer than 1 MiB.
MANY=6000
many_vms() { seq -f "$1 vms/%08g-3333-4333-8333-333333333333/$THERE${2:+ $2}" "$MANY"; }

check_large_list() {
  many_vms put '{"state":"running"}' >&"$ETCD"
  expect "large list: vailctl shows all VMs" eventually shows true ".virtualMachines | length > $MANY" vms
  expect "large list: each is there once" shows true '.virtualMachines | length == (unique | length)' vms
  expect "large list: and it is of now" shows true .current vms
  expect_match "large list: the table has them, too" '00006000-3333-' "$("${CTL[@]}" fleet vms)"
  expect_match "large list: one reply has not the room" 'InsufficientResources.*send' \
    "$(ask_fleet "$(call io.vaild.Fleet.ListVirtualMachines)" | head -c 300)"
  expect_equal "large list: with more, socat gets it in parts" "$MANY" \
    "$(ask_fleet '{"method":"io.vaild.Fleet.ListVirtualMachines","more":true}' |
      grep -o '"[0-9]*-3333-4333-8333-333333333333"' | sort -u | wc -l)"
  many_vms delete >&"$ETCD"
  expect "large list: they are gone" eventually shows true ".virtualMachines | length < $MANY" vms
}

# names_who_may USER ARGUMENT...: checks that vailctl names those who may change a quarantine, whichever call is
# refused first.
names_who_may() {
  local user=$1
  shift
  expect_vailctl "$user" 1 "rights: $user may not call: vailctl $*" "$@"
  expect_match "rights: the message names the operators alone" '^vailctl: [^ ]*: only operators of vaild may do this; ' "$SAID"
}

check_rights() {
  expect_equal "rights: an operator may list" STATUS_SUCCESS "$(fleet_status vail-carol io.vaild.Fleet.ListHosts)"
  expect_equal "rights: an observer may list" STATUS_SUCCESS "$(fleet_status vail-alice io.vaild.Fleet.ListHosts)"
  expect_equal "rights: another user may not" STATUS_ACCESS_DENIED "$(fleet_status vail-bob io.vaild.Fleet.ListHosts)"
  expect_equal "rights: an observer may not impose a quarantine" STATUS_ACCESS_DENIED \
    "$(fleet_status vail-alice io.vaild.Fleet.SetQuarantine "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")"
  expect_equal "rights: an operator may" STATUS_SUCCESS \
    "$(fleet_status vail-carol io.vaild.Fleet.SetQuarantine "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":false}")"
  names_who_may vail-bob fleet quarantine 1111
  names_who_may vail-bob fleet release 1111
  names_who_may vail-bob fleet release "$GUID"
  names_who_may vail-alice fleet quarantine 1111
  names_who_may vail-alice fleet release 1111
  expect_equal "rights: the process that connected is served" STATUS_SUCCESS \
    "$("$HELPERS/passed-socket" "$FLEET_SOCKET" own "$(call io.vaild.Fleet.ListHosts)" | statuses)"
  expect_equal "rights: a process that received the connection is refused" STATUS_ACCESS_DENIED \
    "$("$HELPERS/passed-socket" "$FLEET_SOCKET" passed "$(call io.vaild.Fleet.ListHosts)" | statuses)"
}

stranger_gets() { [ "$(fleet_status vail-bob io.vaild.Fleet.ListHosts)" = "$1" ]; }

strangers_are_limited() {
  hold_connections "$FLEET_SOCKET" vail-bob 4
  stranger_gets STATUS_QUOTA_EXCEEDED
}

# Users who may call nothing cannot take the connections of the others.
check_connections() {
  expect "connections: strangers have a limit" eventually strangers_are_limited
  expect_equal "connections: an observer is served beside them" STATUS_SUCCESS \
    "$(fleet_status vail-alice io.vaild.Fleet.ListHosts)"
  release_connections
  expect "connections: the limit ends with them" eventually stranger_gets STATUS_ACCESS_DENIED
}

# Only complete messages are answered, and nothing that is wrong ends the fleet.
check_bad_input() {
  local input

  for input in '?' '[]' '{}' '{"method":1}' '{"method":"x"}' '{"method":"io.vaild.Fleet.X"}' \
    '{"method":"io.vaild.Fleet.Where"}' '{"method":"io.vaild.Fleet.Where","parameters":{"x":1}}' \
    '{"method":"io.vaild.Fleet.Where","parameters":{"name":1}}' '{"a":1,"a":2}'; do
    expect_match "bad input: $input" '"error":"(io.vaild.Fleet|org.varlink.service)\.' \
      "$("${SOCAT[@]}" - "UNIX-CONNECT:$FLEET_SOCKET" <<<"$input")"
  done
  expect_match "the socket describes its interface" 'method Place' "$("${SOCAT[@]}" - "UNIX-CONNECT:$FLEET_SOCKET" \
    <<<"$(call org.varlink.service.GetInterfaceDescription '{"interface":"io.vaild.Fleet"}')")"
}

## Without etcd

check_without_etcd() {
  etcd reach no
  expect "without etcd: where has its age" eventually shows true '.current == false and .age >= 0' where "$GUID"
  expect_vailctl root 0 "without etcd: where answers" fleet where "$GUID"
  expect_match "without etcd: and says how old it is" \
    'this was right .* ago, and may have changed since: etcd cannot be reached: the test has cut' "$SAID"
  expect_vailctl root 1 "without etcd: place is refused" fleet place --type any
  expect_vailctl root 1 "without etcd: a quarantine is refused" fleet quarantine "$GUID"
  expect_equal "without etcd: vaild serves" "$GUID" "$(running_vms)"
  etcd reach yes
  expect "etcd is back: where is current" eventually shows true .current where "$GUID"
}

# fleet_says PATTERN: tests whether vaild-fleet has logged such a line.
fleet_says() { grep -qE "^lone-fleet: .*$1" "$FLEET_LOG"; }

says_nothing_of_clones() { ! fleet_says 'give each host a machine ID'; }

# Prints how often the fleet has put the key of this host.
puts_of_host() { grep -c "^put hosts/$HERE " "$FLEET_LOG"; }
has_put_more() { [ "$(puts_of_host)" -gt "$1" ]; }

# A clone of this host has the same machine ID, and puts its own values. Its second change counts only after the
# first is mended, so it is not enough that this host is shown: the first may not have been read yet. The
# question takes another turn of the loop, in which the put is answered.
check_clone() {
  local before

  before=$(puts_of_host)
  etcd put "hosts/$HERE" '{"name":"clone"}'
  expect "clone: the key is put again" eventually has_put_more "$before"
  expect "clone: the key is mended" eventually shows here '.hosts[] | select(.self).name' hosts
  etcd put "hosts/$HERE" '{"name":"clone"}'
  expect "clone: somebody is told" eventually fleet_says 'give each host a machine ID'
}

check_lost_lease() {
  etcd lease no
  expect "lost lease: the VM has no host" eventually shows true '.unreachable >= 0' where "$GUID"
  expect_equal "lost lease: vaild serves" "$GUID" "$(running_vms)"
  expect "lost lease: no other host is blamed for the end of the keys" says_nothing_of_clones
  etcd lease yes
  expect "new lease: everything is there again" eventually shows false 'has("unreachable")' where "$GUID"
  expect "new lease: the host, too" eventually shows here '.hosts[] | select(.self).name' hosts
}

check_end() {
  kill_and_wait "$VMM"
  expect "the end of a VM ends where" eventually is_nowhere "$GUID"
  exec {ETCD}>&-
  kill -TERM "$FLEET"
  wait "$FLEET" 2>/dev/null || true
  expect_vailctl root 1 "without vaild-fleet, vailctl says how to start it" fleet hosts
  expect_match "without vaild-fleet: the sentence" 'systemctl start vaild-fleet' "$SAID"
  expect_vailctl root 1 "the socket of vaild is none of vaild-fleet" fleet where web --fleet-socket "$SOCKET"
  expect_match "vailctl says so" "no vaild-fleet serves $SOCKET, .* and not of vaild " "$SAID"
}

cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/"
start_daemon
start_fleet
check_before_etcd
check_own_keys
check_tables
check_other_host
check_hand_over
check_conflict
check_quarantine
check_quarantine_while_down
check_large_list
check_old_releases
check_rights
check_connections
check_bad_input
check_without_etcd
check_lost_lease
check_clone
check_end
expect_clean_stop
[ "$FAILED" -eq 0 ] || sed 's/^/# fleet: /' "$FLEET_LOG"
finish
