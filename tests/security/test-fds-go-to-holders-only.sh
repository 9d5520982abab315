#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon sends the fds of a shared object only to a process that is registered for its VM and
# has the privileges of a display client at that moment. Processes of several users report which
# fds the kernel delivered to them. Each kind of caller without access comes first; after that,
# share-at-random takes thousands of random steps.
#
#   test-fds-go-to-holders-only.sh [SEED [STEPS]]

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeee1
OTHER=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeee2
ROOTS=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeee3

# command_actors WORD...: sends a command to the program actors. Sets REPLY to its answer.
command_actors() { session_ask actors "$*"; }

declare -A PID

# start_actor NAME USER: sets PID[NAME].
start_actor() {
  command_actors start "$1" "$2"
  PID[$1]=$REPLY
}

# start_vm GUID DISPLAY-CLIENT: registers a VM with a vGPU. Its VMM is an actor named after the
# GUID's last digit, for example vmm-1.
start_vm() {
  start_actor "vmm-${1: -1}" vail-vmm
  expect_equal "VM ${1: -1} is registered" STATUS_SUCCESS "$(add_vm "$1" "$REPLY" "$2")"
  assign_gpu "$1" >/dev/null
}

# share_object GUID: makes the VMM share an object. Sets HANDLE to its handle and INODE to the inode
# of its memory.
share_object() {
  local status

  command_actors share "vmm-${1: -1}" "$1"
  read -r status HANDLE INODE <<<"$REPLY"
  expect_equal "VM ${1: -1} shares an object" STATUS_SUCCESS "$status"
}

# expect_registered NAME GUID: registers an actor for a VM.
expect_registered() {
  command_actors ask "$1" "$CONTEXT"
  command_actors ask "$1" "$(register "$2")"
  expect_equal "$1 registers for VM ${2: -1}" "STATUS_SUCCESS 0 0" "$REPLY"
}

open_object() { command_actors ask "$1" "$(call io.vaild.OpenSharedObject "{\"handle\":\"$HANDLE\"}")"; }

# expect_opened NAME: checks that the actor receives one fd of the object's memory. Where the same
# call is refused later, this shows that nothing else is wrong with it.
expect_opened() {
  open_object "$1"
  expect_equal "$1 opens the object and receives its memory" "STATUS_SUCCESS 1 1 $INODE" "$REPLY"
}

# expect_refused NAME CHECK REASON GUID USER [OPEN]: checks that the actor receives no fd, that it
# has OPEN fds of earlier calls (0 if left out), and that the audit log has the denied call with the
# reason.
expect_refused() {
  open_object "$1"
  expect_equal "$2: no fd is received" "STATUS_ACCESS_DENIED 0 ${6:-0}" "$REPLY"
  expect_equal "$2: the refusal is in the audit log" 1 \
    "$(grep -c "denied io.vaild.OpenSharedObject vm=$4 object=$HANDLE pid=${PID[$1]} \
uid=$(id -u "$5") .* status=STATUS_ACCESS_DENIED reason=$3\$" "$LOG")"
}

test_not_registered() {
  start_actor stranger vail-alice
  expect_refused stranger "a process that is not registered" notRegistered "$GUID" vail-alice
  start_actor root root
  expect_refused root "a process of root that is not registered" notRegistered "$GUID" root
  expect_refused vmm-1 "the VMM that shared the object" notRegistered "$GUID" vail-vmm
}

test_registered_for_another_vm() {
  start_actor neighbour vail-alice
  expect_registered neighbour "$OTHER"
  expect_refused neighbour "a process registered for another VM" notRegistered "$GUID" vail-alice
  start_actor bob vail-bob
  expect_registered bob "$OTHER"
  expect_refused bob "another user's process registered for another VM" notRegistered "$GUID" \
    vail-bob
  expect_refused vmm-2 "another VM's VMM" notRegistered "$GUID" vail-vmm
}

# A handle grants no access: others who learn it from a holder are refused.
test_handle_passed_on() {
  start_actor holder vail-alice
  expect_registered holder "$GUID"
  expect_opened holder
  start_actor second vail-alice
  expect_refused second "a handle passed to a process of the same user" notRegistered "$GUID" \
    vail-alice
  start_actor third vail-bob
  expect_refused third "a handle passed to another user" notRegistered "$GUID" vail-bob
  command_actors ask second "$(call io.vaild.CloseSharedObject "{\"handle\":\"$HANDLE\"}")"
  expect_equal "a process that does not hold the object cannot close it" \
    "STATUS_ACCESS_DENIED 0 0" "$REPLY"
}

# expect_connection_refused NAME CHECK [OPEN]: the actor opens the object on the holder's
# connection. Checks that it receives no fd, that it has OPEN fds of earlier calls (0 if left out),
# and that the audit log has one more foreign call.
expect_connection_refused() {
  local before

  before=$(count_foreign_calls)
  command_actors lend holder "$1"
  open_object "$1"
  expect_equal "$2: no fd is received" "STATUS_ACCESS_DENIED 0 ${3:-0}" "$REPLY"
  expect_equal "$2: the refusal is in the audit log" $((before + 1)) "$(count_foreign_calls)"
}

# Prints the number of audit records about calls that others sent on the holder's connection.
count_foreign_calls() {
  grep -c "denied io.vaild.OpenSharedObject vm=- pid=${PID[holder]} uid=$ALICE .* reason=foreign\$" "$LOG" || true
}

test_connection_passed_on() {
  start_actor twin vail-alice
  expect_registered twin "$GUID"
  expect_opened twin
  expect_connection_refused second "a connection passed to a process of the same user"
  expect_connection_refused third "a connection passed to another user"
  expect_connection_refused twin "a connection passed to a process that is registered itself" 1
  open_object holder
  expect_equal "the holder is still served on its connection" "STATUS_SUCCESS 1 2 $INODE" "$REPLY"
}

# The display client of this VM is root, because the actor must be able to change its groups.
test_changed_groups() {
  start_actor client root
  start_vm "$ROOTS" "{\"pid\":${PID[client]}}"
  share_object "$ROOTS"
  start_actor changing root
  expect_registered changing "$ROOTS"
  expect_opened changing
  command_actors groups changing 0 47010
  expect_refused changing "a process that changed its groups" groups "$ROOTS" root 1
  expect "a process that changed its groups: its registration has ended" grep -q \
    "unregistered vm=$ROOTS pid=${PID[changing]} uid=0 reason=privilegesChanged" "$LOG"
  expect_equal "a process that changed its groups: it is no longer listed" "" \
    "$(registered_pids | grep -w "${PID[changing]}")"
  command_actors groups changing 0
  expect_refused changing "a process that restored its groups" notRegistered "$ROOTS" root 1
}

# test_at_random SEED STEPS
test_at_random() {
  local status=0 output

  output=$("$HELPERS/share-at-random" "$SOCKET" "$DAEMON" "$1" "$2" 2>&1) || status=$?
  if [ "$status" -eq 0 ]; then
    ok "random steps agree with the model: $output"
  else
    not_ok "random steps agree with the model (seed $1)" "$output"
  fi
}

start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
BEFORE=$(idle_descriptors)
session_open_with actors root "$HELPERS/actors" "$SOCKET"
start_vm "$GUID" "$ALICE_CLIENT"
start_vm "$OTHER" "$ALICE_CLIENT,{\"user\":\"vail-bob\"}"
share_object "$GUID"
test_not_registered
test_registered_for_another_vm
test_handle_passed_on
test_connection_passed_on
test_changed_groups
session_kill actors
expect "the daemon has closed all fds of the actors" eventually open_fds_are "$BEFORE"
test_at_random "${1:-20261121}" "${2:-5000}"
expect "the daemon has closed all fds of the random steps" eventually open_fds_are "$BEFORE"
expect_clean_stop
finish
