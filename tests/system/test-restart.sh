#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A daemon that goes and comes back has lost nothing: under a real systemd, over a restart, a kill
# and an abort, everything that an operator is told is the same before and after.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
GUEST=77777777-7777-4777-8777-777777777777
OTHER=99999999-9999-4999-8999-999999999999

# All that an operator is told, but for what is about the daemon and those who ask.
everything() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)" \
    "$(call io.vaild.Gpu.ListAdapters)" \
    "$(call io.vaild.Gpu.DescribeAddressSpace "{\"process\":\"$PROCESS\"}")" \
    "$(call io.vaild.Machine.ListQuarantines)" | jq -cS .
}

# A VM with two vGPUs that shares an image, a viewer that is registered, has it open, and has mapped
# addresses, and a VM in quarantine.
setting_up() {
  local inode

  box_session vmm vail-vmm share-object "$GUID"
  expect_equal "a VM" STATUS_SUCCESS "$(add_vm "$GUID" "$PID" "$ALICE_CLIENT")"
  VMM=$PID
  assign_gpu "$GUID" >/dev/null
  assign_gpu "$GUID" >/dev/null
  session_ask vmm "share read memory"
  read -r STATUS HANDLE inode <<<"$REPLY"
  expect_equal "shares an image" STATUS_SUCCESS "$STATUS"
  box_session viewer vail-alice open-object "$GUID"
  VIEWER=$PID
  expect_reply "a viewer is registered" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_reply "and opens it" "STATUS_SUCCESS $inode:read" viewer "open $HANDLE"
  box_session mapper vail-alice gpu-process
  session_ask mapper $'-\n-'
  while [[ $REPLY != "process "* ]] && read -r -u "${SESSION_OUT[mapper]}" REPLY; do :; done
  PROCESS=${REPLY#process }
  expect_match "another has reserved addresses" '^[0-9a-f]{32}$' "$PROCESS"
  box_session later vail-alice open-object "$GUID"
  LATER=$PID
  expect_reply "a third is registered, and will exit" "STATUS_SUCCESS STATUS_SUCCESS" later register
  box vailctl vm quarantine "$OTHER" --reason "since before"
}

# comes_back HOW COMMAND...
comes_back() {
  local how=$1 before limits_before
  shift
  DAEMON=$(property MainPID)
  before=$(everything)
  limits_before=$(charged)
  expect "$how" quietly "$@"
  expect "$how: it comes back" eventually is_another_and_up
  expect_equal "$how: everything is as it was" "$before" "$(everything)"
  expect_equal "$how: and charged for" "$limits_before" "$(charged)"
  expect_reply "$how: the viewer reads" "STATUS_SUCCESS " viewer "read 0"
  expect_reply "$how: what the VMM writes" STATUS_SUCCESS vmm "write 0 $how"
  expect_reply "$how: is in the same memory" "STATUS_SUCCESS $how" viewer "read 0"
  expect_reply "$how: and is cleared" STATUS_SUCCESS vmm "write 0 "
  forget_starts
}

# While there is no daemon a registered process and a VMM's agent end, and groups change.
dies_meanwhile() {
  DAEMON=$(property MainPID)
  expect "there is no daemon" quietly box systemctl kill --signal STOP vaild.service
  box kill -KILL "$LATER"
  expect "it is killed" quietly box systemctl kill --signal KILL vaild.service
  expect "it comes back" eventually is_another_and_up
  expect_equal "who died meanwhile is registered no more" "$VIEWER" "$(registered_pids)"
  box vailctl status >"$PRIVATE/status"
  expect_match "an operator is told how much was restored" 'Restored: +[1-9]' "$(cat "$PRIVATE/status")"
  expect_match "and how much dropped" 'Dropped: +[1-9]' "$(cat "$PRIVATE/status")"
  expect_match "and why" 'Remark: +registration [0-9]+ was dropped: its process is gone' "$(cat "$PRIVATE/status")"
  forget_starts
}

# A second opener goes through the daemon that has never seen the first.
goes_on() {
  box_session second vail-alice open-object "$GUID"
  expect_reply "another is registered" "STATUS_SUCCESS STATUS_SUCCESS" second register
  session_ask second "open $HANDLE"
  expect_match "and opens what was shared before" "^STATUS_SUCCESS [0-9]*:read$" "$REPLY"
  expect_reply "the VMM unshares: two hold it" "STATUS_SUCCESS 2" vmm unshare
  expect_reply "the first closes" STATUS_SUCCESS viewer close
  expect_reply "and the second" STATUS_SUCCESS second close
  box kill -KILL "$VMM"
  expect "the VM ends with its VMM" eventually running_are ""
  expect_equal "and with it what it charged" 0 "$(ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq '[.parameters.limits[] | select(.name == "virtualMachines" or .name == "objects" or
      .name == "registrations" or .name == "objectMebibytes") | .used] | add')"
}

## A guest's screen

# What is shown: by which object, who holds it, and who is registered.
shown() {
  ask root "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.ListRegistrations)" | jq -c '.parameters |
    (.sharedObjects // [] | map([.handle, .object.name, [.holders[].pid]])),
    (.registrations // [] | map([.virtualMachineGuid, .pid]))' | paste -sd' '
}

shows_something() { [[ $(shown) == *'"console 0",['[0-9]* ]]; }

frames() { box stat -c %s /tmp/frames; }
has_more_frames() { [ "$(frames)" -gt "$1" ]; }

# The daemon goes and comes back under a guest's agent and a viewer, who do not notice but for a
# sentence; each frame that is drawn afterwards is seen.
under_a_guest() {
  local how before frames

  session_open_with qemu root /usr/local/lib/helpers/fake-qemu /run/guest.qmp "a guest" "$GUEST" Graphic
  expect "a QEMU" eventually box test -S /run/guest.qmp
  box sh -c 'vail-qemu --qmp /run/guest.qmp --user vail-alice 2>/tmp/agent.said &'
  expect_reply "listens" ok qemu "listen 0 1"
  session_ask qemu "map 0 64 48"
  exec_as vail-alice sh -c "vail-view $GUEST --raw 2>/tmp/view.said | cat >/tmp/frames" &
  expect "its screen is shown" eventually shows_something
  for how in kill restart; do
    before=$(shown)
    DAEMON=$(property MainPID)
    frames=$(frames)
    if [ "$how" = kill ]; then box kill -KILL "$DAEMON"; else box systemctl restart vaild.service; fi
    expect "$how: vaild is there again" eventually is_another_and_up
    expect "$how: the agent has noticed" eventually box grep -q "is reachable again" /tmp/agent.said
    expect "$how: it is shown as before, and once" eventually is_shown "$before"
    expect_reply "$how: what is drawn" ok qemu "update 0 1 1 8 8"
    expect "$how: is seen" eventually has_more_frames "$frames"
    box sh -c ': >/tmp/agent.said'
    forget_starts
  done
  box pkill -KILL --exact fake-qemu
  session_kill qemu
  expect "with QEMU its agent and viewer end" eventually have_ended vail-view vail-qemu
}

# Those that have not ended would come back to the daemon that stopped starts.
have_ended() {
  local name
  for name; do ! box pgrep --exact "$name" >/dev/null || return 1; done
}

is_shown() { [ "$(shown)" = "$1" ]; }

# A start that fails for a while loses nothing.
cannot_start_for_a_while() {
  local before
  before=$(everything)
  box sh -c 'echo "{ \"limits\": }" >/etc/vaild/vaild.json'
  expect "a mistake in the configuration: it does not start" fails box systemctl restart vaild.service
  expect "nor does it again" eventually has_been_tried_again 6
  box rm /etc/vaild/vaild.json
  expect "once it is mended it does" eventually property_is ActiveState active
  expect_equal "and has lost nothing" "$before" "$(everything)"
}

fails() { ! "$@" >/dev/null 2>&1; }
property_is() { [ "$(property "$1")" = "$2" ]; }
has_been_tried_again() { [ "$(property NRestarts)" -ge "$1" ]; }

# stop gives everything back but quarantine.
stopped() {
  expect "systemctl stop" quietly box systemctl stop vaild.service
  expect "systemctl start" quietly box systemctl start vaild.service
  expect_equal "after a stop there is nothing but quarantine" "$OTHER" \
    "$(ask root "$(call io.vaild.Machine.ListQuarantines)" |
      field '.parameters.quarantines[].virtualMachineGuid')"
  expect_equal "and no process" "" "$(ask root "$(call io.vaild.Gpu.ListProcesses)" |
    field '.parameters.processes[] | select(.pid) | .pid')"
}

trap box_stop EXIT
box_start
box_install
setting_up
comes_back "systemctl restart" box systemctl restart vaild.service
comes_back "SIGKILL" box systemctl kill --signal KILL vaild.service
comes_back "SIGABRT" box systemctl kill --signal ABRT vaild.service
dies_meanwhile
cannot_start_for_a_while
goes_on
under_a_guest
stopped
box_log_on_failure
finish
