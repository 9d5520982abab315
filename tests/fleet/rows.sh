# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# One function for each way in which a fleet can fail. VM N runs on host N at the beginning and at the
# end of each. To be sourced after stage.sh.

# during CHECK HOSTS OBSERVERS: checks that the vailds of HOSTS serve their VMs: a client registers and opens
# an object. Checks that what OBSERVERS say about each VM is right or has its age.
during() {
  local host vm

  for host in $2; do
    expect "$1: host $host serves its VM" serves "$host" "$host"
  done
  for vm in "${VMS[@]}"; do expect_honest "$1" "$3" "$vm" "$vm"; done
}

ALL="1 2 3 4"

# expect_old CHECK HOSTS: checks that hosts without etcd say so at the latest when their leases have ended.
expect_old() { expect_within $((TTL * 1000)) "$1: hosts say that what they show is old" "$2" is_old 1; }

# expect_unreachable CHECK HOSTS VM: checks that hosts show within a second that the keys of the VM's host are
# gone.
expect_unreachable() { expect_within 1000 "$1: hosts show VM $3 as unreachable" "$2" is_unreachable "$3"; }

# settle CHECK: checks that everything is shown as it is, once nothing fails any more.
settle() { expect_truth "$1, afterwards"; }

# refuses_to_place N [WHY]: tests whether a host refuses to place a VM, and says why.
refuses_to_place() {
  local said status=0

  said=$(on_host "$1" "$PRIVATE/build/vailctl" fleet place --type big 2>&1) || status=$?
  [ "$status" -ne 0 ] && [[ $said == *"${2:-etcd cannot be reached}"* ]]
}

## Members of etcd

follower() {
  local member leader

  leader=$(leader)
  for member in "${MEMBERS[@]}"; do [ "$member" = "$leader" ] || { echo "$member" && return; }; done
}

# one_member_fails CHECK stop_member|kill_member NAME
one_member_fails() {
  local host

  "$2" "$3"
  during "$1" "$ALL" "$ALL"
  start_vm 2 4
  expect_truth "$1: a VM begins on a second host"
  end_vm 2 4
  expect_truth "$1: it ends there"
  mend_member "$3"
  settle "$1"
}

row_follower_stopped() { one_member_fails "a member is stopped" stop_member "$(follower)"; }
row_follower_killed() { one_member_fails "a member is killed" kill_member "$(follower)"; }
row_leader_stopped() { one_member_fails "the leader is stopped" stop_member "$(leader)"; }
row_leader_killed() { one_member_fails "the leader is killed" kill_member "$(leader)"; }

# quorum_fails CHECK stop_member|kill_member: the VM 4 moves to host 1 and back while nobody can see it.
quorum_fails() {
  local host

  "$2" a
  "$2" b
  begin
  expect_old "$1" "$ALL"
  for host in $ALL; do expect "$1: host $host refuses to place a VM" refuses_to_place "$host"; done
  during "$1" "$ALL" "$ALL"
  end_vm 4 4
  start_vm 1 4
  expect "$1: a new VM is served" serves 1 4
  expect_honest "$1: a VM has moved unseen" "$ALL" 4 4 "$SINCE"
  mend_member a
  mend_member b
  expect_truth "$1: the quorum is back"
  start_vm 4 4
  end_vm 1 4
  settle "$1"
}

row_quorum_stopped() { quorum_fails "two members are stopped" stop_member; }
row_quorum_killed() { quorum_fails "two members are killed" kill_member; }

row_disk_full() {
  local check="the disks of etcd are full" member

  for member in "${MEMBERS[@]}"; do fill_disk "$member"; done
  until etcd_has_ended; do fill 1 1000000; done
  begin
  expect_old "$check" "$ALL"
  during "$check" "$ALL" "$ALL"
  for member in "${MEMBERS[@]}"; do mend_member "$member"; done
  drop_filler
  clear_etcd
  settle "$check"
}

# Tests whether two members have ended, so that etcd has no quorum.
etcd_has_ended() {
  local member ended=0

  for member in "${MEMBERS[@]}"; do ! is_gone_or_zombie "${MEMBER[$member]}" || ended=$((ended + 1)); done
  [ "$ended" -ge 2 ]
}

row_quota() {
  local check="etcd is over its quota" host

  exceed_quota
  for host in $ALL; do
    expect "$check: host $host says that what it shows is old" eventually is_old "$host" 1
    expect "$check: host $host refuses to place a VM" refuses_to_place "$host" 'takes no changes'
  done
  during "$check" "$ALL" "$ALL"
  # etcd takes no key of a VM that begins now.
  start_vm 2 4
  expect "$check: a new VM is served" serves 2 4
  expect_honest "$check: a VM has begun unseen" "$ALL" 4 4
  for host in $ALL; do expect "$check: host $host still says so" is_old "$host" 4; done
  expect "$check: its vaild-fleet says that it cannot show it" \
    eventually grep -q 'a change of etcd has failed, .*space' "$PRIVATE/host2/fleet.log"
  drop_filler
  clear_etcd
  expect_truth "$check: there is space again"
  end_vm 2 4
  settle "$check"
}

row_compaction() {
  local check="a watch is behind a compaction" host

  # First the buffers of the connection are filled, and then what etcd keeps for a watch.
  stop_program fleet-4
  fill 100 150000
  fill 2000 10
  clear_etcd
  start_vm 2 3
  end_vm 3 3
  expect_within 1000 "$check: hosts show a move" "1 2 3" shows host2 .hostName where web3
  for host in 1 2 4; do expect "$check: host $host serves its VM" serves "$host" "$host"; done
  continue_program fleet-4
  expect_truth "$check"
  if grep -q 'fell behind a compaction' "$PRIVATE/host4/fleet.log"; then
    ok "$check: vaild-fleet says so"
  else
    skip "$check: vaild-fleet says so" "the buffers of this machine held all that the watch shows"
  fi
  drop_filler
  clear_etcd
  start_vm 3 3
  end_vm 2 3
  settle "$check"
}

## Programs of hosts

# fleet_fails CHECK COMMAND...: runs the command, which takes vaild-fleet away from host 2.
fleet_fails() {
  "${@:2}"
  begin
  expect_end_of_keys "$1" 2
  begin
  expect_unreachable "$1" "1 3 4" 2
  during "$1" "$ALL" "1 3 4"
}

# A vaild-fleet that was stopped is asked before it has heard of what has happened since.
row_fleet_stopped() {
  local check="vaild-fleet is stopped" moved reply

  fleet_fails "$check" stop_program fleet-2
  start_vm 4 3
  end_vm 3 3
  moved=$SINCE
  expect_within 1000 "$check: the other hosts show a move" "1 3 4" shows host4 .hostName where web3
  moved=$(($(now) - moved))
  fleet_on 2 where web3 >"$PRIVATE/reply" &
  eventually has_question 2
  continue_program fleet-2
  wait $!
  reply=$(<"$PRIVATE/reply")
  expect "$check: what it says first is right or has its age: $reply" is_right_or_old "$reply" 3 4 3 "$moved"
  expect_truth "$check: it goes on"
  start_vm 3 3
  end_vm 4 3
  settle "$check"
}

# has_question N: tests whether vaild-fleet has a connection that it has not accepted.
has_question() { [ "$(on_host "$1" ss --no-header --listening --unix src /run/vaild-fleet/socket | awk '{ print $3 }')" -gt 0 ]; }

# is_right_or_old REPLY VM WHERE BEFORE MILLISECONDS
is_right_or_old() { is_honest "${@:1:3}" || is_honest "$1" "$2" "$4" "$5"; }

row_fleet_killed() {
  fleet_fails "vaild-fleet is killed" end_program fleet-2 KILL
  start_fleet 2
  settle "vaild-fleet is killed"
}

shows_away() { shows "$1" true "select(.current).hosts[] | select(.name == \"host$2\").vaildIsAway" hosts; }

# vaild_fails MILLISECONDS CHECK COMMAND...: runs the command, which takes vaild away from host 2. Checks that
# all hosts show it within that time.
vaild_fails() {
  "${@:3}"
  begin
  expect_within "$1" "$2: all hosts say that vaild is away there" "$ALL" shows_away 2
  during "$2" "1 3 4" "$ALL"
}

# A vaild that answers nothing for 15 seconds counts as away, and is asked every 5 seconds.
row_vaild_stopped() {
  vaild_fails 21000 "vaild is stopped" stop_program vaild-2
  continue_program vaild-2
  expect "vaild is stopped: it serves again" serves 2 2
  settle "vaild is stopped"
}

# Without systemd, vaild has lost its VMs.
row_vaild_killed() {
  vaild_fails 1000 "vaild is killed" end_program vaild-2 KILL
  start_vaild 2
  register_vm 2 2
  expect_equal "vaild is killed: the VM is registered again" STATUS_SUCCESS "$STATUS"
  settle "vaild is killed"
}

# The lease counts as lost if the boot time says so, and the date does not matter.
row_clock() {
  local check="a clock jumps" lease

  end_program fleet-2 TERM
  JUMPS[2]=yes
  start_fleet 2
  expect_truth "$check: vaild-fleet is started again"
  # The host is suspended and does not reach etcd any more. The first answer must not wait for timers.
  cut_off 2
  jump 2 3600 -7200
  expect "$check: what is shown is an hour old" shows 2 true '.current == false and .age >= 3590' where web1
  reconnect 2
  expect_truth "$check: the host is back"
  lease=$(lease_of 2)
  jump 2 7200 -7200
  eventually has_other_lease 2 "$lease"
  ok "$check: the host has taken another lease"
  during "$check" "$ALL" "1 3 4"
  expect_truth "$check: an hour after"
  lease=$(lease_of 2)
  jump 2 7200 86400
  during "$check: by a day, but only the date" "$ALL" "1 3 4"
  start_vm 2 4
  end_vm 4 4
  expect_truth "$check: a VM moves"
  start_vm 4 4
  end_vm 2 4
  end_program fleet-2 TERM
  unset "JUMPS[2]"
  start_fleet 2
  settle "$check"
}

has_other_lease() { local now && now=$(lease_of "$1") && [ -n "$now" ] && [ "$now" != "$2" ]; }

## Hosts

row_cut_off() {
  local check="a host is cut off" moved

  cut_off 3
  begin
  expect_old "$check" 3
  expect_end_of_keys "$check" 3
  begin
  expect_unreachable "$check" "1 2 4" 3
  during "$check" "$ALL" "$ALL"
  expect "$check: it refuses to place a VM" refuses_to_place 3
  start_vm 2 1
  end_vm 1 1
  moved=$SINCE
  expect_within 1000 "$check: the other hosts show a move" "1 2 4" shows host2 .hostName where web1
  expect_honest "$check: it has not seen the move" 3 1 1 "$moved"
  reconnect 3
  expect_truth "$check: it is back"
  start_vm 1 1
  end_vm 2 1
  settle "$check"
}

# The VM of a host that is cut off is started on another host, too.
row_cut_off_and_claimed() {
  local check="a VM of a host that is cut off begins elsewhere" host

  cut_off 3
  begin
  expect_old "$check" 3
  start_vm 4 3
  for host in 1 2 4; do expect "$check: host $host shows it there" eventually shows "$host" host4 .hostName where web3; done
  expect "$check: both VMs are served" serves 3 3
  expect "$check: both VMs are served" serves 4 3
  reconnect 3
  expect_truth "$check: one of the two has it"
  expect "$check: the other is shown as a conflict" eventually shows 1 '["conflict","running"]' \
    "[.virtualMachines[] | select(.virtualMachineGuid == \"$(guid 3)\").state] | sort" vms
  end_vm 4 3
  settle "$check"
}

# Until the host notices, it says that what it shows is current. A move shows that it gets news again.
row_one_way_is_cut() {
  local check="a host cannot reach one member" move member from to host

  [ -n "$HAS_NFT" ] || { skip "$check" "nft is missing or may not be used here; install nftables" && return; }
  for move in "a 3 4" "b 4 3" "c 3 4"; do
    read -r member from to <<<"$move"
    on_host 1 nft "add table ip cut; add chain ip cut out { type filter hook output priority 0; }
      add rule ip cut out ip daddr ${ADDRESS[$member]} drop"
    for host in 1 2 4; do expect "$check: host $host serves its VM" serves "$host" "$host"; done
    start_vm "$to" 3
    end_vm "$from" 3
    expect "$check: it sees a move" eventually shows 1 "true host$to" '"\(.current) \(.hostName)"' where web3
    reconnect 1
  done
  start_vm 3 3
  end_vm 4 3
  settle "$check"
}

row_host_killed() {
  local check="a host ends"

  kill_host 4
  expect_end_of_keys "$check" 4
  begin
  expect_unreachable "$check" "1 2 3" 4
  during "$check" "1 2 3" "1 2 3"
  boot_host 4
  expect_truth "$check: it is back without its VM"
  start_vm 4 4
  settle "$check"
}

row_host_killed_and_claimed() {
  local check="a VM begins elsewhere after its host has ended"

  kill_host 4
  start_vm 2 4
  for host in 1 2 3; do expect "$check: host $host shows it there" eventually shows "$host" host2 .hostName where web4; done
  for host in 1 2 3; do expect "$check: host $host serves its VM" serves "$host" "$host"; done
  boot_host 4
  expect_truth "$check"
  start_vm 4 4
  end_vm 2 4
  settle "$check"
}

## Quarantines of the fleet

STOLEN=99999999-9999-4999-8999-999999999999

# set_quarantine N COMMAND...: repeats a change of a quarantine until it is done.
set_quarantine() {
  eventually shows "$1" STATUS_SUCCESS .status "${@:2}"
  begin
}

# expect_quarantine CHECK HOSTS REASON: checks that the vailds of the hosts have it within a second.
expect_quarantine() { expect_within 1000 "$1" "$2" has_quarantine "$STOLEN" "$3"; }

# await_return HOST...: waits until hosts that were away see etcd and their vailds again. A change begins.
await_return() {
  local host

  for host; do eventually sees_all "$host"; done
  begin
}

sees_all() { shows "$1" true 'select(.current).hosts[] | select(.self).vaildIsAway | not' hosts; }

row_quarantine() {
  set_quarantine 1 quarantine "$STOLEN" --reason stolen
  expect_quarantine "a quarantine that host 1 imposes holds on all hosts" "$ALL" 'fleet: stolen'
  set_quarantine 3 release "$STOLEN"
  expect_quarantine "one that host 3 lifts is lifted on all" "$ALL" null
  set_quarantine 2 quarantine "$(guid 1)" --reason stolen
  eventually has_quarantine 1 "$(guid 1)" 'fleet: stolen'
  expect "nobody registers for a VM in quarantine" not serves 1 1
  set_quarantine 2 release "$(guid 1)"
  eventually has_quarantine 1 "$(guid 1)" null
  expect "a client registers again when it is lifted" serves 1 1
  settle "a quarantine"
}

not() { ! "$@"; }

# A host is down when a quarantine is imposed, and again when it is lifted.
row_quarantine_while_down() {
  local host

  kill_host 4
  set_quarantine 1 quarantine "$STOLEN" --reason stolen
  expect_quarantine "a quarantine holds on the hosts that are there" "1 2 3" 'fleet: stolen'
  for host in 1 2 3; do expect "a host is down: host $host serves its VM" serves "$host" "$host"; done
  boot_host 4
  await_return 4
  expect_quarantine "a quarantine holds on a host that was down" "$ALL" 'fleet: stolen'
  kill_host 4
  set_quarantine 2 release "$STOLEN"
  boot_host 4
  await_return 4
  expect_quarantine "it is lifted on a host that was down" "$ALL" null
  start_vm 4 4
  settle "a quarantine while a host is down"
}

# The same for a host that is cut off, and for one without vaild.
row_quarantine_while_cut_off() {
  local host

  cut_off 3
  end_program vaild-2 KILL
  set_quarantine 1 quarantine "$STOLEN" --reason stolen
  expect_quarantine "a quarantine holds on the hosts that can know it" "1 4" 'fleet: stolen'
  expect "the host that is cut off does not know it" has_quarantine 3 "$STOLEN" null
  for host in 1 3 4; do expect "a host is cut off: host $host serves its VM" serves "$host" "$host"; done
  reconnect 3
  start_vaild 2
  register_vm 2 2
  await_return 2 3
  expect_quarantine "a quarantine holds on all hosts later" "$ALL" 'fleet: stolen'
  set_quarantine 3 release "$STOLEN"
  expect_quarantine "and is lifted on all" "$ALL" null
  settle "a quarantine while a host is cut off"
}
