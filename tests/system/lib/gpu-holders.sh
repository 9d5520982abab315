# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# VMMs that have GPU devices open. To be sourced after system-test.sh.

# start_holder FILE: starts a process of the VMM's user that has the file open. Sets VMM to its pid.
start_holder() {
  exec_as vail-vmm "$HELPERS/with-fd" open "$1" sleep infinity &
  VMM=$!
  eventually runs_as "$VMM" 947 sleep
}

# start_vmm_with FILE [FILE]: starts a VMM that has the files open, and closes the first one when it
# reads a line. Sets VMM to its pid, and CLOSER to the fd for the line.
start_vmm_with() {
  local fifo=$PRIVATE/vmm.in
  mkfifo "$fifo"
  # The first file is opened last, so that both are open when it is.
  # shellcheck disable=SC2016 # the VMM expands it
  exec_as vail-vmm bash -c 'exec 9<"${2:-/dev/null}" 8<>"$1"
    read -r
    exec 8<&-
    exec sleep infinity' vmm "$@" <>"$fifo" &
  VMM=$!
  exec {CLOSER}>"$fifo"
  rm "$fifo"
  eventually has_open "$VMM" "$1"
}

# has_open PID FILE: tests whether the VMM has its first file open.
has_open() { [ "$(readlink "/proc/$1/fd/8")" = "$2" ]; }

# Lets the VMM close its first file.
close_first() {
  echo >&"$CLOSER"
  eventually runs_as "$VMM" 947 sleep
}

# Prints GUID, function and source of all virtual GPUs that were found.
found_gpus() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" |
    field '[.parameters.virtualMachines[] | .virtualMachineGuid as $guid | .virtualGpus[] |
      "\($guid) \(.function) \(.source)"] | join(",")'
}

found_gpus_are() { [ "$(found_gpus)" = "$1" ]; }

# open_watch: opens a watch of all VMs. next_event KIND reads its events until one of this kind, and
# sets REPLY to it.
open_watch() {
  session_open watch root
  session_ask watch '{"method":"io.vaild.Watch","more":true}'
}

next_event() {
  until IFS= read -r -u "${SESSION_OUT[watch]}" REPLY && [[ $REPLY == *"\"kind\":\"$1\""* ]]; do
    [ -n "$REPLY" ] || return
  done
}
