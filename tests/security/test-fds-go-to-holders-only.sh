#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A descriptor of a shared object goes to nobody but a process that is registered for its VM and has
# a display client's privileges then: real processes of several users, which say themselves what the
# kernel brought them. First each who may not have it, then thousands of steps at random:
#
#   test-descriptors-go-to-holders-alone.sh [SEED [STEPS]]

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeee1
OTHER=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeee2
ROOTS=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeee3

# order WORD...: to the actors; what they answer is in REPLY.
order() { session_ask actors "$*"; }

declare -A PID

# actor NAME USER
actor() {
  order start "$1" "$2"
  PID[$1]=$REPLY
}

# vm GUID DISPLAY-CLIENT: its VMM is an actor that is called as the GUID ends, like vmm-1.
vm() {
  actor "vmm-${1: -1}" vail-vmm
  expect_equal "the VM ${1: -1}" STATUS_SUCCESS "$(add_vm "$1" "$REPLY" "$2")"
  assign_gpu "$1" >/dev/null
}

# share GUID: its object is in HANDLE, what the kernel calls its memory in INODE.
share() {
  local status

  order share "vmm-${1: -1}" "$1"
  read -r status HANDLE INODE <<<"$REPLY"
  expect_equal "the VM ${1: -1} shares" STATUS_SUCCESS "$status"
}

registers() {
  order ask "$1" "$CONTEXT"
  order ask "$1" "$(register "$2")"
  expect_equal "$1 registers for the VM ${2: -1}" "STATUS_SUCCESS 0 0" "$REPLY"
}

open_it() { order ask "$1" "$(call io.vaild.OpenSharedObject "{\"handle\":\"$HANDLE\"}")"; }

# opens NAME: and has one descriptor more than before, of that very memory. For who is refused the
# next time, this shows that it is not for nothing.
opens() {
  open_it "$1"
  expect_equal "$1 opens it, and has its memory" "STATUS_SUCCESS 1 1 $INODE" "$REPLY"
}

# refused NAME CHECK REASON GUID USER [HAS]: no descriptor arrives, none is open that was not, and
# the log says who was refused what, and why.
refused() {
  open_it "$1"
  expect_equal "$2: no descriptor" "STATUS_ACCESS_DENIED 0 ${6:-0}" "$REPLY"
  expect_equal "$2: is recorded" 1 "$(grep -c "denied io.vaild.OpenSharedObject \
vm=$4 object=$HANDLE pid=${PID[$1]} uid=$(id -u "$5") .* status=STATUS_ACCESS_DENIED reason=$3\$" "$LOG")"
}

not_registered() {
  actor stranger vail-alice
  refused stranger "not registered" notRegistered "$GUID" vail-alice
  actor root root
  refused root "root, not registered" notRegistered "$GUID" root
  refused vmm-1 "the VMM itself" notRegistered "$GUID" vail-vmm
}

registered_for_another_vm() {
  actor neighbour vail-alice
  registers neighbour "$OTHER"
  refused neighbour "registered for another VM" notRegistered "$GUID" vail-alice
  actor bob vail-bob
  registers bob "$OTHER"
  refused bob "another user, registered for another VM" notRegistered "$GUID" vail-bob
  refused vmm-2 "another VM's VMM" notRegistered "$GUID" vail-vmm
}

# Who holds it tells others its handle: that is a name, and no key.
a_handle_that_is_passed_on() {
  actor holder vail-alice
  registers holder "$GUID"
  opens holder
  actor second vail-alice
  refused second "the handle, passed to a process of the same user" notRegistered "$GUID" vail-alice
  actor third vail-bob
  refused third "the handle, passed to another user" notRegistered "$GUID" vail-bob
  order ask second "$(call io.vaild.CloseSharedObject "{\"handle\":\"$HANDLE\"}")"
  expect_equal "who does not hold it cannot close it" "STATUS_ACCESS_DENIED 0 0" "$REPLY"
}

# not_by_connection NAME CHECK [HAS]: the connection says the holder, its bytes come from another.
not_by_connection() {
  local before

  before=$(foreign_records)
  order lend holder "$1"
  open_it "$1"
  expect_equal "$2: no descriptor" "STATUS_ACCESS_DENIED 0 ${3:-0}" "$REPLY"
  expect_equal "$2: is recorded" $((before + 1)) "$(foreign_records)"
}

foreign_records() {
  grep -c "denied io.vaild.OpenSharedObject vm=- pid=${PID[holder]} uid=$ALICE .* reason=foreign\$" "$LOG" || true
}

a_connection_that_is_passed_on() {
  actor twin vail-alice
  registers twin "$GUID"
  opens twin
  not_by_connection second "the connection, passed to a process of the same user"
  not_by_connection third "the connection, passed to another user"
  not_by_connection twin "the connection, passed to who may have it by its own" 1
  open_it holder
  expect_equal "the holder's own bytes are served on it still" "STATUS_SUCCESS 1 2 $INODE" "$REPLY"
}

# Root is a display client here, since it is one that can change its groups.
other_groups_by_now() {
  actor client root
  vm "$ROOTS" "{\"pid\":${PID[client]}}"
  share "$ROOTS"
  actor changing root
  registers changing "$ROOTS"
  opens changing
  order groups changing 0 47010
  refused changing "other groups by now" groups "$ROOTS" root 1
  expect "other groups by now: the registration is over" grep -q \
    "unregistered vm=$ROOTS pid=${PID[changing]} uid=0 reason=privilegesChanged" "$LOG"
  expect_equal "other groups by now: and in no list" "" \
    "$(registered_pids | grep -w "${PID[changing]}")"
  order groups changing 0
  refused changing "the old groups again" notRegistered "$ROOTS" root 1
}

# at_random SEED STEPS
at_random() {
  local status=0 said

  said=$("$HELPERS/share-at-random" "$SOCKET" "$DAEMON" "$1" "$2" 2>&1) || status=$?
  if [ "$status" -eq 0 ]; then ok "at random: $said"; else not_ok "at random, seed $1" "$said"; fi
}

start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
BEFORE=$(descriptors)
session_open_with actors root "$HELPERS/actors" "$SOCKET"
vm "$GUID" "$ALICE_CLIENT"
vm "$OTHER" "$ALICE_CLIENT,{\"user\":\"vail-bob\"}"
share "$GUID"
not_registered
registered_for_another_vm
a_handle_that_is_passed_on
a_connection_that_is_passed_on
other_groups_by_now
session_kill actors
expect "the daemon has the descriptors it had" eventually descriptors_are "$BEFORE"
at_random "${1:-20261121}" "${2:-5000}"
expect "and has them again" eventually descriptors_are "$BEFORE"
expect_clean_stop
finish
