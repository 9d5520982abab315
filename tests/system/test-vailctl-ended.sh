#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each command of vailctl that ends registrations and display channels of other processes names them, and
# says how vm update can permit the process. A user who may not see whose they were gets their number.
# With --json they are members of the document.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
OWN=2b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10

# says CHECK PATTERN ARGUMENT...: checks what vailctl says as root.
says() {
  local check=$1 pattern=$2
  shift 2
  expect_vailctl root 0 "$check: succeeds" "$@"
  expect_match "$check" "$pattern" "$SAID"
}

# has_registered NAME
has_registered() { grep -q registered "$PRIVATE/$1"; }

# register_as USER NAME: starts a process that is registered for the VM. Sets PID to its pid.
register_as() {
  : >"$PRIVATE/$2"
  exec_as "$1" "${CTL[@]}" register "$GUID" >"$PRIVATE/$2" 2>/dev/null &
  PID=$!
  expect "$2 is registered" eventually has_registered "$2"
}

# The shell of root has more privileges than a login of root, so --user root shuts its programs out.
updates() {
  "${CTL[@]}" vm update "$GUID" --client-pid $$
  : >"$PRIVATE/root"
  "${CTL[@]}" register "$GUID" >"$PRIVATE/root" 2>/dev/null &
  PID=$!
  expect "root is registered" eventually has_registered root
  says "vm update names the registration of root's own shell, and how to permit it" \
    "^vailctl: this ended the registration of process $PID \(vailctl, user root\)
vailctl: --user root permits .* root have some; to permit the programs of your shell .* add: --client-pid \\$\\$:view,input\$" \
    vm update desk --user root:input
  register_again_as_alice
  says "vm update names a process of another user" \
    "^vailctl: this ended the registration of process $PID \(vailctl, user vail-alice\)
vailctl: the display clients .* permit user vail-alice as well, repeat all of them, and add: --user vail-alice\$" \
    vm update desk --user vail-bob
  register_again_as_alice
  says "vm update that ends nothing is silent" "^\$" vm update desk --user vail-alice --user vail-bob
  says "a plain change is silent" "^\$" vm update desk --name desk
}

register_again_as_alice() {
  "${CTL[@]}" vm update "$GUID" --user vail-alice
  register_as vail-alice alice
}

others() {
  says "vm update --json has the registration" '' --json vm update desk --user vail-bob
  expect_equal "vm update --json: pid, and no other member" "$PID false" \
    "$(jq -r '"\(.endedRegistrations[0].pid) \(has("endedDisplays"))"' <<<"$SAID")"
  register_again_as_alice
  says "revoke says whose registration it has ended" \
    "^vailctl: this ended the registration of process $PID \(vailctl, user vail-alice\)\$" revoke desk "$PID"
  register_again_as_alice
  says "vm quarantine says so, too" "^vailctl: this ended the registration of process $PID " vm quarantine desk
  says "vm quarantine for another reason ends nothing" "^\$" vm quarantine desk --reason other
  says "vm release ends nothing" "^\$" vm release desk
  register_again_as_alice
  says "vgpu remove says so for the last virtual GPU" \
    "^vailctl: this ended the registration of process $PID \(vailctl, user vail-alice\)\$" \
    vgpu remove "$("${CTL[@]}" --json show desk | jq -r '.virtualMachine.virtualGpus[0].virtualGpu')"
  "${CTL[@]}" vgpu assign desk >/dev/null
}

# The display clients of a VM without any of its own come from a drop-in, which a reload reads again.
reloads() {
  local second=3b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10

  mkdir "$CONFIG/machines.d"
  echo "{ \"virtualMachineGuid\": \"$second\", \"displayClients\": [{ \"user\": \"vail-alice\" }] }" \
    >"$CONFIG/machines.d/second.json"
  says "reload ends nothing" "^\$" reload
  add_vm "$second" "$VMM" >/dev/null
  assign_gpu "$second" >/dev/null
  GUID=$second register_as vail-alice second
  sed -i s/vail-alice/vail-bob/ "$CONFIG/machines.d/second.json"
  says "reload names the registration and the VM" \
    "^vailctl: this ended the registration of process $PID \(vailctl, user vail-alice\) for VM $second\$" reload
  expect_vailctl root 0 "the second VM is removed" vm remove "$second"
}

# Opens a display channel of alice. Sets VIEWER to its process.
open_channel() {
  session_open_with player vail-alice "$HELPERS/play-display" "$SOCKET" "$GUID"
  VIEWER=${SESSION_PID[player]}
  expect_reply "the viewer registers" STATUS_SUCCESS player register
  expect_reply "the viewer opens a display" "STATUS_SUCCESS 3" player "open 0"
}

channels() {
  "${CTL[@]}" vm update "$GUID" --user vail-alice:input
  expect_reply "the agent serves displays" STATUS_SUCCESS agent serve
  expect_reply "the agent is told that it serves" begun agent next
  open_channel
  says "display close says whose channel it has ended" \
    "^vailctl: this ended a display channel of process $VIEWER \(play-display, user vail-alice\)\$" \
    display close "$("${CTL[@]}" --json displays | jq -r '.displays[0].display')"
  session_kill player
  open_channel
  says "vm remove names registration and channel" \
    "^vailctl: this ended the registration of process $VIEWER .*
vailctl: this ended a display channel of process $VIEWER " vm remove desk
  session_kill player
}

# A user who has added a VM sees how many processes are registered, but not which.
users_own_vm() {
  echo '{ "allowUserMachines": true }' >"$CONFIG/vaild.json"
  "${CTL[@]}" reload
  exec_as vail-bob sleep infinity &
  eventually runs_as $! "$(id -u vail-bob)" sleep
  run_as vail-bob "${CTL[@]}" vm add "$OWN" --pid $!
  run_as vail-bob "${CTL[@]}" vgpu assign "$OWN" >/dev/null
  GUID=$OWN register_as vail-bob own
  expect_vailctl vail-bob 0 "the user removes the VM" vm remove "$OWN"
  expect_equal "the user gets the number" "vailctl: this ended 1 registration" "$SAID"
}

start_daemon
session_open_with agent vail-vmm "$HELPERS/play-display" "$SOCKET" "$GUID"
VMM=${SESSION_PID[agent]}
"${CTL[@]}" vm add "$GUID" --name desk --pid "$VMM" --user vail-alice
assign_gpu "$GUID" >/dev/null
updates
others
reloads
channels
users_own_vm
expect_clean_stop
finish
