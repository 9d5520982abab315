#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Where something has run out, what is asked for fails whole, with its status; the daemon lives, the
# books balance, and when there is room again the same succeeds.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

RUNTIME=$PRIVATE/runtime

register_vm() { call io.vaild.Machine.RegisterVirtualMachine "{\"virtualMachineGuid\":\"$NEW\",\"vmmPid\":$$}"; }
unregister_vm() { call io.vaild.Machine.UnregisterVirtualMachine "{\"virtualMachineGuid\":\"$NEW\"}"; }

everything() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)" \
    "$(call io.vaild.Machine.ListQuarantines)" | jq -cS .
}

charged() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c '[.parameters.limits[] | select(.name | test("onnection") | not) | [.name, .used]]'
}

# fails_whole WHAT: nothing new can be kept, and nothing has changed by the attempts.
fails_whole() {
  local everything charged
  everything=$(everything)
  charged=$(charged)
  expect_equal "$1: a VM is refused" STATUS_INSUFFICIENT_RESOURCES "$(ask root "$(register_vm)" | statuses)"
  session_ask vmm "share read memory"
  expect_equal "$1: an object is" STATUS_INSUFFICIENT_RESOURCES "${REPLY%% *}"
  kept_session late vail-alice open-object "$GUID"
  expect_reply "$1: a registration is" "STATUS_INSUFFICIENT_RESOURCES STATUS_INVALID_DISPOSITION" late register
  session_kill late
  expect_equal "$1: nothing has changed" "$everything" "$(everything)"
  expect_equal "$1: nor what is charged" "$charged" "$(charged)"
}

# succeeds WHAT: all of that, and it is there after a crash.
succeeds() {
  local before
  expect_equal "$1: there is room again, for a VM" "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask root "$(register_vm)" "$(unregister_vm)" | statuses)"
  session_ask vmm "share read memory"
  expect_equal "$1: and for an object" STATUS_SUCCESS "${REPLY%% *}"
  kept_session "late${#SESSION_PID[@]}" vail-alice open-object "$GUID"
  expect_reply "$1: and for who registers" "STATUS_SUCCESS STATUS_SUCCESS" "late$((${#SESSION_PID[@]} - 1))" register
  before=$(everything)
  restart
  expect_equal "$1: and all is there after a crash" "$before" "$(everything)"
}

restart() {
  kill_hard "$DAEMON"
  start_kept
}

# fill FOLDER: until not a byte fits.
fill() { dd if=/dev/zero of="$1/filler" bs=1k status=none 2>/dev/null || true; }

# --- what runs out -----------------------------------------------------------------------------

full_runtime_directory() {
  local how="a full runtime directory"
  fill "$RUNTIME"
  # What is set aside already is used up.
  for _ in {1..400}; do
    session_ask vmm "share read memory"
    [ "${REPLY%% *}" = STATUS_SUCCESS ] || break
  done
  fails_whole "$how"
  expect_reply "$how: what ends can end" "STATUS_SUCCESS" viewer close
  BEFORE=$(everything)
  restart
  expect_equal "$how: over a crash all is as it was" "$BEFORE" "$(everything)"
  expect_match "$how: the status tells of it" "cannot be rewritten" "$("${CTL[@]}" status)"
  rm "$RUNTIME/filler"
  succeeds "$how"
}

full_state_directory() {
  local how="a full state directory"
  fill "$STATE"
  expect_equal "$how: a quarantine is refused" STATUS_INSUFFICIENT_RESOURCES "$(quarantine "$NEW")"
  expect_equal "$how: and is not there" "$BANNED" "$(quarantines)"
  expect_equal "$how: nor charged" '[1]' "$(used quarantines)"
  restart
  expect_equal "$how: it starts with what there is" "$BANNED" "$(quarantines)"
  rm "$STATE/filler"
  expect_equal "$how: there is room again" STATUS_SUCCESS "$(quarantine "$NEW")"
  restart
  expect_equal "$how: and it is there after a crash" "$BANNED $NEW" "$(quarantines)"
  expect_equal "$how: lifted" STATUS_SUCCESS "$(quarantine "$NEW" false)"
}

quarantine() {
  ask root "$(call io.vaild.Machine.SetQuarantine \
    "{\"virtualMachineGuid\":\"$1\",\"quarantined\":${2:-true}}")" | statuses
}

quarantines() {
  ask root "$(call io.vaild.Machine.ListQuarantines)" |
    field '[.parameters.quarantines[].virtualMachineGuid] | sort | join(" ")'
}

used() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c --arg name "$1" '[.parameters.limits[] | select(.name == $name) | .used]'
}

read_only_state_directory() {
  local how="a read-only state directory"
  mount -o remount,ro "$STATE"
  expect_equal "$how: a quarantine is refused" STATUS_INSUFFICIENT_RESOURCES "$(quarantine "$NEW")"
  expect_equal "$how: nor is one lifted" STATUS_INSUFFICIENT_RESOURCES "$(quarantine "$BANNED" false)"
  expect_equal "$how: nothing has changed" "$BANNED" "$(quarantines)"
  restart
  expect_equal "$how: it starts, and knows what is there" "$BANNED" "$(quarantines)"
  expect_equal "$how: still refused" STATUS_INSUFFICIENT_RESOURCES "$(quarantine "$NEW")"
  mount -o remount,rw "$STATE"
  expect_equal "$how: it is writable again" STATUS_SUCCESS "$(quarantine "$NEW")"
  expect_equal "$how: both ways" STATUS_SUCCESS "$(quarantine "$NEW" false)"
}

record_file_removed() {
  local how="a record file that is removed"
  rm "$RECORDS"
  succeeds "$how"
}

# There is no place to write to, and no way to get one; what was recorded is lost with the next
# start.
runtime_directory_removed() {
  local how="a runtime directory that is removed"
  kill_hard "$DAEMON"
  umount "$RUNTIME"
  session_ask manager restore
  make_folders
  start_kept
  make_rich
  rm -rf "$RUNTIME"
  fails_whole "$how"
  make_folders
  restart
  expect_equal "$how: then there is nothing" '[]' "$(ask root \
    "$(call io.vaild.Machine.ListVirtualMachines)" | jq -c .parameters.virtualMachines)"
  expect_match "$how: which is told" "it has no record" "$("${CTL[@]}" status)"
  expect_equal "$how: and it serves" "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask root "$(register_vm)" "$(unregister_vm)" | statuses)"
}

# A manager that has room for a few.
full_descriptor_store() {
  local how="a full descriptor store" count
  kill_hard "$DAEMON"
  session_kill manager
  rm -f "$RECORDS"
  start_manager 24
  KEPT+=(env FDSTORE=24)
  start_kept
  make_rich
  for ((count = 0; count < 100; count++)); do
    session_ask vmm "share read memory"
    [ "${REPLY%% *}" = STATUS_SUCCESS ] || break
  done
  expect_equal "$how: in the end an object is refused" STATUS_INSUFFICIENT_RESOURCES "${REPLY%% *}"
  session_ask manager names
  expect_equal "$how: nothing that was sent was dropped" "$(kept_lines)" "$(wc -w <<<"$REPLY")"
  BEFORE=$(everything)
  restart
  expect_equal "$how: over a crash all is as it was" "$BEFORE" "$(everything)"
  session_ask vmm unshare
  session_ask vmm "share read memory"
  expect_equal "$how: where one goes there is room again" STATUS_SUCCESS "${REPLY%% *}"
}

# How many processes and descriptors the records speak of.
kept_lines() {
  awk 'match($0, /"(process|descriptor)":[0-9]+/) && NR > 1 && $2 !~ /^\{"serial"/ {
      what = substr($0, RSTART, RLENGTH)
      if (/"record":null\}$/) delete kept[what]; else kept[what] = 1
    }
    END { for (what in kept) count++; print count + 0 }' "$RECORDS"
}


# What strangers leave open uses up the daemon's descriptors; who has most of them pays.
no_descriptors() {
  local how="no descriptors" before
  kill_hard "$DAEMON"
  start_daemon "${KEPT[@]}" prlimit --nofile=96:96
  before=$(everything)
  mkfifo "$PRIVATE/strangers"
  exec_as vail-bob "$HELPERS/open-connections" "$SOCKET" 200 <"$PRIVATE/strangers" \
    >"$PRIVATE/strangers.said" &
  exec {HOLD}>"$PRIVATE/strangers"
  expect "$how: strangers have what there is" eventually [ -s "$PRIVATE/strangers.said" ]
  session_ask vmm "share read memory"
  expect_equal "$how: an object is refused" STATUS_INSUFFICIENT_RESOURCES "${REPLY%% *}"
  expect_equal "$how: who asks is served, and nothing has changed" "$before" "$(everything)"
  exec {HOLD}>&-
  expect "$how: when they are gone there is room again" eventually shares_again
  kill_hard "$DAEMON"
  start_kept
}

shares_again() {
  session_ask vmm "share read memory"
  [ "${REPLY%% *}" = STATUS_SUCCESS ]
}

# Output that nobody reads takes what memory there is. The daemon may refuse and close; and if it
# should die, nothing is lost.
no_memory() {
  local how="no memory" before size
  VAILD=$ROOT/build/vaild # the sanitizers take what there is
  restart
  before=$(everything)
  size=$(awk '/^VmSize/ { print $2 * 1024 }' "/proc/$DAEMON/status")
  kill_hard "$DAEMON"
  start_daemon "${KEPT[@]}" prlimit --as=$((size + (1 << 20)))
  mkfifo "$PRIVATE/eaters"
  exec_as vail-bob "$HELPERS/never-reads" "$SOCKET" 100 <"$PRIVATE/eaters" >"$PRIVATE/eaters.said" &
  exec {HOLD}>"$PRIVATE/eaters"
  expect "$how: it takes no more" eventually [ -s "$PRIVATE/eaters.said" ]
  ask root "$(register_vm)" "$(unregister_vm)" >/dev/null 2>&1 || true
  expect "$how: it lives" [ -d "/proc/$DAEMON" ]
  expect "$how: there was none" [ "$(awk '/^VmPeak/ { print $2 * 1024 }' "/proc/$DAEMON/status")" -gt $((size + (7 << 17))) ]
  exec {HOLD}>&-
  expect "$how: when they are gone it serves, and nothing has changed" eventually is_as_before "$before"
  VAILD=$ROOT/build/sanitized/vaild
  restart
}

is_as_before() { [ "$(everything)" = "$1" ]; }

mount -t tmpfs -o size=64k,mode=755 tmpfs "$STATE"
mount -t tmpfs -o size=512k,mode=755 tmpfs "$RUNTIME"
chown vaild:vaild "$STATE" "$RUNTIME"
start_manager 512
session_ask manager save
start_kept
make_rich
no_descriptors
no_memory
full_runtime_directory
full_state_directory
read_only_state_directory
record_file_removed
end_rich
runtime_directory_removed
end_rich
full_descriptor_store
end_rich
expect_clean_stop
finish
