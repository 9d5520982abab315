#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that the checks of tests/fleet can fail: each finds a made-up lie of a fleet, and accepts what
# is true.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

PREFIX=/fleet/
TTL=5
HISTORY=$PRIVATE/history
HOSTS=(1 2)
declare -A MEMBER PROGRAM RUNS

# shellcheck source=tests/fleet/bounds.sh
. "$ROOT/tests/fleet/bounds.sh"
# shellcheck source=tests/fleet/shown.sh
. "$ROOT/tests/fleet/shown.sh"
# shellcheck source=tests/fleet/history.sh
. "$ROOT/tests/fleet/history.sh"

guid() { echo vm; }

## Made-up histories and replies

# happens KEY VALUE...: adds changes of keys to the history. VALUE is "" for a deletion.
REVISION=0
happens() {
  local type

  while [ $# -gt 0 ]; do
    REVISION=$((REVISION + 1)) type=PUT
    [ -n "$2" ] || type=DELETE
    jq -nc --arg type "$type" --arg key "$PREFIX$1" --arg value "$2" --argjson revision "$REVISION" \
      '{$type, $key, $value, lease: "0", $revision}' >>"$HISTORY"
    shift 2
  done
}

# is_said MILLISECONDS REPLY: a host is asked at that time, and replies at once.
is_said() { echo "{\"observer\":1,\"asked\":$1,\"answered\":$1,\"reply\":$2}" >>"$OBSERVED"; }

# Forgets all. VM begins on host A in revision 2, and host B has claimed it in revision 4.
make_past() {
  : >"$HISTORY"
  : >"$OBSERVED"
  REVISION=0
  happens vms/vm/A '{"state":"running"}' where/vm '{"host":"A"}' "vms/vm/A" "$1" where/vm '{"host":"B"}'
}

# where_is HOST EPOCH [FRESHNESS]: prints a reply.
where_is() { echo "{\"current\":${3:-true},\"virtualMachineGuid\":\"vm\",\"host\":\"$1\",\"hostName\":\"$1\",\"epoch\":$2}"; }

# list_of HOST...: prints a list in which these hosts have the VM.
list_of() {
  jq -nc '{current: true, virtualMachines: [$ARGS.positional[]
    | {virtualMachineGuid: "vm", host: ., hostName: ., where: true}]}' --args "$@"
}

check_moves() {
  local state

  for state in '' '{"state":"incoming"}' '{"state":"ended"}'; do
    make_past "$state"
    expect_equal "a host may claim a VM whose state is '$state' on the other" "" "$(find_moves)"
  done
  make_past '{"state":"running","registrations":1}'
  expect_match "a host may not claim a VM that runs on the other" '^vm moves to B in revision 4' "$(find_moves)"
}

check_lies() {
  make_past ''
  is_said 1 "$(where_is A 2)"
  is_said 2 "$(where_is B 4)"
  is_said 3 "$(list_of A)"
  is_said 4 "$(list_of B)"
  expect_equal "each place may be shown with its epoch" "" "$(find_lies)"
  is_said 5 "$(where_is A 4)"
  expect_equal "not with that of another place" "vm is on A with epoch 4, which names B" "$(find_lies)"
  make_past ''
  is_said 1 "$(where_is A 3)"
  expect_equal "not with an epoch that never was" "vm is on A with epoch 3, which names null" "$(find_lies)"
  make_past ''
  is_said 1 "$(list_of A B)"
  expect_equal "a list may not show two places" 'vm is on ["A","B"]' "$(find_lies)"
  make_past ''
  is_said 1 "$(list_of C)"
  expect_equal "nor a host that never had the VM" "vm is on C, which never had it" "$(find_lies)"
}

check_stale() {
  make_past ''
  is_said 1000 "$(where_is B 4)"
  is_said 7000 "$(where_is A 2)"
  is_said 9000 "$(where_is A 2 false)"
  is_said 9000 "$(list_of B)"
  expect_equal "an earlier place may be shown for a TTL and a second, or as old" "" "$(find_stale)"
  is_said 7001 "$(where_is A 2)"
  expect_equal "not longer as current" "host 1 says that epoch 2 of vm is current, 6001 ms after epoch 4 was shown" "$(find_stale)"
  make_past ''
  is_said 1000 "$(list_of B)"
  is_said 7001 "$(list_of A)"
  expect_equal "nor in a list" "host 1 says that epoch 2 of vm is current, 6001 ms after epoch 4 was shown" "$(find_stale)"
  make_past ''
  happens vms/vm/B '' where/vm '{"host":"A"}'
  is_said 1000 "$(list_of A)"
  is_said 9000 "$(where_is A 2)"
  is_said 9000 "$(where_is B 4)"
  expect_equal "a list may show any time in which that host had the VM" "" "$(find_stale)"
}

## Single replies

# expect_honesty EXPECTED CHECK REPLY [MILLISECONDS]: host 1 has the VM.
expect_honesty() {
  local said=honest

  is_honest "$3" vm 1 "${4:-}" || said=lie
  expect_equal "$2" "$1" "$said"
}

VMS=(vm)

check_honesty() {
  RUNS=([1-vm]=yes)
  expect_honesty honest "a reply may name the host that runs the VM" '{"hostName":"host1","current":true}'
  expect_honesty lie "not another one" '{"hostName":"host2","current":true}'
  expect_honesty honest "an old reply has an age" '{"hostName":"host1","current":false,"age":0}'
  expect_honesty lie "not none" '{"hostName":"host1","current":false}'
  expect_honesty honest "it is older than a change that it does not show" '{"hostName":"host1","current":false,"age":2.5}' 2500
  expect_honesty lie "not younger" '{"hostName":"host1","current":false,"age":2.4}' 2500
  expect_honesty lie "and not current" '{"hostName":"host1","current":true}' 2500
  RUNS=([2-vm]=yes)
  expect_honesty lie "a host that does not run the VM is not shown as if it did" '{"hostName":"host1","current":true}'
  expect_honesty honest "but as one that has gone" '{"hostName":"host1","current":true,"unreachable":0}'
  expect_honesty lie "no reply is no answer" ''
}

## Bounds

# result_of COMMAND...: prints "ok" or "not ok".
result_of() { "$@" | sed -n 's/^\(ok\|not ok\) .*/\1/p'; }

# is_right_from HOST MILLISECONDS: host 2 is right from that time on. The question takes 100 ms.
is_right_from() {
  TIME=$((TIME + 100))
  [ "$1" != 2 ] || [ "$TIME" -gt "$2" ]
}

# The real function is checked first. Then the test has its own time.
check_bounds() {
  MEMBER=([a]=$$)
  expect_match "threads that wait for a CPU are found" "/proc/$$/task/$$/schedstat [0-9]+" "$(read_waits)"
  now() { echo "$TIME"; }
  read_waits() { echo "thread $WAITED"; }
  TIME=0 WAITED=0
  begin
  LATE=1000
  expect_equal "an answer may be wrong until the bound" ok "$(result_of check_bound - 1000)"
  LATE=1001
  expect_equal "not longer" "not ok" "$(result_of check_bound - 1000)"
  WAITED=1000000
  expect_equal "a machine that is late prolongs the bound" ok "$(result_of check_bound - 1000)"
  WAITED=0
  expect_equal "the last wrong answer counts" ok "$(result_of expect_within 1000 - "1 2" is_right_from 1100)"
  expect_equal "on each host" "not ok" "$(result_of expect_within 1000 - "1 2" is_right_from 1200)"
}

check_moves
check_lies
check_stale
check_honesty
check_bounds
finish
