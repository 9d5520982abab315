#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that watches and calls of libvail continue when vaild is restarted or killed under a real
# systemd, while entities are created and removed at random. Each event is reported once, the events
# add up to the lists at the end, and every call is answered.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
TEMPORARY=99999999-9999-4999-8999-999999999999
QUARANTINED=77777777-7777-4777-8777-777777777777
SEED=${SEED:-$RANDOM}
ROUNDS=6
CHANGES=12

## The entities that a watcher knows

# Applies each event of a watch to the set of known entities. Records a mistake if an event adds an
# entity that is already known, or removes an unknown one. Also counts the events of the kinds
# resumed and interrupted.
# shellcheck disable=SC2016 # jq's variables
FOLD='
def key: if .kind | test("^(registered|unregistered)$") then
    "registration \(.virtualMachineGuid) \(.registration.pid)"
  elif .kind | test("^virtualGpu") then "gpu \(.virtualGpu)"
  elif .kind | test("^virtualMachine") then "machine \(.virtualMachineGuid)"
  elif .kind | test("^adapter") then "adapter \(.adapter)"
  elif .kind | test("^quarantine") then "quarantine \(.virtualMachineGuid)"
  elif .kind | test("^(shared|unshared)$") then "object \(.sharedObject.handle)"
  else "holder \(.sharedObject.handle) \(.holder.pid)" end;
def mistake($why): .mistakes += [$why];
reduce inputs as $event ({ known: {}, mistakes: [], resumed: 0, interrupted: 0 };
  ($event | key) as $key | "object \($event.sharedObject.handle)" as $object |
  if $event.kind | test("^(current|updated|virtualMachineChanged|gpuProcessRemoved)$") then .
  elif $event.kind | test("^(resumed|interrupted)$") then .[$event.kind] += 1
  elif $event.kind | test("^(registered|shared|virtualMachineAdded|virtualGpuAssigned|adapterAdded|quarantined)$") then
    # A quarantine may be set again, with another reason.
    if .known[$key] and $event.kind != "quarantined"
    then mistake("\($key) was added twice") else . end | .known[$key] = true |
    reduce ($event.sharedObject.holders // [])[] as $holder (.;
      .known["holder \($event.sharedObject.handle) \($holder.pid)"] = true)
  elif $event.kind == "opened" then
    if .known[$key] then mistake("\($key) was opened twice") else . end | .known[$key] = true
  elif $event.kind == "released" and (.known[$object] | not) then .
  elif .known[$key] then
    del(.known[$key]) | if $event.kind == "unshared" then
      .known |= with_entries(select(.key | startswith("holder \($event.sharedObject.handle)") | not))
    else . end
  else mistake("\($key): \($event.kind) without having been added") end)'

# folded WATCHER: prints the result of FOLD for the events of this watcher.
folded() { jq -n "$FOLD" "$PRIVATE/$1"; }
# known WATCHER: prints the names of the known entities as a JSON array.
known() { folded "$1" | jq -c '.known | keys'; }

# listed [GUID]: prints the same array according to the daemon's lists, of all VMs or of one.
listed() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListAdapters)" \
    "$(call io.vaild.Machine.ListQuarantines)" | jq -sc --arg guid "${1:-}" '
    [ .[].parameters |
      ((.virtualMachines // [])[] | select($guid == "" or .virtualMachineGuid == $guid) |
        "machine \(.virtualMachineGuid)", (.virtualGpus[] | "gpu \(.virtualGpu)")),
      ((.registrations // [])[] | select($guid == "" or .virtualMachineGuid == $guid) |
        "registration \(.virtualMachineGuid) \(.pid)"),
      ((.sharedObjects // [])[] | select($guid == "" or .virtualMachineGuid == $guid) |
        .handle as $handle | "object \($handle)", (.holders[] | "holder \($handle) \(.pid)")),
      (select($guid == "") | (.adapters // [])[] | "adapter \(.adapter)"),
      (select($guid == "") | (.quarantines // [])[] | "quarantine \(.virtualMachineGuid)")
    ] | sort'
}

# shellcheck disable=SC2317 # called by eventually
knows_all() { [ "$(known "$1")" = "$(listed "${2:-}")" ]; }

# expect_knowledge CHECK WATCHER [GUID]: waits until the watcher knows all entities, of all VMs or
# of one. CHECK is the prefix of the check names.
expect_knowledge() {
  eventually knows_all "$2" "${3:-}" || true
  expect_equal "$1: the reported entities are the listed ones" "$(listed "${3:-}")" "$(known "$2")"
  expect_equal "$1: each entity is added and removed once" "[]" "$(folded "$2" | jq -c .mistakes)"
}

## Random changes

# Starts a VM with a viewer, and three watchers: an operator and vail-alice with JSON output, and an
# operator with text output. Sets VMM to the VMM's pid.
set_up() {
  box_session vmm vail-vmm share-object "$GUID"
  expect_equal "the VM is registered" STATUS_SUCCESS "$(add_vm "$GUID" "$PID" "$ALICE_CLIENT")"
  VMM=$PID
  assign_gpu "$GUID" >/dev/null
  box_session viewer vail-alice open-object "$GUID"
  expect_reply "a viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  exec_as root sh -c "vailctl --json watch" >"$PRIVATE/operator" 2>"$PRIVATE/operator.said" &
  exec_as vail-alice vailctl exec "$GUID" -- vailctl --json watch "$GUID" \
    >"$PRIVATE/alice" 2>"$PRIVATE/alice.said" &
  exec_as root vailctl watch >"$PRIVATE/text" 2>"$PRIVATE/text.said" &
  for watcher in operator alice text; do
    expect "the $watcher watch reports the existing entities" \
      eventually grep -qsE '"current"|current state' "$PRIVATE/$watcher"
  done
}

# request METHOD PARAMETERS: sends a request as root, and writes the reply to the file answer. The
# connection may end without a reply when vaild ends.
request() { ask root "$(call "$1" "$2")" >"$PRIVATE/answer" 2>/dev/null || true; }

# guid_of GUID [MEMBERS]: prints the parameters with this GUID and further members.
guid_of() { printf '{"virtualMachineGuid":"%s"%s}' "$1" "${2:-}"; }

# Prints a vGPU from the list in the file answer, or "" if there is only one. The registrations
# would end with the last vGPU.
removable_gpu() {
  jq -r '[.parameters.virtualMachines[].virtualGpus[].virtualGpu] | if length > 1 then last else "" end' \
    "$PRIVATE/answer" 2>/dev/null || true
}

# Starts and registers another process, and appends its pid to NEWCOMERS.
NEWCOMERS=()
COUNT=0
add_newcomer() {
  COUNT=$((COUNT + 1))
  box_session "newcomer$COUNT" vail-alice open-object "$GUID"
  NEWCOMERS+=("$PID")
  session_ask "newcomer$COUNT" register
}

kill_newcomer() {
  box kill -KILL "${NEWCOMERS[-1]}"
  unset 'NEWCOMERS[-1]'
}

random_boolean() { [ $((RANDOM % 2)) = 0 ] && echo true || echo false; }

share() {
  session_ask vmm "share read memory"
  read -r _ SHARED _ <<<"$REPLY"
  session_ask viewer "open $SHARED"
}

unshare() {
  session_ask vmm unshare
  SHARED=
}

# Makes one random change. It may fail, because only the lists and the events are compared.
SHARED= # the handle of the shared object
change() {
  case $((RANDOM % 8)) in
  0) request io.vaild.Machine.AssignVirtualGpu "$(guid_of "$GUID")" ;;
  1)
    request io.vaild.Machine.ListVirtualMachines '{}'
    request io.vaild.Machine.RemoveVirtualGpu "{\"virtualGpu\":\"$(removable_gpu)\"}"
    ;;
  2) request io.vaild.Machine.RegisterVirtualMachine "$(guid_of "$TEMPORARY" ",\"vmmPid\":$VMM")" ;;
  3) request io.vaild.Machine.UnregisterVirtualMachine "$(guid_of "$TEMPORARY")" ;;
  4)
    request io.vaild.Machine.SetQuarantine \
      "$(guid_of "$QUARANTINED" ",\"quarantined\":$(random_boolean)")"
    ;;
  5) if [ -n "$SHARED" ]; then unshare; else share; fi ;;
  6) session_ask viewer close ;;
  7) if [ "${#NEWCOMERS[@]}" -gt 1 ]; then kill_newcomer; else add_newcomer; fi ;;
  esac
}

## Restarts

# restart_during_changes restart|kill: restarts or kills the daemon, and meanwhile makes changes and
# calls.
restart_during_changes() {
  local how=$1 i unanswered=0

  DAEMON=$(property MainPID)
  if [ "$how" = restart ]; then
    box systemctl restart --no-block vaild.service
  else
    box kill -KILL "$DAEMON"
  fi
  for ((i = 0; i < CHANGES; i++)); do
    change
    box vailctl --json objects >/dev/null 2>>"$PRIVATE/unanswered" || unanswered=$((unanswered + 1))
  done
  expect "$how: the daemon starts again" eventually has_restarted
  expect_equal "$how: every call is answered" 0 "$unanswered"
  reset_start_limits
}

# Kills a registered process while the daemon is stopped, then kills the daemon.
check_exit_during_restart() {
  local pid

  add_newcomer
  pid=${NEWCOMERS[-1]}
  expect_knowledge "before the restart, watch of an operator" operator
  DAEMON=$(property MainPID)
  expect "exit during a restart: the daemon is stopped" \
    quietly box systemctl kill --signal STOP vaild.service
  kill_newcomer
  box kill -KILL "$DAEMON"
  expect "exit during a restart: the daemon starts again" eventually has_restarted
  expect_knowledge "exit during a restart, watch of an operator" operator
  expect_knowledge "exit during a restart, watch of vail-alice" alice "$GUID"
  for watcher in operator alice; do
    expect_equal "exit during a restart: the $watcher watch reports the reason" \
      '["STATUS_SUCCESS","it ended while the connection to vaild was lost"]' \
      "$(jq -c "select(.kind == \"unregistered\" and .registration.pid == $pid) | [.status, .reason]" "$PRIVATE/$watcher")"
  done
  reset_start_limits
}

echo "# SEED=$SEED"
RANDOM=$SEED
trap box_stop EXIT
box_start
box_install
set_up
for ((round = 0; round < ROUNDS; round++)); do
  how=$([ $((round % 2)) = 0 ] && echo restart || echo kill)
  restart_during_changes "$how"
  expect_knowledge "$how, watch of an operator" operator
  expect_knowledge "$how, watch of vail-alice" alice "$GUID"
done
check_exit_during_restart
ROUNDS=$((ROUNDS + 1))
for watcher in operator alice; do
  expect_equal "the $watcher watch reports each interruption and resumption" "$ROUNDS $ROUNDS" \
    "$(folded $watcher | jq -r '"\(.interrupted) \(.resumed)"')"
done
expect_equal "the text watch reports each interruption and resumption" "$ROUNDS $ROUNDS" \
  "$(grep -c 'has gone' "$PRIVATE/text.said") $(grep -c 'is back' "$PRIVATE/text.said")"
sed 's/^/# /' "$PRIVATE/unanswered"
box_log_on_failure
finish
