# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# Reads and checks what hosts show by vailctl fleet. To be sourced after hosts.sh.

OBSERVED=$PRIVATE/observed # each reply that a host has given, as JSON, one a line

# Prints milliseconds on a clock that never jumps.
now() {
  local up

  read -r up _ </proc/uptime
  echo $((10#${up/./} * 10))
}

# fleet_on N COMMAND...: prints what vailctl fleet prints as JSON on a host, and keeps it.
fleet_on() { on_host "$1" "$PRIVATE/build/vailctl" fleet "${@:2}" --json 2>/dev/null | tee -a "$OBSERVED"; }

# shown N EXPRESSION COMMAND...: prints a jq expression of what vailctl fleet shows on a host.
shown() { fleet_on "$1" "${@:3}" | jq -rc "$2"; }

# shows N EXPECTED EXPRESSION COMMAND...: tests that.
shows() { [ "$(shown "$1" "${@:3}")" = "$2" ]; }

# expect_on_all CHECK EXPECTED EXPRESSION COMMAND...: checks that all hosts come to show it. Prints how long
# that took since begin. Machines differ, so the time is only shown.
expect_on_all() {
  local host

  for host in "${HOSTS[@]}"; do eventually shows "$host" "${@:2}"; done
  ok "$1 ($(($(now) - SINCE)) ms; the promise is 1000 ms)"
}

# A change begins now.
SINCE=0
begin() { SINCE=$(now); }

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

SHOWN_GPUS='.gpus[] | ([.hostName, .address, "\(.capacity)", "\(.used)"] +
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
  # shellcheck disable=SC2016 # the shell's on the host
  on_host "$1" sh -c 'for vm in $1; do "$0" fleet where "$vm" --json; done' "$PRIVATE/build/vailctl" \
    "$(for vm in "${VMS[@]}"; do guid "$vm" && echo; done)" 2>/dev/null | tee -a "$OBSERVED" |
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
  shows "$1" "$(printf 'host%s false\n' "${HOSTS[@]}")" '.hosts | sort_by(.name)[] | "\(.name) \(.vaildIsAway)"' hosts
}

# expect_truth CHECK: checks that all hosts come to show exactly what is.
expect_truth() {
  local what host

  for what in hosts vms gpus places; do
    for host in "${HOSTS[@]}"; do eventually "shows_$what" "$host"; done
  done
  ok "$1: all hosts show the right hosts, VMs, GPUs and places"
}

# A reply to "where" is right, or says that it is old.
IS_HONEST='(.hostName == $host) and (.current or (has("age") and .age >= 0))'

# expect_honest CHECK HOSTS VM WHERE: checks that what these hosts say about a VM names the host that has
# it, and is current or has its age.
expect_honest() {
  local host reply wrong=""

  for host in $2; do
    reply=$(fleet_on "$host" where "$(guid "$3")")
    jq -e --arg host "host$4" "$IS_HONEST" <<<"$reply" >/dev/null || wrong+="host $host: $reply "
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

# expect_end_of_keys CHECK N: waits until the keys of a host without vaild-fleet have gone. Checks on etcd's
# clock that nobody prolongs their lease. The time that is left may grow once, by a message that was sent
# before, and when a new leader grants the whole time once more.
expect_end_of_keys() {
  local lease left term before=$TTL before_term=0 grown=0

  lease=$(lease_of "$2")
  while [ -n "$lease" ]; do
    read -r left term <<<"$(ask_etcd '"\(.TTL // 0 | tonumber) \(.header.raft_term)"' lease/timetolive "{\"ID\":\"$lease\"}")"
    [ "$left" -gt 0 ] || break
    [ "$before_term" != "$term" ] || [ "$left" -le "$before" ] || grown=$((grown + 1))
    before=$left before_term=$term
    pause_for 50
  done
  expect "$1: nobody prolongs the lease of host $2" [ "$grown" -le 1 ]
  eventually has_no_keys "$2"
  ok "$1: the keys of host $2 have ended with its lease ($(($(now) - SINCE)) ms; the promise is $(((TTL + 1) * 1000)) ms)"
}

has_no_keys() { [ -z "$(keys_of "$1")" ]; }

## The history

# Finds each change of where/GUID to another host while the one before had the VM. A host has it from a
# change of where/GUID on, unless its key vms/GUID/HOST was absent, incoming or ended at some time since.
# shellcheck disable=SC2016 # the variables of jq
MOVES='def has_left($state): $state == null or $state == "incoming" or $state == "ended";
  reduce (inputs | select(.key | startswith($prefix)) | .key |= ltrimstr($prefix)) as $change
    ({vms: {}, where: {}, left: {}, wrong: []};
     ($change.key | split("/")) as $key
     | (if $change.type == "DELETE" then null else ($change.value | fromjson? // {}) end) as $value
     | if $key[0] == "vms" then
         .vms[$key[1] + "/" + $key[2]] = $value.state
         | if .where[$key[1]] == $key[2] and has_left($value.state) then .left[$key[1]] = true else . end
       elif $key[0] == "where" then
         $key[1] as $vm
         | if $value.host != null and .where[$vm] != null and .where[$vm] != $value.host and (.left[$vm] | not)
           then .wrong += ["\($vm) moves to \($value.host) in revision \($change.revision), although \(.where[$vm]) has it"]
           else . end
         | .where[$vm] = $value.host
         | .left[$vm] = ($value.host == null or has_left(.vms[$vm + "/" + $value.host]))
       else . end)
  | .wrong[]'

# Finds replies that show a VM on several hosts as the one that has it, and replies to "where" that
# name another host than etcd had in that revision.
# shellcheck disable=SC2016
LIES='reduce ($history[] | select(.key | startswith($prefix + "where/"))) as $change
    ({}; .["\($change.revision)"] = ($change.value | fromjson? // {}).host)
  | . as $epochs
  | inputs
  | if has("epoch") and has("host") and $epochs["\(.epoch)"] != .host then
      "\(.virtualMachineGuid) is on \(.host) with epoch \(.epoch), which names \($epochs["\(.epoch)"])"
    elif has("virtualMachines") then
      [.virtualMachines[] | select(.where)] | group_by(.virtualMachineGuid)[] | select(length > 1)
      | "\(.[0].virtualMachineGuid) is on \([.[].hostName])"
    else empty end'

# Checks everything that has happened.
check_history() {
  record_history
  expect_equal "no VM has moved away from a host that had it" "" \
    "$(jq -nr --arg prefix "$PREFIX" "$MOVES" "$HISTORY")"
  expect_equal "no host has shown a VM on two hosts, or on another host than etcd had" "" \
    "$(jq -nr --arg prefix "$PREFIX" --slurpfile history "$HISTORY" "$LIES" "$OBSERVED" | sort -u)"
  echo "# $(grep -c . "$HISTORY") changes of keys, $(jq -nr --arg prefix "${PREFIX}where/" \
    '[inputs | select(.key | startswith($prefix))] | length' "$HISTORY") of them of where, $(grep -c . "$OBSERVED") replies"
}
