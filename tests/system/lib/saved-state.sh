# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# Starts the daemon as a service of a fake service manager, so that it persists its state, and fills
# it with at least one entity of every kind. Source this file after system-test.sh.

MANAGER=$PRIVATE/manager
RECORDS=$PRIVATE/runtime/records
GUID=88888888-8888-4888-8888-888888888888
OTHER_GUID=99999999-9999-4999-8999-999999999999
QUARANTINED_GUID=77777777-7777-4777-8777-777777777777
NEW_GUID=abababab-abab-4bab-8bab-abababababab # of a VM that is never registered for long
AS_SERVICE=("$HELPERS/fake-manager" "$MANAGER" start) # a wrapper for start_daemon

# start_manager MAXIMUM: starts the fake service manager as the session "manager". Its fd store has
# MAXIMUM entries.
start_manager() {
  mkdir -p "$MANAGER"
  rm -f "$MANAGER"/*
  session_open_with manager root "$HELPERS/fake-manager" "$MANAGER" "$1"
  eventually [ -S "$MANAGER/take" ]
}

# Starts the daemon as a service of the fake service manager.
start_service() { start_daemon "${AS_SERVICE[@]}"; }

# helper_session NAME USER HELPER ARGUMENT...: opens a session with a helper program that is
# connected to the daemon.
helper_session() {
  local name=$1 user=$2 helper=$3
  shift 3
  session_open_with "$name" "$user" "$HELPERS/$helper" "$SOCKET" "$@"
}

# Creates one or more entities of every kind: two VMs with vGPUs and registered viewers, objects
# with one plane and with two planes, one object that its sharer has unshared while a viewer still
# holds it, a GPU process with ranges, and a quarantine. Their processes are the sessions "vmm",
# "other", "viewer", "second" and "mapper".
make_entities() {
  helper_session vmm vail-vmm share-object "$GUID"
  helper_session other vail-vmm share-object "$OTHER_GUID"
  expect_equal "the first VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  expect_equal "the second VM is registered" STATUS_SUCCESS \
    "$(add_vm "$OTHER_GUID" "${SESSION_PID[other]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  assign_gpu "$GUID" >/dev/null
  assign_gpu "$OTHER_GUID" >/dev/null
  helper_session viewer vail-alice open-object "$GUID"
  expect_reply "a viewer of the first VM registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  helper_session second vail-alice open-object "$OTHER_GUID"
  expect_reply "a viewer of the second VM registers" "STATUS_SUCCESS STATUS_SUCCESS" second register
  session_ask vmm "share read memory"
  session_ask viewer "open $(cut -d' ' -f2 <<<"$REPLY")"
  session_ask vmm unshare
  expect_equal "an unshared object keeps its holder" "STATUS_SUCCESS 1" "$REPLY"
  session_ask vmm "share readWrite memory memory"
  session_ask vmm "share read memory"
  session_ask other "share read memory"
  session_ask second "open $(cut -d' ' -f2 <<<"$REPLY")"
  helper_session mapper vail-alice gpu-process
  session_ask mapper $'-\n-'
  while [[ $REPLY != "process "* ]] && read -r -u "${SESSION_OUT[mapper]}" REPLY; do :; done
  "${CTL[@]}" vm quarantine "$QUARANTINED_GUID" --reason "it hangs" >/dev/null
}

# Ends all entities of make_entities, except for the quarantine, by killing their processes.
kill_owners() {
  local name
  for name in vmm other viewer second mapper; do session_kill "$name"; done
}

# Prints the replies to SNAPSHOT_REQUESTS, each on a line: the lists of all entities, the daemon's
# status, and the status of registering and unregistering a new VM.
snapshot() { ask root "${SNAPSHOT_REQUESTS[@]}"; }

SNAPSHOT_REQUESTS=("$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)"
  "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)"
  "$(call io.vaild.Machine.ListQuarantines)" "$(call io.vaild.Monitor.GetStatus)"
  "$(call io.vaild.Machine.RegisterVirtualMachine "{\"virtualMachineGuid\":\"$NEW_GUID\",\"vmmPid\":$$}")"
  "$(call io.vaild.Machine.UnregisterVirtualMachine "{\"virtualMachineGuid\":\"$NEW_GUID\"}")")
