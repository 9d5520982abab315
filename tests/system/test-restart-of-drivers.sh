#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A driver whose daemon goes and comes back registers its adapter again, and has everything that it
# had: under a real systemd, over a restart and a kill. Where it does not, its adapter ends when it
# has waited.

# shellcheck source=tests/system/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/system/box.sh
. "$ROOT/tests/system/box.sh"

GUID=88888888-8888-4888-8888-888888888888
WAIT=30 # LIMIT_DRIVER_WAIT_SECONDS

# What gpu-driver calls the states of its entry: VailTranslationState.
RESERVED=2
SET=3

gpu() { call "io.vaild.Gpu.$1" "{${2-}}"; }

# All that an operator is told of adapters, of what is on them, and of who needs them.
everything() {
  ask root "$(gpu ListAdapters)" "$(gpu ListProcesses)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.Machine.ListVirtualMachines)" \
    "$(gpu DescribeAddressSpace "\"process\":\"$PROCESS\"")" | jq -cS .
}

# value NAME WORD: what the program says behind the word, which is the next that it says of these.
value() {
  REPLY=
  while [[ $REPLY != "$2 "* ]] && read -r -t 10 -u "${SESSION_OUT[$1]}" REPLY; do :; done
  echo "${REPLY#"$2" }"
}

# A process that draws on the driver's adapter, and a VM whose only vGPU is on it, with a viewer.
setting_up() {
  local shared

  box_session drawer vail-alice gpu-process
  box_session driver root gpu-driver "$PID"
  shared=$(value driver shared)
  ADAPTER=$(value driver adapter)
  PROCESS=$(value driver process)
  expect_match "a driver has registered an adapter" '^[0-9a-f]{32}$' "$PROCESS"
  session_ask drawer "$ADAPTER"$'\n'"$shared"
  expect_equal "its process maps where it may" "$PROCESS" "$(value drawer process)"
  box_session vmm vail-vmm share-object "$GUID"
  expect_equal "a VM" STATUS_SUCCESS "$(add_vm "$GUID" "$PID" "$ALICE_CLIENT")"
  expect_equal "with a vGPU on the adapter" STATUS_SUCCESS "$(ask root "$(call \
    io.vaild.Machine.AssignVirtualGpu \
    "{\"virtualMachineGuid\":\"$GUID\",\"adapter\":\"$ADAPTER\"}")" | statuses)"
  box_session viewer vail-alice open-object "$GUID"
  expect_reply "has a registered viewer" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
}

# comes_back HOW COMMAND...
comes_back() {
  local how=$1 before
  shift
  DAEMON=$(property MainPID)
  before=$(everything)
  expect "$how" quietly "$@"
  expect "$how: it comes back" within 20 is_another_and_up
  expect_equal "$how: the adapter and all on it are there" "$before" "$(everything)"
  expect_equal "$how: without its driver nobody is" STATUS_ACCESS_DENIED \
    "$(ask root "$(gpu CreateProcess "\"adapter\":\"$ADAPTER\"")" | statuses)"
  expect_reply "$how: the driver takes it over, and sets its entry again" \
    "STATUS_SUCCESS restored same $RESERVED STATUS_SUCCESS $SET" driver again
  expect_equal "$how: and nothing else has changed" "$before" "$(everything)"
  expect_reply "$how: it has it" "STATUS_OBJECT_NAME_COLLISION new same $SET STATUS_SUCCESS $SET" \
    driver again
  forget_starts
}

adapters() { ask root "$(gpu ListAdapters)" | field '[.parameters.adapters[].name] | join(",")'; }

# tells NAME SECONDS WORD: a watch has an event with the word, before so much time is up.
tells() {
  while read -r -t "$2" -u "${SESSION_OUT[$1]}" REPLY; do
    [[ $REPLY != *"$3"* ]] || return 0
  done
  return 1
}

does_not_come_back() {
  local begin

  DAEMON=$(property MainPID)
  expect "the daemon is restarted" quietly box systemctl restart vaild.service
  expect "it comes back" within 20 is_another_and_up
  begin=$SECONDS
  session_open watcher root
  session_ask watcher '{"method":"io.vaild.Watch","more":true}'
  expect "it says that an adapter waits" log_has "for $WAIT seconds adapters wait .*: 1"
  expect_equal "which is there" "vaild software adapter,a card" "$(adapters)"
  expect "and ends when no driver has come" tells watcher $((WAIT + 5)) '"kind":"adapterRemoved"'
  expect "not before" [ $((SECONDS - begin)) -ge $((WAIT - 2)) ]
  expect_equal "as if its connection had closed" driverGone "$(field .parameters.event.reason <<<"$REPLY")"
  expect_equal "which leaves the others" "vaild software adapter" "$(adapters)"
  expect "that is logged" log_has '^adapterRemoved adapter=a card reason=driverGone'
  expect_equal "and with it what ended; nothing else has" "adapterRemoved unregistered" "$(box \
    journalctl --quiet --no-pager -o cat --unit "$UNIT" |
    grep -oE '^(adapterRemoved|unregistered) ' | sort | xargs)"
  expect_equal "registrations that had no other vGPU are ended" "" "$(registered_pids)"
  session_ask driver again
  expect_match "a driver that comes later begins anew" \
    '^STATUS_SUCCESS new other .* STATUS_INVALID_HANDLE' "$REPLY"
}

trap box_stop EXIT
box_start
box_install
setting_up
comes_back "systemctl restart" box systemctl restart vaild.service
comes_back "SIGKILL" box systemctl kill --signal KILL vaild.service
does_not_come_back
box_log_on_failure
finish
