#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Watches and calls of libvail go on over restarts of vaild: while it is restarted and killed under a
# real systemd, and things come and go at random, each event is told once, what was told is in the
# end what there is, and each question is answered.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
COMES_AND_GOES=99999999-9999-4999-8999-999999999999
OTHER=77777777-7777-4777-8777-777777777777
SEED=${SEED:-$RANDOM}
ROUNDS=6
CHANGES=12

## What a watcher knows

# Applies each event to what is known, and says which could not be, since it came twice or without
# the other.
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
    if .known[$key] and $event.kind != "quarantined" # which may be set again, with another reason
    then mistake("\($key) came twice") else . end | .known[$key] = true |
    reduce ($event.sharedObject.holders // [])[] as $holder (.;
      .known["holder \($event.sharedObject.handle) \($holder.pid)"] = true)
  elif $event.kind == "opened" then
    if .known[$key] then mistake("\($key) opened twice") else . end | .known[$key] = true
  elif $event.kind == "released" and (.known[$object] | not) then .
  elif .known[$key] then
    del(.known[$key]) | if $event.kind == "unshared" then
      .known |= with_entries(select(.key | startswith("holder \($event.sharedObject.handle)") | not))
    else . end
  else mistake("\($key): \($event.kind) without having come") end)'

folded() { jq -n "$FOLD" "$PRIVATE/$1"; }
known() { folded "$1" | jq -c '.known | keys'; }

# lists [GUID]: the same from the lists, of all or of one VM.
lists() {
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

# shellcheck disable=SC2317 # it is waited for
knows_all() { [ "$(known "$1")" = "$(lists "${2:-}")" ]; }

# expect_knowledge CHECK WATCHER [GUID]
expect_knowledge() {
  eventually knows_all "$2" "${3:-}" || true
  expect_equal "$1: what it was told is what there is" "$(lists "${3:-}")" "$(known "$2")"
  expect_equal "$1: each once" "[]" "$(folded "$2" | jq -c .mistakes)"
}

## What comes and goes

setting_up() {
  box_session vmm vail-vmm share-object "$GUID"
  expect_equal "a VM" STATUS_SUCCESS "$(add_vm "$GUID" "$PID" "$ALICE_CLIENT")"
  VMM=$PID
  assign_gpu "$GUID" >/dev/null
  box_session viewer vail-alice open-object "$GUID"
  expect_reply "a viewer" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  exec_as root sh -c "vailctl --json watch" >"$PRIVATE/operator" 2>"$PRIVATE/operator.said" &
  exec_as vail-alice vailctl exec "$GUID" -- vailctl --json watch "$GUID" \
    >"$PRIVATE/alice" 2>"$PRIVATE/alice.said" &
  exec_as root vailctl watch >"$PRIVATE/person" 2>"$PRIVATE/person.said" &
  for watcher in operator alice person; do
    expect "the watcher of $watcher" eventually grep -qs current "$PRIVATE/$watcher"
  done
}

# request METHOD PARAMETERS: of root's, on a connection that may end with vaild.
request() { ask root "$(call "$1" "$2")" >"$PRIVATE/answer" 2>/dev/null || true; }

guid_of() { printf '{"virtualMachineGuid":"%s"%s}' "$1" "${2:-}"; }

# One that is not the last, with which all registrations would end.
a_gpu() {
  jq -r '[.parameters.virtualMachines[].virtualGpus[].virtualGpu] | if length > 1 then last else "" end' \
    "$PRIVATE/answer" 2>/dev/null || true
}

# Somebody registers, whose pid is then the last of NEWCOMERS; and the last one exits.
NEWCOMERS=()
COUNT=0
newcomer() {
  COUNT=$((COUNT + 1))
  box_session "newcomer$COUNT" vail-alice open-object "$GUID"
  NEWCOMERS+=("$PID")
  session_ask "newcomer$COUNT" register
}

newcomer_exits() {
  box kill -KILL "${NEWCOMERS[-1]}"
  unset 'NEWCOMERS[-1]'
}

a_boolean() { [ $((RANDOM % 2)) = 0 ] && echo true || echo false; }

shares() {
  session_ask vmm "share read memory"
  read -r _ IS_SHARED _ <<<"$REPLY"
  session_ask viewer "open $IS_SHARED"
}

unshares() {
  session_ask vmm unshare
  IS_SHARED=
}

# One change at random. Whether it was done does not matter: what there is in the end is compared.
IS_SHARED=
change() {
  case $((RANDOM % 8)) in
  0) request io.vaild.Machine.AssignVirtualGpu "$(guid_of "$GUID")" ;;
  1)
    request io.vaild.Machine.ListVirtualMachines '{}'
    request io.vaild.Machine.RemoveVirtualGpu "{\"virtualGpu\":\"$(a_gpu)\"}"
    ;;
  2) request io.vaild.Machine.RegisterVirtualMachine "$(guid_of "$COMES_AND_GOES" ",\"vmmPid\":$VMM")" ;;
  3) request io.vaild.Machine.UnregisterVirtualMachine "$(guid_of "$COMES_AND_GOES")" ;;
  4) request io.vaild.Machine.SetQuarantine "$(guid_of "$OTHER" ",\"quarantined\":$(a_boolean)")" ;;
  5) if [ -n "$IS_SHARED" ]; then unshares; else shares; fi ;;
  6) session_ask viewer close ;;
  7) if [ "${#NEWCOMERS[@]}" -gt 1 ]; then newcomer_exits; else newcomer; fi ;;
  esac
}

## Restarts

# goes_and_comes SIGNAL: while things change, and questions are asked.
goes_and_comes() {
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
  expect "$how: it comes back" eventually is_another_and_up
  expect_equal "$how: each question was answered" 0 "$unanswered"
  forget_starts
}

# Who exits while there is no vaild is told of when there is one again.
exits_meanwhile() {
  local pid

  newcomer
  pid=${NEWCOMERS[-1]}
  expect_knowledge "somebody registers, an operator's watch" operator
  DAEMON=$(property MainPID)
  expect "there is no daemon" quietly box systemctl kill --signal STOP vaild.service
  newcomer_exits
  box kill -KILL "$DAEMON"
  expect "it comes back" eventually is_another_and_up
  expect_knowledge "who has exited meanwhile, an operator's watch" operator
  expect_knowledge "who has exited meanwhile, a viewer's" alice "$GUID"
  for watcher in operator alice; do
    expect_equal "it says why, to $watcher" '["STATUS_SUCCESS","it ended while the connection to vaild was lost"]' \
      "$(jq -c "select(.kind == \"unregistered\" and .registration.pid == $pid) | [.status, .reason]" "$PRIVATE/$watcher")"
  done
  forget_starts
}

echo "# SEED=$SEED"
RANDOM=$SEED
trap box_stop EXIT
box_start
box_install
setting_up
for ((round = 0; round < ROUNDS; round++)); do
  how=$([ $((round % 2)) = 0 ] && echo restart || echo kill)
  goes_and_comes "$how"
  expect_knowledge "$how, an operator's watch" operator
  expect_knowledge "$how, a viewer's" alice "$GUID"
done
exits_meanwhile
ROUNDS=$((ROUNDS + 1))
for watcher in operator alice; do
  expect_equal "the watch of $watcher was interrupted and resumed" "$ROUNDS $ROUNDS" \
    "$(folded $watcher | jq -r '"\(.interrupted) \(.resumed)"')"
done
expect_equal "a person is told so" "$ROUNDS $ROUNDS" \
  "$(grep -c 'has gone' "$PRIVATE/person.said") $(grep -c 'is back' "$PRIVATE/person.said")"
sed 's/^/# /' "$PRIVATE/unanswered"
box_log_on_failure
finish
