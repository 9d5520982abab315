#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A driver whose daemon goes and comes back registers its adapter again, and has everything that it
# had: under a real systemd, over a restart and a kill. Where it does not, its adapter ends when it
# has waited.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

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
  while [[ $REPLY != "$2 "* ]] && read -r -u "${SESSION_OUT[$1]}" REPLY; do :; done
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
  expect "$how: it comes back" eventually is_another_and_up
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

# The daemon's next start is that of the tests' own build, with the tests' clock. Its sanitizers find
# no leaks in the unit's sandbox.
has_own_clock() {
  CLOCK=$BOX_ROOT/usr/local/lib/clock
  own_clock
  install -m 755 "$VAILD" "$BOX_ROOT/usr/sbin/vaild"
  override Environment=ASAN_OPTIONS=detect_leaks=0 Environment=VAILD_CLOCK=/usr/local/lib/clock
}

adapters() { ask root "$(gpu ListAdapters)" | field '[.parameters.adapters[].name] | join(",")'; }

# tells NAME WORD: waits for the watch's next event with the word.
tells() {
  while read -r -u "${SESSION_OUT[$1]}" REPLY; do
    [[ $REPLY != *"$2"* ]] || return 0
  done
  return 1
}

does_not_come_back() {
  DAEMON=$(property MainPID)
  has_own_clock
  expect "the daemon is restarted" quietly box systemctl restart vaild.service
  expect "it comes back" eventually is_another_and_up
  session_open watcher root
  session_ask watcher '{"method":"io.vaild.Watch","more":true}'
  expect "it says that an adapter waits" log_has "for $WAIT seconds adapters wait .*: 1"
  expect_equal "which is there" "vaild software adapter,a card" "$(adapters)"
  pass_time $((WAIT - 1))
  expect_equal "and a second before its time is up" "vaild software adapter,a card" "$(adapters)"
  pass_time 1
  expect "and ends when no driver has come" tells watcher '"kind":"adapterRemoved"'
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
