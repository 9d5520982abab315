#!/bin/bash
# SPDX-License-Identifier: MIT
#
# GPU address spaces of the real daemon, used through socat, libvail and vailctl: of the software
# adapter, whose driver is part of the daemon, and of an adapter whose driver is a separate process
# that is killed in the end.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# gpu METHOD PARAMETERS: prints a request to io.vaild.Gpu. PARAMETERS are the members of an object.
gpu() { call "io.vaild.Gpu.$1" "{$2}"; }

# vailctl_as USER ARGUMENT...: runs vailctl as USER.
vailctl_as() {
  local user=$1
  shift
  run_as "$user" "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"
}

# Prints the handle of the GPU process in REPLY, which is the reply to CreateContext.
process_handle() { field .parameters.process <<<"$REPLY"; }

# has_printed NAME PATTERN: tests whether a line of the program's output matches PATTERN.
has_printed() { grep -q "$2" "$PRIVATE/$1.output"; }

# value NAME WORD: prints VALUE of the line "WORD VALUE" in the program's output.
value() { sed -n "s/^$2 //p" "$PRIVATE/$1.output"; }

# Uses an address space of the software adapter through socat. The adapter's driver reserves the
# ranges of the configuration in each address space.
test_with_socat() {
  local process

  session_open alice vail-alice
  session_ask alice "$CONTEXT"
  process=$(process_handle)
  session_ask alice "$(gpu DescribeAddressSpace "\"process\":\"$process\"")"
  expect_equal "the software driver has reserved the ranges in the configuration" \
    "rootEntryZero 0x0, driverReservation 0x8000000000, driverReservation 0x10000000000" \
    "$(field '[.parameters.ranges[] | "\(.kind) \(.startVirtualAddress)"] | join(", ")' <<<"$REPLY")"
  session_ask alice "$(gpu MapGpuVirtualAddress \
    "\"process\":\"$process\",\"sizeInBytes\":65536,\"protection\":\"read\",\"allocation\":7")"
  expect_equal "a mapping is placed after the reserved ranges" 0x8000400000 \
    "$(field .parameters.virtualAddress <<<"$REPLY")"
  session_ask alice "$(gpu TranslateGpuVirtualAddress \
    "\"process\":\"$process\",\"virtualAddress\":\"0x8000401234\"")"
  expect_equal "an address in the mapping is translated" "mapped 7 4660" \
    "$(field '.parameters | "\(.state) \(.allocation) \(.offsetInBytes)"' <<<"$REPLY")"
  session_status alice "$(gpu FreeGpuVirtualAddress \
    "\"process\":\"$process\",\"baseAddress\":\"0x8000000000\",\"sizeInBytes\":4096")"
  expect_equal "a process cannot free the driver's range" STATUS_INVALID_PARAMETER "$STATUS"
  session_status alice "$(gpu ReserveGpuVirtualAddressRange \
    "\"process\":\"$process\",\"sizeInBytes\":2097152")"
  expect_equal "only the driver of an adapter can reserve driver ranges" STATUS_ACCESS_DENIED \
    "$STATUS"
  expect_equal "another user cannot map in the address space" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(gpu MapGpuVirtualAddress \
    "\"process\":\"$process\",\"sizeInBytes\":4096,\"protection\":\"zero\"")" | statuses)"
  expect_equal "another user cannot list the address space" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(gpu DescribeAddressSpace "\"process\":\"$process\"")" | statuses)"
  expect_match "vailctl draws the address space for root" \
    "root at 0x0 .*ADDRESS +SIZE.*0x8000400000 +64 KiB +mapping" \
    "$(vailctl_as root gpu map "$process")"
  expect_match "vailctl does not draw it for another user" "STATUS_ACCESS_DENIED" \
    "$(vailctl_as vail-bob gpu map "$process" 2>&1 || true)"
  session_kill alice
  expect "the address space ends with its process" eventually process_is_gone "$process"
}

# process_is_gone HANDLE: tests whether the GPU process does not exist any more.
process_is_gone() {
  [ "$(ask root "$(gpu DescribeAddressSpace "\"process\":\"$1\"")" | statuses)" = STATUS_INVALID_HANDLE ]
}

# start_program NAME USER COMMAND...: starts a program as USER. Sets PROGRAM to its pid and
# INPUT[NAME] to an fd for its stdin. Its output is in the file NAME.output.
start_program() {
  local name=$1 user=$2 in
  shift 2
  mkfifo "$PRIVATE/$name.in"
  : >"$PRIVATE/$name.output"
  exec_as "$user" "$@" <"$PRIVATE/$name.in" >"$PRIVATE/$name.output" 2>&1 &
  PROGRAM=$!
  exec {in}>"$PRIVATE/$name.in"
  INPUT[$name]=$in
}

declare -A INPUT

# Uses an address space of the software adapter through libvail.
test_with_libvail() {
  start_program software vail-alice "$HELPERS/gpu-process" "$SOCKET"
  printf '%s\n' - - >&"${INPUT[software]}"
  expect "a process can use its address space through libvail" \
    eventually has_printed software '^process '
  expect_equal "each call through libvail returns its status" \
    "open STATUS_SUCCESS,CreateContext STATUS_SUCCESS,Reserve STATUS_SUCCESS,Map STATUS_SUCCESS,MapAgain STATUS_CONFLICTING_ADDRESSES,Translate STATUS_SUCCESS,allocation 7 offset 4096,Free STATUS_SUCCESS,FreeAgain STATUS_INVALID_PARAMETER" \
    "$(sed '/^process /d' "$PRIVATE/software.output" | paste -sd,)"
  expect_match "vailctl lists the process and its adapter for root" \
    "vaild software adapter +running +$PROGRAM.*" "$(vailctl_as root gpu processes)"
  expect_equal "vailctl lists no process of another user" 1 \
    "$(vailctl_as vail-bob --json gpu processes | jq '.processes | length + 1')"
  kill_and_wait "$PROGRAM"
}

# Registers an adapter with a driver that is a separate process, uses it and kills the driver.
test_with_driver_process() {
  local adapter process viewer driver input

  start_program viewer vail-alice "$HELPERS/gpu-process" "$SOCKET"
  viewer=$PROGRAM
  start_program card root "$HELPERS/gpu-driver" "$SOCKET" "$viewer"
  driver=$PROGRAM
  expect "a driver can register an adapter through libvail" eventually has_printed card '^process '
  expect_equal "a driver cannot reserve ranges after it has completed the process" \
    STATUS_INVALID_DEVICE_STATE "$(value card ReserveLate)"
  expect_equal "an entry is invalid after its page table was evicted and made resident" \
    2 "$(value card state)"
  adapter=$(value card adapter) process=$(value card process)
  printf '%s\n' "$adapter" "$(value card shared)" >&"${INPUT[viewer]}"
  expect "the process of the driver's GPU process can use the adapter" \
    eventually has_printed viewer "^process $process\$"
  expect_equal "the process can map in the range that the driver shares" \
    "STATUS_SUCCESS STATUS_CONFLICTING_ADDRESSES" \
    "$(value viewer Map) $(value viewer MapAgain)"
  expect_match "vailctl lists the adapter for every user" "a card .*client" \
    "$(vailctl_as vail-bob gpu adapters)"
  expect_match "vailctl lists the driver's GPU process for root" \
    "a card +running +$viewer +viewer" "$(vailctl_as root gpu processes)"
  expect_equal "a second adapter with the same name is refused" STATUS_OBJECT_NAME_COLLISION \
    "$(ask vail-carol "$(gpu RegisterAdapter \
      '"name":"a card","virtualAddressBitCount":32,"pageTableIndexBitCount":[10,10]')" | statuses)"
  expect_equal "an adapter of a user who is not an operator is refused" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(gpu RegisterAdapter \
      '"name":"b","virtualAddressBitCount":32,"pageTableIndexBitCount":[10,10]')" | statuses)"
  kill_and_wait "$driver"
  expect "the adapter ends with its driver" eventually adapter_is_gone "$adapter"
  expect "the end of the adapter is logged" \
    eventually grep -q 'adapterRemoved adapter=a card reason=driverGone' "$LOG"
  input=${INPUT[viewer]}
  exec {input}>&-
  expect "the GPU process on the adapter ends with the driver" \
    eventually has_printed viewer '^Late STATUS_INVALID_HANDLE'
}

# adapter_is_gone HANDLE: tests whether the adapter is not listed any more.
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
test_with_socat
test_with_libvail
test_with_driver_process
expect_clean_stop
finish
