# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# Reads and checks what hosts show by vailctl fleet. To be sourced after hosts.sh.

OBSERVED=$PRIVATE/observed # each reply that a host has given, as JSON with its time, one a line

# observe N ASKED: reads the replies to questions that host N was asked at that time, keeps them in OBSERVED,
# and prints them.
observe() {
  local reply

  while IFS= read -r reply; do
    printf '{"observer":%d,"asked":%d,"answered":%d,"reply":%s}\n' "$1" "$2" "$(now)" "$reply" >>"$OBSERVED"
    printf '%s\n' "$reply"
  done
}

# fleet_on N COMMAND...: prints what vailctl fleet prints as JSON on a host, and keeps it.
fleet_on() {
  local asked

  asked=$(now)
  on_host "$1" "$PRIVATE/build/vailctl" fleet "${@:2}" --json 2>/dev/null | observe "$1" "$asked"
}

# shown N EXPRESSION COMMAND...: prints a jq expression of what vailctl fleet shows on a host.
shown() { fleet_on "$1" "${@:3}" | jq -rc "$2"; }

# shows N EXPECTED EXPRESSION COMMAND...: tests that.
shows() { [ "$(shown "$1" "${@:3}")" = "$2" ]; }

# expect_on_all CHECK EXPECTED EXPRESSION COMMAND...: checks that all hosts show it within a second of the
# change of begin.
expect_on_all() { expect_within 1000 "$1" "${HOSTS[*]}" shows "${@:2}"; }

## The truth

# expected_gpus: prints the GPUs of all hosts as they must be shown, from RUNS.
expected_gpus() {
  local host vm held assigned

  for host in "${HOSTS[@]}"; do
    held=() assigned=()
    for vm in "${VMS[@]}"; do
      [ -n "${RUNS[$host-$vm]:-}" ] || continue
      if [ -n "${FUNCTION[$vm]:-}" ]; then held+=("$(guid "$vm")"); else assigned+=("$(guid "$vm")"); fi
    done
    echo "host$host $CARD 4 ${#held[@]} ${held[*]}"
    echo "host$host software 4096 ${#assigned[@]} ${assigned[*]}"
  done | sed 's/ $//'
}

SHOWN_GPUS='select(.current).gpus[] | ([.hostName, .address, "\(.capacity)", "\(.used)"] +
  ([.holders[].virtualMachineGuid] | sort) | join(" "))'

# expected_places: prints how many virtual GPUs of the type big each host can have, most first.
expected_places() {
  local host

  for host in "${HOSTS[@]}"; do echo "host$host ${BIG[$host]}"; done | LC_ALL=C sort -k 2,2nr -k 1,1
}

# hosts_of VM: prints the names of the hosts that run the VM.
hosts_of() {
  local host

  for host in "${HOSTS[@]}"; do [ -z "${RUNS[$host-$1]:-}" ] || echo "host$host"; done
}

shows_gpus() { [ "$(shown "$1" "$SHOWN_GPUS" gpus | LC_ALL=C sort)" = "$(expected_gpus | LC_ALL=C sort)" ]; }
shows_places() { [ "$(shown "$1" '.places[] | "\(.hostName) \(.free)"' place --type big)" = "$(expected_places)" ]; }

# wheres N: prints "current GUID HOST" of each VM that a host finds, with "unreachable" if its host has gone.
wheres() {
  local asked

  asked=$(now)
  # shellcheck disable=SC2016 # the shell's on the host
  on_host "$1" sh -c 'for vm in $1; do "$0" fleet where "$vm" --json; done' "$PRIVATE/build/vailctl" \
    "$(for vm in "${VMS[@]}"; do guid "$vm" && echo; done)" 2>/dev/null | observe "$1" "$asked" |
    jq -r 'select(.hostName) | "\(.current) \(.virtualMachineGuid) \(.hostName)\(if has("unreachable") then " unreachable" else "" end)"'
}

# shows_vms N: tests whether a host shows each VM on the hosts that run it, and one of them, if any, as the
# one that has it, also by where.
shows_vms() {
  local vm hosts shown holder holders=""

  shown=$(fleet_on "$1" vms | jq -r 'select(.current).virtualMachines[] |
    "\(.virtualMachineGuid) \(.hostName) \(if .where then .state else "" end)"')
  for vm in "${VMS[@]}"; do
    hosts=$(hosts_of "$vm")
    [ "$(sed -n "s/^$(guid "$vm") \([^ ]*\) .*/\1/p" <<<"$shown" | sort)" = "$hosts" ] || return
    holder=$(sed -n "s/^$(guid "$vm") \([^ ]*\) running$/\1/p" <<<"$shown")
    if [ -z "$hosts" ]; then [ -z "$holder" ]; else grep -qx "${holder:-none}" <<<"$hosts"; fi || return
    [ -z "$holder" ] || holders+="true $(guid "$vm") $holder"$'\n'
  done
  [ "$(wheres "$1")" = "${holders%$'\n'}" ]
}

shows_hosts() {
  shows "$1" "$(printf 'host%s false\n' "${HOSTS[@]}")" 'select(.current).hosts | sort_by(.name)[] | "\(.name) \(.vaildIsAway)"' hosts
}

# expect_truth CHECK: checks that all hosts come to show exactly what is.
expect_truth() {
  local what host

  for what in hosts vms gpus places; do
    for host in "${HOSTS[@]}"; do eventually "shows_$what" "$host"; done
  done
  ok "$1: all hosts show the right hosts, VMs, GPUs and places"
}

# expect_truth_in_time CHECK: the same, within a second of the change of begin.
expect_truth_in_time() {
  local what

  for what in vms gpus places hosts; do
    expect_within 1000 "$1: all hosts show the right $what" "${HOSTS[*]}" "shows_$what"
  done
}

# A reply to "where" is true: it is current, and names a host that runs the VM or is said to have gone. Or it
# says how old it is, and is not from after a change that it does not show. $unseen: the seconds since
# that change, or null.
# shellcheck disable=SC2016 # the variables of jq
IS_HONEST='.hostName == $host and
  if .current then $unseen == null and (.unreachable >= 0 or ($runs | index($host)) != null)
  else .age >= ($unseen // 0) end'

# is_honest REPLY VM WHERE [MILLISECONDS]: tests that. WHERE is the host that the reply must name.
# MILLISECONDS: since the change that it does not show.
is_honest() {
  local unseen=null

  [ -z "${4:-}" ] || unseen=$4e-3
  is_true "$1" "$IS_HONEST" --arg host "host$3" --argjson runs "$(hosts_of "$2" | jq -nR '[inputs]')" \
    --argjson unseen "$unseen"
}

# expect_honest CHECK HOSTS VM WHERE [UNSEEN]: checks that of what these hosts say about a VM. UNSEEN is the time
# of the last change of the VM, if they have not seen it.
expect_honest() {
  local host reply since wrong=""

  for host in $2; do
    since=${5:+$(($(now) - $5))}
    reply=$(fleet_on "$host" where "$(guid "$3")") || true
    is_honest "$reply" "$3" "$4" "$since" || wrong+="host $host: $reply "
  done
  expect_equal "$1: what is said about VM $3 is right or has its age" "" "$wrong"
}

# is_old N VM: tests whether a host says that what it shows is old.
is_old() { shows "$1" true '.current == false and .age >= 0' where "$(guid "$2")"; }

# is_unreachable N VM: tests whether a host shows that the VM's host has gone.
is_unreachable() { shows "$1" true '.current and .unreachable >= 0' where "$(guid "$2")"; }

# quarantine_on N GUID: prints the reason of a quarantine in the vaild of a host, or null.
quarantine_on() {
  ask_vaild "$1" "$(call io.vaild.Machine.ListQuarantines)" |
    jq -r --arg guid "$2" '[.parameters.quarantines[] | select(.virtualMachineGuid == $guid)][0].reason'
}

has_quarantine() { [ "$(quarantine_on "$1" "$2")" = "$3" ]; }

## The life of keys

# lease_of N: prints the lease of the host's key.
lease_of() { ask_etcd '.kvs[0].lease // empty' kv/range "{\"key\":\"$(base64_of "${PREFIX}hosts/$(machine_id "$1")")\"}"; }

# keys_of N: prints the keys of a host that are bound to its lease.
keys_of() { keys_in_etcd "" | grep -E "^(hosts|vms|gpus)/(.*/)?$(machine_id "$1")" || true; }

# expect_end_of_keys CHECK N: waits until the keys of a host without vaild-fleet have gone. Checks that none
# outlives begin by more than the TTL and a second, and on etcd's clock that nobody prolongs their lease.
# The time that is left may grow once, by a message that was sent before. A new leader grants the whole
# time once more, so the bound then counts from there.
expect_end_of_keys() {
  local lease left term before=$TTL before_term=0 grown=0

  lease=$(lease_of "$2")
  while [ -n "$lease" ]; do
    read -r left term <<<"$(ask_etcd '"\(.TTL // 0 | tonumber) \(.header.raft_term)"' lease/timetolive "{\"ID\":\"$lease\"}")"
    [ "$left" -gt 0 ] || break
    [ "$before_term" != "$term" ] || [ "$left" -le "$before" ] || grown=$((grown + 1))
    [ "$before_term" -eq 0 ] || [ "$before_term" = "$term" ] || begin
    before=$left before_term=$term
    pause_for 50
  done
  expect "$1: nobody prolongs the lease of host $2" [ "$grown" -le 1 ]
  eventually is_so has_no_keys "$2"
  check_bound "$1: the keys of host $2 have ended with its lease" $(((TTL + 1) * 1000))
}

has_no_keys() { [ -z "$(keys_of "$1")" ]; }
