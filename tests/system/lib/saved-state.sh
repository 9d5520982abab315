# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# A daemon that keeps what it has, with a played service manager, and a state that has something of
# everything. To be sourced behind lib.sh.

MANAGER=$PRIVATE/manager
RECORDS=$PRIVATE/runtime/records
GUID=88888888-8888-4888-8888-888888888888
OTHER=99999999-9999-4999-8999-999999999999
BANNED=77777777-7777-4777-8777-777777777777
KEPT=("$HELPERS/fake-manager" "$MANAGER" start)
NEW=abababab-abab-4bab-8bab-abababababab

# start_manager MAXIMUM
start_manager() {
  mkdir -p "$MANAGER"
  rm -f "$MANAGER"/*
  session_open_with manager root "$HELPERS/fake-manager" "$MANAGER" "$1"
  eventually [ -S "$MANAGER/take" ]
}

# The daemon as the service of that manager.
start_kept() { start_daemon "${KEPT[@]}"; }

# kept_session NAME USER TOOL ARGUMENT...: a session with a tool that talks to the daemon.
kept_session() {
  local name=$1 user=$2 tool=$3
  shift 3
  session_open_with "$name" "$user" "$HELPERS/$tool" "$SOCKET" "$@"
}

# Two VMs with vGPUs, objects of one plane and of several, shared and held, and one that is held
# alone; viewers; a GPU process with ranges; a quarantine.
make_rich() {
  kept_session vmm vail-vmm share-object "$GUID"
  kept_session other vail-vmm share-object "$OTHER"
  expect_equal "a VM" STATUS_SUCCESS "$(add_vm "$GUID" "${SESSION_PID[vmm]}" "$ALICE_CLIENT")"
  expect_equal "another" STATUS_SUCCESS "$(add_vm "$OTHER" "${SESSION_PID[other]}" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  assign_gpu "$GUID" >/dev/null
  assign_gpu "$OTHER" >/dev/null
  kept_session viewer vail-alice open-object "$GUID"
  expect_reply "a viewer is registered" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  kept_session second vail-alice open-object "$OTHER"
  expect_reply "and another" "STATUS_SUCCESS STATUS_SUCCESS" second register
  session_ask vmm "share read memory"
  session_ask viewer "open $(cut -d' ' -f2 <<<"$REPLY")"
  session_ask vmm unshare
  expect_equal "an object is held alone" "STATUS_SUCCESS 1" "$REPLY"
  session_ask vmm "share readWrite memory memory"
  session_ask vmm "share read memory"
  session_ask other "share read memory"
  session_ask second "open $(cut -d' ' -f2 <<<"$REPLY")"
  kept_session mapper vail-alice gpu-process
  session_ask mapper $'-\n-'
  while [[ $REPLY != "process "* ]] && read -r -u "${SESSION_OUT[mapper]}" REPLY; do :; done
  PROCESS=${REPLY#process }
  "${CTL[@]}" vm quarantine "$BANNED" --reason "it hangs" >/dev/null
}

# With who had it, all of that ends.
end_rich() {
  local name
  for name in vmm other viewer second mapper; do session_kill "$name"; done
}

# All that an operator is told, a line each, and as the last what became of a new VM.
look() { ask root "${LOOK[@]}"; }

LOOK=("$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)"
  "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)"
  "$(call io.vaild.Machine.ListQuarantines)" "$(call io.vaild.Monitor.GetStatus)"
  "$(call io.vaild.Machine.RegisterVirtualMachine "{\"virtualMachineGuid\":\"$NEW\",\"vmmPid\":$$}")"
  "$(call io.vaild.Machine.UnregisterVirtualMachine "{\"virtualMachineGuid\":\"$NEW\"}")")
