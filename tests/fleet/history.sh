# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2016,SC2034 # the variables of jq; the scripts use what is set here
#
# Checks of all that has happened in etcd (HISTORY) and of all that hosts have shown (OBSERVED), which no
# single reply can show. To be sourced after shown.sh.

# Finds each change of where/GUID to another host while the one before had the VM. A host has it from a
# change of where/GUID on, unless its key vms/GUID/HOST was absent, incoming or ended at some time since.
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

# Reads the revisions of where/GUID from the history: the host that has the VM from then on.
EPOCHS='def epochs: reduce ($history[] | select(.key | startswith($prefix + "where/"))) as $change
    ({}; .["\($change.revision)"] = {vm: ($change.key | ltrimstr($prefix + "where/")),
      host: ($change.value | fromjson? // {}).host});'

# Finds replies that show a VM on several hosts as the one that has it, replies to "where" that name another
# host than etcd had in that revision, and lists in which a host has a VM that it never had.
LIES="$EPOCHS"' epochs as $epochs
  | ([$epochs[] | {key: (.vm + "/" + (.host // "")), value: true}] | from_entries) as $had
  | inputs.reply
  | if has("epoch") and has("host") and $epochs["\(.epoch)"].host != .host then
      "\(.virtualMachineGuid) is on \(.host) with epoch \(.epoch), which names \($epochs["\(.epoch)"].host)"
    elif has("virtualMachines") then
      [.virtualMachines[] | select(.where)]
      | (group_by(.virtualMachineGuid)[] | select(length > 1)
         | "\(.[0].virtualMachineGuid) is on \([.[].hostName])"),
        (.[] | select($had[.virtualMachineGuid + "/" + .host] | not)
         | "\(.virtualMachineGuid) is on \(.hostName), which never had it")
    else empty end'

# Finds replies that are said to be current and name a host that has a VM, although another reply had shown a
# later one more than $bound milliseconds before the question. So two hosts never show a VM at two places for
# longer. A list does not tell the epoch: it is one of those with that host. So it shows at least the first of them, and at
# most the last.
STALE="$EPOCHS"' epochs as $epochs
  | (reduce ($epochs | to_entries[]) as $epoch
      ({}; .[$epoch.value.vm + "/" + ($epoch.value.host // "")] += [$epoch.key | tonumber])) as $of_host
  | def claims: select(.current)
      | if has("epoch") then {vm: .virtualMachineGuid, first: .epoch, last: .epoch}
        else .virtualMachines // [] | .[] | select(.where)
          | ($of_host[.virtualMachineGuid + "/" + .host] // [0]) as $own
          | {vm: .virtualMachineGuid, first: ($own | min), last: ($own | max)} end;
  reduce inputs as $line ({seen: {}, wrong: []};
    reduce ($line.reply | claims) as $claim (.;
      .seen[$claim.vm] as $seen
      | ([$seen[]? | select(.epoch > $claim.last and .at + $bound < $line.asked)] | first) as $later
      | if $later then .wrong += ["host \($line.observer) says that epoch \($claim.last) of \($claim.vm) is current, "
          + "\($line.asked - $later.at) ms after epoch \($later.epoch) was shown"] else . end
      | if any($seen[]?; .epoch == $claim.first) then .
        else .seen[$claim.vm] += [{epoch: $claim.first, at: $line.answered}] end))
  | .wrong[]'

# find_moves, find_lies, find_stale: print what is wrong, one a line.
find_moves() { jq -nr --arg prefix "$PREFIX" "$MOVES" "$HISTORY"; }
find_lies() { jq -nr --arg prefix "$PREFIX" --slurpfile history "$HISTORY" "$LIES" "$OBSERVED" | sort -u; }
find_stale() {
  jq -nr --arg prefix "$PREFIX" --argjson bound "$(((TTL + 1) * 1000))" --slurpfile history "$HISTORY" "$STALE" "$OBSERVED"
}

# Prints how many replies are of "where", lists of VMs, and changes of where/GUID.
count_history() {
  jq -n --arg prefix "${PREFIX}where/" --slurpfile history "$HISTORY" \
    'reduce inputs.reply as $reply ([0, 0]; if $reply | has("epoch") then .[0] += 1
      elif $reply | has("virtualMachines") then .[1] += 1 else . end)
    | . + [[$history[] | select(.key | startswith($prefix))] | length] | map(tostring) | join(" ")' -r "$OBSERVED"
}

# Checks everything that has happened.
check_history() {
  local wheres lists changes

  record_history
  expect_equal "no VM has moved away from a host that had it" "" "$(find_moves)"
  expect_equal "no host has shown a VM on two hosts, or on another host than etcd had" "" "$(find_lies)"
  expect_equal "no host has shown an earlier place of a VM as current, a TTL and a second after a later one was shown" "" \
    "$(find_stale)"
  read -r wheres lists changes <<<"$(count_history)"
  expect "that was checked with $wheres replies of where, $lists lists of VMs and $changes moves" \
    [ "$wheres" -gt 0 -a "$lists" -gt 0 -a "$changes" -ge "${#VMS[@]}" ]
}
