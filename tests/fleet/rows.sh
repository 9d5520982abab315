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

# settle CHECK: checks that everything is shown as it is, once nothing fails any more.
settle() { expect_truth "$1, afterwards"; }

# refuses_to_place N: tests whether a host refuses to place a VM, and says why.
refuses_to_place() {
  local said status=0

  said=$(on_host "$1" "$PRIVATE/build/vailctl" fleet place --type big 2>&1) || status=$?
  [ "$status" -ne 0 ] && [[ $said == *"etcd cannot be reached"* ]]
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
  for host in $ALL; do
    expect "$1: host $host says that what it shows is old" eventually is_old "$host" 1
    expect "$1: host $host refuses to place a VM" refuses_to_place "$host"
  done
  during "$1" "$ALL" "$ALL"
  end_vm 4 4
  start_vm 1 4
  expect "$1: a new VM is served" serves 1 4
  expect_honest "$1: a VM has moved unseen" "$ALL" 4 4
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
  local check="the disks of etcd are full" member host

  for member in "${MEMBERS[@]}"; do fill_disk "$member"; done
  until etcd_has_ended; do fill 1 1000000; done
  for host in $ALL; do expect "$check: host $host says that what it shows is old" eventually is_old "$host" 1; done
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
  during "$check" "$ALL" "$ALL"
  # etcd takes no key of a VM that begins now.
  start_vm 2 4
  expect "$check: a new VM is served" serves 2 4
  expect_honest "$check: a VM has begun unseen" "$ALL" 4 4
  expect "$check: its vaild-fleet says that it cannot show it" \
    eventually grep -q 'a change of etcd has failed, .*space' "$PRIVATE/host2/fleet.log"
  drop_filler
  clear_etcd
  expect_truth "$check: there is space again"
  end_vm 2 4
  settle "$check"
}

row_compaction() {
  local check="a watch is behind a compaction"

  # First the buffers of the connection are filled, and then what etcd keeps for a watch.
  stop_program fleet-4
  fill 100 150000
  fill 2000 10
  clear_etcd
  start_vm 2 3
  end_vm 3 3
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
  local host

  begin
  "${@:2}"
  expect_end_of_keys "$1" 2
  for host in 1 3 4; do expect "$1: host $host shows VM 2 as unreachable" eventually is_unreachable "$host" 2; done
  during "$1" "$ALL" "1 3 4"
}

row_fleet_stopped() {
  fleet_fails "vaild-fleet is stopped" stop_program fleet-2
  continue_program fleet-2
  settle "vaild-fleet is stopped"
}

row_fleet_killed() {
  fleet_fails "vaild-fleet is killed" end_program fleet-2 KILL
  start_fleet 2
  settle "vaild-fleet is killed"
}

shows_away() { shows "$1" true ".hosts[] | select(.name == \"host$2\").vaildIsAway" hosts; }

# vaild_fails CHECK COMMAND...: runs the command, which takes vaild away from host 2.
vaild_fails() {
  local host

  "${@:2}"
  for host in $ALL; do expect "$1: host $host says that vaild is away there" eventually shows_away "$host" 2; done
  during "$1" "1 3 4" "$ALL"
}

row_vaild_stopped() {
  vaild_fails "vaild is stopped" stop_program vaild-2
  continue_program vaild-2
  expect "vaild is stopped: it serves again" serves 2 2
  settle "vaild is stopped"
}

# Without systemd, vaild has lost its VMs.
row_vaild_killed() {
  vaild_fails "vaild is killed" end_program vaild-2 KILL
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
  lease=$(lease_of 2)
  jump 2 3600 -7200
  eventually has_other_lease 2 "$lease"
  ok "$check: the host has taken another lease"
  during "$check" "$ALL" "1 3 4"
  expect_truth "$check: an hour after"
  lease=$(lease_of 2)
  jump 2 3600 86400
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
  local check="a host is cut off" host

  begin
  cut_off 3
  expect_end_of_keys "$check" 3
  expect "$check: it says that what it shows is old" eventually is_old 3 1
  for host in 1 2 4; do expect "$check: host $host shows its VM as unreachable" eventually is_unreachable "$host" 3; done
  during "$check" "$ALL" "$ALL"
  expect "$check: it refuses to place a VM" refuses_to_place 3
  start_vm 2 1
  end_vm 1 1
  for host in 1 2 4; do expect "$check: host $host shows a move" eventually shows "$host" host2 .hostName where web1; done
  expect_honest "$check: it has not seen the move" 3 1 1
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
  start_vm 4 3
  for host in 1 2 4; do expect "$check: host $host shows it there" eventually shows "$host" host4 .hostName where web3; done
  expect "$check: the host that is cut off says that it knows less" eventually is_old 3 3
  expect "$check: both VMs are served" serves 3 3
  expect "$check: both VMs are served" serves 4 3
  reconnect 3
  expect_truth "$check: one of the two has it"
  expect "$check: the other is shown as a conflict" eventually shows 1 '["conflict","running"]' \
    "[.virtualMachines[] | select(.virtualMachineGuid == \"$(guid 3)\").state] | sort" vms
  end_vm 4 3
  settle "$check"
}

row_one_way_is_cut() {
  local check="a host cannot reach one member" member

  [ -n "$HAS_NFT" ] || { skip "$check" "nft is missing or may not be used here; install nftables" && return; }
  for member in "${MEMBERS[@]}"; do
    on_host 1 nft "add table ip cut; add chain ip cut out { type filter hook output priority 0; }
      add rule ip cut out ip daddr ${ADDRESS[$member]} drop"
    during "$check" "$ALL" "$ALL"
    expect "$check: it finds another one" eventually shows 1 true .current where web1
    reconnect 1
  done
  settle "$check"
}

row_host_killed() {
  local check="a host ends" host

  begin
  kill_host 4
  expect_end_of_keys "$check" 4
  for host in 1 2 3; do expect "$check: host $host shows its VM as unreachable" eventually is_unreachable "$host" 4; done
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
  boot_host 4
  expect_truth "$check"
  start_vm 4 4
  end_vm 2 4
  settle "$check"
}

## Quarantines of the fleet

STOLEN=99999999-9999-4999-8999-999999999999

# set_quarantine N COMMAND...: repeats a change of a quarantine until it is done.
set_quarantine() { eventually shows "$1" STATUS_SUCCESS .status "${@:2}"; }

# expect_quarantine CHECK HOSTS REASON
expect_quarantine() {
  local host

  for host in $2; do eventually has_quarantine "$host" "$STOLEN" "$3"; done
  ok "$1 ($(($(now) - SINCE)) ms; the promise is 1000 ms)"
}

row_quarantine() {
  begin
  set_quarantine 1 quarantine "$STOLEN" --reason stolen
  expect_quarantine "a quarantine that host 1 imposes holds on all hosts" "$ALL" 'fleet: stolen'
  begin
  set_quarantine 3 release "$STOLEN"
  expect_quarantine "one that host 3 lifts is lifted on all" "$ALL" null
  begin
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
  kill_host 4
  set_quarantine 1 quarantine "$STOLEN" --reason stolen
  boot_host 4
  begin
  expect_quarantine "a quarantine holds on a host that was down" "$ALL" 'fleet: stolen'
  kill_host 4
  set_quarantine 2 release "$STOLEN"
  boot_host 4
  begin
  expect_quarantine "it is lifted on a host that was down" "$ALL" null
  start_vm 4 4
  settle "a quarantine while a host is down"
}

# The same for a host that is cut off, and for one without vaild.
row_quarantine_while_cut_off() {
  cut_off 3
  end_program vaild-2 KILL
  set_quarantine 1 quarantine "$STOLEN" --reason stolen
  expect_quarantine "a quarantine holds on the hosts that can know it" "1 4" 'fleet: stolen'
  expect "the host that is cut off does not know it" has_quarantine 3 "$STOLEN" null
  reconnect 3
  start_vaild 2
  register_vm 2 2
  begin
  expect_quarantine "a quarantine holds on all hosts later" "$ALL" 'fleet: stolen'
  set_quarantine 3 release "$STOLEN"
  expect_quarantine "and is lifted on all" "$ALL" null
  settle "a quarantine while a host is cut off"
}
