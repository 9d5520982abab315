# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # the script that sources this sets the variables
#
# Hands a VM over between QEMUs of one UUID. To be sourced after qemu-guest.sh. Each QEMU has its own
# folder of logs and sockets, PRIVATE/guest/NUMBER, and its own vail-qemu.

VIEW=("$PRIVATE/vail-view" --socket "$SOCKET")
QEMUS=0

# next_qemu OPTION...: starts a QEMU of the same UUID, and its vail-qemu. Sets QEMU, AGENT and QMP to
# those of the new one, and FORMER_QEMU, FORMER_AGENT, FORMER_QMP and FORMER_LOG to those before it.
next_qemu() {
  FORMER_QEMU=${QEMU:-} FORMER_AGENT=${AGENT:-} FORMER_QMP=$QMP FORMER_LOG=${AGENT_LOG:-}
  QEMUS=$((QEMUS + 1))
  QMP=$PRIVATE/guest/qmp$QEMUS
  AGENT_LOG=$PRIVATE/agent$QEMUS.log
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}" "$@"
  next_agent
}

# Starts a vail-qemu for the newest QEMU.
next_agent() {
  "$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" --user vail-alice 2>"$AGENT_LOG" &
  AGENT=$!
}

# vm_is VMM-PID INCOMING-PID: tests the pids of the VM. INCOMING-PID is null without one.
vm_is() {
  [ "$("${CTL[@]}" --json list | jq -r '.virtualMachines[] | "\(.vmmPid) \(.incomingVmmPid)"')" = "$1 $2" ]
}

# shares PID: tests whether the process shares console 0.
shares() { [ -n "$(console "select(.sharedByPid == $1) | .handle")" ]; }
shares_nothing() { [ -z "$(objects "select(.sharedByPid == $1) | .handle")" ]; }

## The viewer

# Starts a vail-view that saves each frame in viewed.png. Sets VIEWER to its pid.
start_viewer() {
  exec_as vail-alice "${VIEW[@]}" "$GUID" --name "console 0" --frames 1000000 \
    --png "$PICTURES/viewed.png" 2>"$PRIVATE/viewer.log" </dev/null &
  VIEWER=$!
  eventually test -s "$PICTURES/viewed.png" ||
    not_ok "$NAME: a viewer saves a frame" "$(cat "$PRIVATE/viewer.log")"
}

# Compares the last frame of the viewer with the screenshot of the new QEMU.
viewer_shows_qemu() {
  screendump "$PRIVATE/guest/dump.png"
  "$HELPERS/same-image" "$PICTURES/viewed.png" "$PRIVATE/guest/dump.png" 2>"$PRIVATE/image.log"
}

display_size() {
  screendump "$PRIVATE/guest/size.png"
  png_size "$PRIVATE/guest/size.png"
}
size_is_other_than() { [ "$(display_size)" != "$1" ]; }

# expect_viewed CHECK: changes the guest's mode, and expects the viewer to follow. The guest must run and
# await a key.
expect_viewed() {
  local before

  before=$(display_size)
  press_key
  eventually size_is_other_than "$before"
  expect "$1" eventually viewer_shows_qemu
}

# Prints when the viewer was registered.
registered_since() {
  ask root "$(call io.vaild.ListRegistrations)" |
    jq -r ".parameters.registrations[] | select(.pid == $VIEWER) | .since"
}

## Migration

# migrate QMP URI: starts the migration of the QEMU with this monitor, and waits until it has
# finished. Sets MIGRATED to its status.
migrate() {
  QMP=$1 monitor '{"execute":"migrate","arguments":{"uri":"'"$2"'"}}' >/dev/null
  eventually migration_is_over "$1"
}
migration_is_over() {
  MIGRATED=$(QMP=$1 monitor '{"execute":"query-migrate"}' | jq -r '.return.status // empty')
  [ "$MIGRATED" = completed ] || [ "$MIGRATED" = failed ]
}

# An incoming QEMU drops keys until the guest runs in it. That can be some time after the other QEMU
# has sent everything.
guest_runs() { [ "$(monitor '{"execute":"query-status"}' | jq -r '.return.status // empty')" = running ]; }

quit_qemu() { QMP=$1 monitor '{"execute":"quit"}' >/dev/null; }

# expect_handed_over CHECK SINCE: ends the former QEMU, and checks that the VM continues.
expect_handed_over() {
  quit_qemu "$FORMER_QMP"
  process_ends "$1: the former vail-qemu ends" "$FORMER_AGENT" 0 'QEMU has ended$' "$FORMER_LOG"
  expect "$1: the new QEMU is the VMM" eventually vm_is "$QEMU" null
  expect "$1: the new vail-qemu notices" eventually grep -q 'QEMU has taken over' "$AGENT_LOG"
  expect_equal "$1: the viewer has the same registration" "$2" "$(registered_since)"
  expect "$1: the objects of the former VMM have ended" eventually shares_nothing "$FORMER_AGENT"
  expect "$1: the guest runs in the new QEMU" eventually_unless_gone "$QEMU" guest_runs
  expect "$1: the viewer shows the screen of the new QEMU" eventually viewer_shows_qemu
  expect_viewed "$1: the viewer follows a mode change of the new QEMU"
  expect_equal "$1: the viewer reports no error" "" \
    "$(grep -v ': waiting: ' "$PRIVATE/viewer.log" || true)"
}

## Checks

check_migration() {
  local since

  next_qemu
  expect "vail-qemu shares the guest's screen" eventually console_is 720x400
  start_viewer
  expect "the guest awaits a key" guest_awaits_keys
  expect_viewed "the viewer shows the screen of the first QEMU"
  since=$(registered_since)
  next_qemu -incoming "unix:$PRIVATE/guest/migration"
  expect "migration: the second QEMU is the incoming VMM" eventually vm_is "$FORMER_QEMU" "$QEMU"
  expect "migration: its vail-qemu shares its screen already" eventually shares "$AGENT"
  expect "migration: it says that it waits" \
    grep -q "process $FORMER_QEMU runs the virtual machine" "$AGENT_LOG"
  expect_match "vailctl shows the incoming VMM" "Incoming VMM: *pid $QEMU" \
    "$("${CTL[@]}" describe "$GUID")"
  kill_and_wait "$AGENT"
  next_agent
  expect "migration: another vail-qemu becomes the agent of the incoming VMM" eventually shares "$AGENT"
  expect "migration: the agent of the VMM still shares" shares "$FORMER_AGENT"
  migrate "$FORMER_QMP" "unix:$PRIVATE/guest/migration"
  expect_equal "migration: it is completed" completed "$MIGRATED"
  expect "migration: the VMM is the first QEMU until it exits" vm_is "$FORMER_QEMU" "$QEMU"
  expect_handed_over "migration" "$since"
}

# The destination ends before the migration: the source continues.
check_migration_that_fails() {
  local since

  since=$(registered_since)
  next_qemu -incoming "unix:$PRIVATE/guest/migration"
  expect "failed migration: the next QEMU is the incoming VMM" eventually vm_is "$FORMER_QEMU" "$QEMU"
  kill_and_wait "$QEMU"
  process_ends "failed migration: its vail-qemu ends with it" "$AGENT" 0 'QEMU has ended$' "$AGENT_LOG"
  expect "failed migration: the VM continues with its VMM" eventually vm_is "$FORMER_QEMU" null
  QEMU=$FORMER_QEMU AGENT=$FORMER_AGENT QMP=$FORMER_QMP AGENT_LOG=$FORMER_LOG
  expect_equal "failed migration: the viewer has the same registration" "$since" "$(registered_since)"
  expect "failed migration: the viewer shows the screen of the VMM again" eventually viewer_shows_qemu
  expect_viewed "failed migration: the viewer follows a mode change"
}

check_save_and_restore() {
  local since saved=$PRIVATE/guest/saved

  since=$(registered_since)
  migrate "$QMP" "exec:cat >$saved"
  expect_equal "save: it is completed" completed "$MIGRATED"
  next_qemu -incoming "exec:cat $saved"
  expect "restore: the QEMU is the incoming VMM while the one that saved lives" \
    eventually vm_is "$FORMER_QEMU" "$QEMU"
  expect_handed_over "restore" "$since"
}

check_end_of_both() {
  next_qemu -incoming "unix:$PRIVATE/guest/migration"
  expect "end: the next QEMU is the incoming VMM" eventually vm_is "$FORMER_QEMU" "$QEMU"
  kill -KILL "$QEMU" "$FORMER_QEMU"
  process_ends "end: the vail-qemu of the VMM ends" "$FORMER_AGENT" 0 'QEMU has ended$' "$FORMER_LOG"
  process_ends "end: the vail-qemu of the incoming VMM ends" "$AGENT" 0 'QEMU has ended$' "$AGENT_LOG"
  process_ends "end: the viewer ends" "$VIEWER" 1 "$GUID has ended" "$PRIVATE/viewer.log"
  expect "end: the VM has ended" eventually running_vms_are ""
}
