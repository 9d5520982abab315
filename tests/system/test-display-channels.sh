#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Display channels between real processes: words pass between a viewer and the agent, and both see
# the end of the channel in the same instant, although both still hold their descriptors.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=dddddddd-dddd-4ddd-8ddd-dddddddddddd
VIEW=1
INPUT=2

# player NAME USER: starts a program that plays an agent or a viewer.
player() { session_open_with "$1" "$2" "$HELPERS/play-display" "$SOCKET" "$GUID"; }

# update CLIENTS: sets the display clients of the VM, as JSON, and prints the status.
update() {
  ask root "$(call io.vaild.Machine.UpdateVirtualMachine \
    "{\"virtualMachineGuid\":\"$GUID\",\"displayClients\":[$1]}")" | statuses
}

# expect_channel CASE RIGHTS: opens a channel, and passes words in both directions.
expect_channel() {
  expect_reply "$1: the viewer opens a display" "STATUS_SUCCESS $2" viewer "open $2"
  expect_reply "$1: the agent gets it with the same rights" "opened $2" agent next
  expect_reply "$1: the viewer says a word" said viewer "say key"
  expect_reply "$1: the agent hears it" key agent hear
  expect_reply "$1: the agent says a word" said agent "say picture"
  expect_reply "$1: the viewer hears it" picture viewer hear
}

# expect_end CASE REASON: checks that both ends see the end of the channel.
expect_end() {
  expect_reply "$1: the viewer sees the end" end viewer hear
  expect_reply "$1: the viewer cannot write" broken viewer "say key"
  expect_reply "$1: the agent sees the end" end agent hear
  expect_reply "$1: the agent cannot write" broken agent "say picture"
  expect_reply "$1: vaild tells the agent" "closed $2" agent next
  expect "$1: the log has it with the rights" eventually log_has \
    "displayClosed vm=$GUID display=[0-9a-f]* rights=view[a-z,]* .*reason=$2"
}

log_has() { grep -qE "$1" "$LOG"; }

check_opening() {
  player agent vail-vmm
  player viewer vail-alice
  expect_equal "the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "${SESSION_PID[agent]}" '{"user":"vail-alice","rights":["input"]}')"
  assign_gpu "$GUID" >/dev/null
  expect_reply "an unregistered viewer is denied" STATUS_ACCESS_DENIED viewer "open 0"
  expect_reply "the viewer registers" STATUS_SUCCESS viewer register
  expect_reply "without an agent there is no display" STATUS_INVALID_DEVICE_STATE viewer "open 0"
  expect_reply "the agent serves" STATUS_SUCCESS agent serve
  expect_reply "the agent is told that it serves" begun agent next
  expect_reply "a right that the display client lacks is denied" STATUS_ACCESS_DENIED viewer \
    "open 4"
  expect "the log has the denial with the rights" log_has \
    "denied io.vaild.Display.OpenDisplay vm=$GUID rights=view,clipboard .*reason=lacksRight"
}

check_ends() {
  expect_channel revocation $((VIEW | INPUT))
  expect_equal "revocation: it is allowed" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.RevokeRegistration \
      "{\"virtualMachineGuid\":\"$GUID\",\"pid\":${SESSION_PID[viewer]}}")" | statuses)"
  expect_end revocation revoked
  expect_reply "the viewer registers again" STATUS_SUCCESS viewer register
  expect_channel withdrawal $((VIEW | INPUT))
  expect_equal "withdrawal: the right is withdrawn" STATUS_SUCCESS "$(update "$ALICE_CLIENT")"
  expect_end withdrawal rightsWithdrawn
  check_vailctl
  expect_equal "withdrawal: it is repeated" STATUS_SUCCESS "$(update "$ALICE_CLIENT")"
  expect_channel "view alone" $VIEW
  expect_equal "quarantine: it is imposed" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.Machine.SetQuarantine \
      "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")" | statuses)"
  expect_end quarantine quarantined
  expect_equal "quarantine: it is lifted" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.Machine.SetQuarantine \
      "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":false}")" | statuses)"
  expect_reply "the viewer registers once more" STATUS_SUCCESS viewer register
  expect_channel "end of the agent" $VIEW
  session_kill agent
  expect_reply "end of the agent: the viewer sees the end" end viewer hear
  expect "end of the agent: the VM ends with it" eventually running_vms_are ""
}

vailctl_as() {
  local user=$1
  shift
  run_as "$user" "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"
}

# Grants rights, shows channels and ends one with vailctl.
check_vailctl() {
  local handle

  expect "vailctl grants the right to input again" vailctl_as root vm update "$GUID" \
    --user vail-bob --user vail-alice:view,input,clipboard
  expect_match "vailctl describe shows the rights of each display client" \
    "user vail-bob, user vail-alice \(view,input,clipboard\)" \
    "$(vailctl_as root describe "$GUID")"
  expect_match "vailctl refuses an unknown right" "flying is not a right on a display" \
    "$(vailctl_as root vm update "$GUID" --user vail-alice:flying 2>&1)"
  expect_channel vailctl $((VIEW | INPUT))
  expect_match "vailctl displays shows the channel with its rights" \
    "^[0-9a-f]{32} +$GUID +view,input +${SESSION_PID[viewer]} +vail-alice " \
    "$(vailctl_as root --no-legend displays)"
  expect_equal "another user sees no channel" "" "$(vailctl_as vail-bob --no-legend displays)"
  handle=$(vailctl_as root --json displays "$GUID" | jq -r '.displays[].display')
  expect_equal "another user may not end the channel" 1 \
    "$(vailctl_as vail-bob display close "$handle" >/dev/null 2>&1 || echo $?)"
  expect "vailctl display close ends the channel" vailctl_as root display close "$handle"
  expect_end vailctl requested
}

start_daemon
ask root "$(call io.vaild.Gpu.ListAdapters)" >/dev/null
FDS_BEFORE=$(idle_descriptors)
check_opening
check_ends
session_kill viewer
expect "the daemon has as many fds as at the beginning" eventually open_fds_are "$FDS_BEFORE"
expect_clean_stop
finish
