#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Lets each resource of the daemon run out: file systems, the fd store, fds and memory. A request
# that needs more of it fails with STATUS_INSUFFICIENT_RESOURCES and changes nothing, including
# the charges. The daemon survives, and the same request succeeds when the resource is available
# again.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

RUNTIME=$PRIVATE/runtime

# Print the requests that register and unregister a new VM.
register_vm() {
  call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$NEW_GUID\",\"vmmPid\":$$}"
}
unregister_vm() {
  call io.vaild.Machine.UnregisterVirtualMachine "{\"virtualMachineGuid\":\"$NEW_GUID\"}"
}

# Prints the lists of all entities, each on a line.
list_all() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)" \
    "$(call io.vaild.Machine.ListQuarantines)" | jq -cS .
}

# Prints the use of each limit except that of connections, because this request opens one.
charged() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c '[.parameters.limits[] | select(.name | test("onnection|^closesUnderWay") | not) | [.name, .used]]'
}

# expect_refusals CASE: checks that a VM, an object and a registration are refused, and that the
# requests have changed nothing.
expect_refusals() {
  local entities charged
  entities=$(list_all)
  charged=$(charged)
  expect_equal "$1: a VM is refused" STATUS_INSUFFICIENT_RESOURCES \
    "$(ask root "$(register_vm)" | statuses)"
  session_ask vmm "share read memory"
  expect_equal "$1: an object is refused" STATUS_INSUFFICIENT_RESOURCES "${REPLY%% *}"
  helper_session late vail-alice open-object "$GUID"
  expect_reply "$1: a registration is refused" \
    "STATUS_INSUFFICIENT_RESOURCES STATUS_INVALID_DISPOSITION" late register
  session_kill late
  expect_equal "$1: the refused requests change no entity" "$entities" "$(list_all)"
  expect_equal "$1: the refused requests are not charged" "$charged" "$(charged)"
}

# expect_success CASE: checks that a VM, an object and a registration are accepted, and that all
# entities survive a crash.
expect_success() {
  local before
  expect_equal "$1: a VM is accepted again" "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask root "$(register_vm)" "$(unregister_vm)" | statuses)"
  session_ask vmm "share read memory"
  expect_equal "$1: an object is accepted again" STATUS_SUCCESS "${REPLY%% *}"
  helper_session "late${#SESSION_PID[@]}" vail-alice open-object "$GUID"
  expect_reply "$1: a registration is accepted again" "STATUS_SUCCESS STATUS_SUCCESS" \
    "late$((${#SESSION_PID[@]} - 1))" register
  before=$(list_all)
  restart
  expect_equal "$1: all entities survive a crash" "$before" "$(list_all)"
}

# Kills the daemon and starts it again.
restart() {
  kill_and_wait "$DAEMON"
  start_service
}

# fill FOLDER: fills the file system of FOLDER completely.
fill() { dd if=/dev/zero of="$1/filler" bs=1k status=none 2>/dev/null || true; }

# --- cases -------------------------------------------------------------------------------------

full_runtime_directory() {
  local name="a full runtime directory"
  fill "$RUNTIME"
  # Uses up the space that the record file has allocated in advance.
  for _ in {1..400}; do
    session_ask vmm "share read memory"
    [ "${REPLY%% *}" = STATUS_SUCCESS ] || break
  done
  expect_refusals "$name"
  expect_reply "$name: an object can be closed" "STATUS_SUCCESS" viewer close
  BEFORE=$(list_all)
  restart
  expect_equal "$name: all entities survive a crash" "$BEFORE" "$(list_all)"
  expect_match "$name: vailctl status reports the problem" "cannot be rewritten" \
    "$("${CTL[@]}" status)"
  rm "$RUNTIME/filler"
  expect_success "$name"
}

full_state_directory() {
  local name="a full state directory"
  fill "$STATE"
  expect_equal "$name: a quarantine is refused" STATUS_INSUFFICIENT_RESOURCES \
    "$(quarantine "$NEW_GUID")"
  expect_equal "$name: the refused quarantine is not listed" "$QUARANTINED_GUID" "$(quarantines)"
  expect_equal "$name: the refused quarantine is not charged" '[1]' "$(used quarantines)"
  restart
  expect_equal "$name: the daemon starts with the quarantines that exist" "$QUARANTINED_GUID" \
    "$(quarantines)"
  rm "$STATE/filler"
  expect_equal "$name: a quarantine is accepted again" STATUS_SUCCESS "$(quarantine "$NEW_GUID")"
  restart
  expect_equal "$name: the quarantine survives a crash" "$QUARANTINED_GUID $NEW_GUID" \
    "$(quarantines)"
  expect_equal "$name: the quarantine can be lifted" STATUS_SUCCESS \
    "$(quarantine "$NEW_GUID" false)"
}

# quarantine GUID [false]: sets a quarantine, or lifts it, and prints the status.
quarantine() {
  ask root "$(call io.vaild.Machine.SetQuarantine \
    "{\"virtualMachineGuid\":\"$1\",\"quarantined\":${2:-true}}")" | statuses
}

# Prints the GUIDs of all quarantines on one line.
quarantines() {
  ask root "$(call io.vaild.Machine.ListQuarantines)" |
    field '[.parameters.quarantines[].virtualMachineGuid] | sort | join(" ")'
}

# used LIMIT: prints the use of a limit in an array.
used() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c --arg name "$1" '[.parameters.limits[] | select(.name == $name) | .used]'
}

read_only_state_directory() {
  local name="a read-only state directory"
  mount -o remount,ro "$STATE"
  expect_equal "$name: a quarantine is refused" STATUS_INSUFFICIENT_RESOURCES \
    "$(quarantine "$NEW_GUID")"
  expect_equal "$name: lifting a quarantine is refused" STATUS_INSUFFICIENT_RESOURCES \
    "$(quarantine "$QUARANTINED_GUID" false)"
  expect_equal "$name: the refused requests change no quarantine" "$QUARANTINED_GUID" \
    "$(quarantines)"
  restart
  expect_equal "$name: the daemon starts and restores the quarantines" "$QUARANTINED_GUID" \
    "$(quarantines)"
  expect_equal "$name: a quarantine is refused after a restart" STATUS_INSUFFICIENT_RESOURCES \
    "$(quarantine "$NEW_GUID")"
  mount -o remount,rw "$STATE"
  expect_equal "$name: a quarantine is accepted once it is writable" STATUS_SUCCESS \
    "$(quarantine "$NEW_GUID")"
  expect_equal "$name: lifting it is accepted as well" STATUS_SUCCESS \
    "$(quarantine "$NEW_GUID" false)"
}

record_file_removed() {
  local name="a removed record file"
  rm "$RECORDS"
  expect_success "$name"
}

# Without the directory, the daemon cannot write records. The next start finds none.
runtime_directory_removed() {
  local name="a removed runtime directory"
  kill_and_wait "$DAEMON"
  umount "$RUNTIME"
  session_ask manager restore
  make_folders
  start_service
  make_entities
  rm -rf "$RUNTIME"
  expect_refusals "$name"
  make_folders
  restart
  expect_equal "$name: the next daemon has no VMs" '[]' "$(ask root \
    "$(call io.vaild.Machine.ListVirtualMachines)" | jq -c .parameters.virtualMachines)"
  expect_match "$name: vailctl status reports the fds without a record" "it has no record" \
    "$("${CTL[@]}" status)"
  expect_equal "$name: the next daemon accepts a VM" "STATUS_SUCCESS STATUS_SUCCESS" \
    "$(ask root "$(register_vm)" "$(unregister_vm)" | statuses)"
}

# Uses a service manager whose fd store has 24 entries, so that a few objects fill it.
full_fd_store() {
  local name="a full fd store" count
  kill_and_wait "$DAEMON"
  session_kill manager
  rm -f "$RECORDS"
  start_manager 24
  AS_SERVICE+=(env FDSTORE=24)
  start_service
  make_entities
  for ((count = 0; count < 100; count++)); do
    session_ask vmm "share read memory"
    [ "${REPLY%% *}" = STATUS_SUCCESS ] || break
  done
  expect_equal "$name: an object is refused when the store is full" STATUS_INSUFFICIENT_RESOURCES \
    "${REPLY%% *}"
  session_ask manager names
  expect_equal "$name: the manager has stored every persisted fd" "$(count_persisted_fds)" \
    "$(wc -w <<<"$REPLY")"
  BEFORE=$(list_all)
  restart
  expect_equal "$name: all entities survive a crash" "$BEFORE" "$(list_all)"
  session_ask vmm unshare
  session_ask vmm "share read memory"
  expect_equal "$name: an object is accepted after another is unshared" STATUS_SUCCESS \
    "${REPLY%% *}"
}

# Prints the number of fds and processes that have a record.
count_persisted_fds() {
  awk 'match($0, /"(process|descriptor)":[0-9]+/) && NR > 1 && $2 !~ /^\{"serial"/ {
      name = substr($0, RSTART, RLENGTH)
      if (/"record":null\}$/) delete persisted[name]; else persisted[name] = 1
    }
    END { for (name in persisted) count++; print count + 0 }' "$RECORDS"
}

# Another user's connections use up the fds of the daemon. It then closes connections of the user
# with the most.
no_fds() {
  local name="no fds" before
  kill_and_wait "$DAEMON"
  start_daemon "${AS_SERVICE[@]}" prlimit --nofile=96:96
  before=$(list_all)
  mkfifo "$PRIVATE/connections"
  exec_as vail-bob "$HELPERS/open-connections" "$SOCKET" 200 <"$PRIVATE/connections" \
    >"$PRIVATE/connections.output" &
  exec {HOLD}>"$PRIVATE/connections"
  expect "$name: another user's connections use up the fds" \
    eventually [ -s "$PRIVATE/connections.output" ]
  session_ask vmm "share read memory"
  expect_equal "$name: an object is refused" STATUS_INSUFFICIENT_RESOURCES "${REPLY%% *}"
  expect_equal "$name: other users are served, and no entity has changed" "$before" "$(list_all)"
  exec {HOLD}>&-
  expect "$name: an object is accepted when the connections are closed" \
    eventually object_is_accepted
  kill_and_wait "$DAEMON"
  start_service
}

# Tests whether the daemon accepts a new object.
object_is_accepted() {
  session_ask vmm "share read memory"
  [ "${REPLY%% *}" = STATUS_SUCCESS ]
}

# Replies that a client does not read use up the daemon's memory, which is limited to 1 MiB more
# than it needs after its start. The daemon may refuse requests and close connections.
no_memory() {
  local name="no memory" before size usual=$VAILD
  VAILD=$ROOT/build/vaild # the sanitizers reserve much more address space than the limit
  restart
  before=$(list_all)
  size=$(awk '/^VmSize/ { print $2 * 1024 }' "/proc/$DAEMON/status")
  kill_and_wait "$DAEMON"
  start_daemon "${AS_SERVICE[@]}" prlimit --as=$((size + (1 << 20)))
  mkfifo "$PRIVATE/readers"
  exec_as vail-bob "$HELPERS/never-reads" "$SOCKET" 100 <"$PRIVATE/readers" \
    >"$PRIVATE/readers.output" &
  exec {HOLD}>"$PRIVATE/readers"
  expect "$name: the daemon stops reading requests" eventually [ -s "$PRIVATE/readers.output" ]
  ask root "$(register_vm)" "$(unregister_vm)" >/dev/null 2>&1 || true
  expect "$name: the daemon survives" [ -d "/proc/$DAEMON" ]
  expect "$name: the daemon has used at least 7/8 of the additional memory" \
    [ "$(awk '/^VmPeak/ { print $2 * 1024 }' "/proc/$DAEMON/status")" -ge $((size + (7 << 17))) ]
  exec {HOLD}>&-
  expect "$name: the daemon serves, and no entity has changed, when the clients are gone" \
    eventually is_as_before "$before"
  VAILD=$usual
  restart
}

# is_as_before LISTS: tests whether list_all prints LISTS.
is_as_before() { [ "$(list_all)" = "$1" ]; }

mount -t tmpfs -o size=64k,mode=755 tmpfs "$STATE"
mount -t tmpfs -o size=512k,mode=755 tmpfs "$RUNTIME"
chown vaild:vaild "$STATE" "$RUNTIME"
start_manager 512
session_ask manager save
start_service
make_entities
no_fds
no_memory
full_runtime_directory
full_state_directory
read_only_state_directory
record_file_removed
kill_owners
runtime_directory_removed
kill_owners
full_fd_store
kill_owners
expect_clean_stop
finish
