#!/bin/bash
# SPDX-License-Identifier: MIT
#
# GPU address spaces on the real daemon: through socat, libvail and vailctl, with a driver inside the
# daemon and one that is another process, which is killed.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

gpu() { call "io.vaild.Gpu.$1" "{$2}"; }

vailctl_as() {
  local user=$1
  shift
  run_as "$user" "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"
}

# process_of NAME: the handle that the answer to CreateContext named.
process_of() { field .parameters.process <<<"$REPLY"; }

# started NAME: the program has said that much.
said() { grep -q "$2" "$PRIVATE/$1.said"; }

# The value of a line "WORD VALUE" that a program has printed.
value() { sed -n "s/^$2 //p" "$PRIVATE/$1.said"; }

# The software adapter's driver reserves what the configuration lists, for each process.
by_hand() {
  local process

  session_open alice vail-alice
  session_ask alice "$CONTEXT"
  process=$(process_of)
  session_ask alice "$(gpu DescribeAddressSpace "\"process\":\"$process\"")"
  expect_equal "the driver has reserved what the configuration lists" \
    "rootEntryZero 0x0, driverReservation 0x8000000000, driverReservation 0x10000000000" \
    "$(field '[.parameters.ranges[] | "\(.kind) \(.startVirtualAddress)"] | join(", ")' <<<"$REPLY")"
  session_ask alice "$(gpu MapGpuVirtualAddress \
    "\"process\":\"$process\",\"sizeInBytes\":65536,\"protection\":\"read\",\"allocation\":7")"
  expect_equal "a mapping goes behind them" 0x8000400000 "$(field .parameters.virtualAddress <<<"$REPLY")"
  session_ask alice "$(gpu TranslateGpuVirtualAddress \
    "\"process\":\"$process\",\"virtualAddress\":\"0x8000401234\"")"
  expect_equal "and is translated" "mapped 7 4660" \
    "$(field '.parameters | "\(.state) \(.allocation) \(.offsetInBytes)"' <<<"$REPLY")"
  session_status alice "$(gpu FreeGpuVirtualAddress \
    "\"process\":\"$process\",\"baseAddress\":\"0x8000000000\",\"sizeInBytes\":4096")"
  expect_equal "what is the driver's cannot be freed" STATUS_INVALID_PARAMETER "$STATUS"
  session_status alice "$(gpu ReserveGpuVirtualAddressRange \
    "\"process\":\"$process\",\"sizeInBytes\":2097152")"
  expect_equal "nor reserved by a process" STATUS_ACCESS_DENIED "$STATUS"
  expect_equal "nobody else maps there" STATUS_ACCESS_DENIED "$(ask vail-bob "$(gpu MapGpuVirtualAddress \
    "\"process\":\"$process\",\"sizeInBytes\":4096,\"protection\":\"zero\"")" | statuses)"
  expect_equal "nor looks at it" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(gpu DescribeAddressSpace "\"process\":\"$process\"")" | statuses)"
  expect_match "vailctl draws it" "root at 0x0 .*ADDRESS +SIZE.*0x8000400000 +64 KiB +mapping" \
    "$(vailctl_as root gpu map "$process")"
  expect_match "not for everybody" "STATUS_ACCESS_DENIED" \
    "$(vailctl_as vail-bob gpu map "$process" 2>&1 || true)"
  session_kill alice
  expect "it goes with its process" eventually process_is_gone "$process"
}

process_is_gone() {
  [ "$(ask root "$(gpu DescribeAddressSpace "\"process\":\"$1\"")" | statuses)" = STATUS_INVALID_HANDLE ]
}

# start_program NAME USER COMMAND...: stdin is a pipe that stays open as NAME_in.
start_program() {
  local name=$1 user=$2 in
  shift 2
  mkfifo "$PRIVATE/$name.in"
  : >"$PRIVATE/$name.said"
  exec_as "$user" "$@" <"$PRIVATE/$name.in" >"$PRIVATE/$name.said" 2>&1 &
  PROGRAM=$!
  exec {in}>"$PRIVATE/$name.in"
  INPUT[$name]=$in
}

declare -A INPUT

by_libvail() {
  start_program software vail-alice "$HELPERS/gpu-process" "$SOCKET"
  printf '%s\n' - - >&"${INPUT[software]}"
  expect "a process uses its address space through libvail" eventually said software '^process '
  expect_equal "each call has its status" \
    "open STATUS_SUCCESS,CreateContext STATUS_SUCCESS,Reserve STATUS_SUCCESS,Map STATUS_SUCCESS,MapAgain STATUS_CONFLICTING_ADDRESSES,Translate STATUS_SUCCESS,allocation 7 offset 4096,Free STATUS_SUCCESS,FreeAgain STATUS_INVALID_PARAMETER" \
    "$(sed '/^process /d' "$PRIVATE/software.said" | paste -sd,)"
  expect_match "vailctl lists it, and the software adapter's own" \
    "vaild software adapter +running +$PROGRAM.*" "$(vailctl_as root gpu processes)"
  expect_equal "to its user it is the only one" 1 "$(vailctl_as vail-bob --json gpu processes |
    jq '.processes | length + 1')"
  kill_hard "$PROGRAM"
}

a_driver_of_its_own() {
  local adapter process viewer driver input

  start_program viewer vail-alice "$HELPERS/gpu-process" "$SOCKET"
  viewer=$PROGRAM
  start_program card root "$HELPERS/gpu-driver" "$SOCKET" "$viewer"
  driver=$PROGRAM
  expect "a driver registers an adapter through libvail" eventually said card '^process '
  expect_equal "too late is too late" STATUS_INVALID_DEVICE_STATE "$(value card ReserveLate)"
  expect_equal "its entry is invalid when its table is resident again" 2 "$(value card state)"
  adapter=$(value card adapter) process=$(value card process)
  printf '%s\n' "$adapter" "$(value card shared)" >&"${INPUT[viewer]}"
  expect "the process that it is for uses it" eventually said viewer "^process $process\$"
  expect_equal "and maps where the driver lets it" "STATUS_SUCCESS STATUS_CONFLICTING_ADDRESSES" \
    "$(value viewer Map) $(value viewer MapAgain)"
  expect_match "vailctl lists the adapter" "a card .*client" "$(vailctl_as vail-bob gpu adapters)"
  expect_match "and the process" "a card +running +$viewer +viewer" "$(vailctl_as root gpu processes)"
  expect_equal "nobody can register on its name" STATUS_OBJECT_NAME_COLLISION "$(ask vail-carol \
    "$(gpu RegisterAdapter '"name":"a card","virtualAddressBitCount":32,"pageTableIndexBitCount":[10,10]')" | statuses)"
  expect_equal "nor an ordinary user at all" STATUS_ACCESS_DENIED "$(ask vail-bob \
    "$(gpu RegisterAdapter '"name":"b","virtualAddressBitCount":32,"pageTableIndexBitCount":[10,10]')" | statuses)"
  kill_hard "$driver"
  expect "the adapter goes with its driver" eventually adapter_is_gone "$adapter"
  expect "and that is logged" eventually grep -q 'adapterRemoved adapter=a card reason=driverGone' "$LOG"
  input=${INPUT[viewer]}
  exec {input}>&-
  expect "and what was on it" eventually said viewer '^Late STATUS_INVALID_HANDLE'
}

adapter_is_gone() {
  ! ask root "$(gpu ListAdapters '')" | grep -q "$1"
}

cat >"$CONFIG/vaild.json" <<'JSON'
{ "softwareAdapter": {
    "reservations": [
      { "sizeInBytes": 4194304 },
      { "sizeInBytes": 2097152, "baseAddress": "0x10000000000", "allowUserModeMapping": true } ],
    "systemReservations": [ { "sizeInBytes": 2097152 } ] } }
JSON
start_daemon
by_hand
by_libvail
a_driver_of_its_own
expect_clean_stop
finish
