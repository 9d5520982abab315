#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks under a real systemd that everything survives a restart, a kill and an abort of the daemon,
# and the death and silence of its second process: all lists that an operator can read are the same before and after.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
GUEST=77777777-7777-4777-8777-777777777777
OTHER=99999999-9999-4999-8999-999999999999

# Prints everything that an operator can list. The daemon's own status is left out, because a
# restart changes it.
list_everything() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)" \
    "$(call io.vaild.Gpu.ListAdapters)" \
    "$(call io.vaild.Gpu.DescribeAddressSpace "{\"process\":\"$PROCESS\"}")" \
    "$(call io.vaild.Machine.ListQuarantines)" | jq -cS 'del(.. | .lastUpdate?)'
}

# Creates a VM with two vGPUs that shares an image, a viewer that has the image open, a process with
# reserved GPU addresses, a second registered process, and a quarantine of another VM. Sets VMM,
# VIEWER and LATER to pids, HANDLE to the image and PROCESS to the GPU process.
set_up() {
  local inode

  box_session vmm vail-vmm share-object "$GUID"
  expect_equal "the VM is registered" STATUS_SUCCESS "$(add_vm "$GUID" "$PID" "$ALICE_CLIENT")"
  VMM=$PID
  assign_gpu "$GUID" >/dev/null
  assign_gpu "$GUID" >/dev/null
  session_ask vmm "share read memory"
  read -r STATUS HANDLE inode <<<"$REPLY"
  expect_equal "the VMM shares an image" STATUS_SUCCESS "$STATUS"
  box_session viewer vail-alice open-object "$GUID"
  VIEWER=$PID
  expect_reply "the viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_reply "the viewer opens the image" "STATUS_SUCCESS $inode:read" viewer "open $HANDLE"
  box_session mapper vail-alice gpu-process
  session_ask mapper $'-\n-'
  while [[ $REPLY != "process "* ]] && read -r -u "${SESSION_OUT[mapper]}" REPLY; do :; done
  PROCESS=${REPLY#process }
  expect_match "another process reserves GPU addresses" '^[0-9a-f]{32}$' "$PROCESS"
  box_session later vail-alice open-object "$GUID"
  LATER=$PID
  expect_reply "a third process registers, which is killed later" "STATUS_SUCCESS STATUS_SUCCESS" \
    later register
  box vailctl vm quarantine "$OTHER" --reason "since before"
}

# check_restart HOW COMMAND...: restarts the daemon with the command, and expects everything to be
# the same. HOW is the prefix of the check names.
check_restart() {
  local how=$1 before limits_before
  shift
  DAEMON=$(property MainPID)
  before=$(list_everything)
  limits_before=$(charged)
  expect "$how: the command succeeds" quietly "$@"
  expect "$how: the daemon starts again" eventually has_restarted
  expect_equal "$how: all lists are the same as before" "$before" "$(list_everything)"
  expect_equal "$how: the limits are charged as before" "$limits_before" "$(charged)"
  expect_reply "$how: the viewer can still read its open image" "STATUS_SUCCESS " viewer "read 0"
  expect_reply "$how: the VMM writes to the image" STATUS_SUCCESS vmm "write 0 $how"
  expect_reply "$how: the viewer reads the new text" "STATUS_SUCCESS $how" viewer "read 0"
  expect_reply "$how: the VMM clears the image" STATUS_SUCCESS vmm "write 0 "
  reset_start_limits
}

# Prints the pid of the daemon's second process.
examiner() { box pgrep --exact vaild-examiner --parent "$(property MainPID)"; }

# Stops the second process and makes the daemon ask it. The daemon does not answer meanwhile.
hang_examiner() {
  box kill -STOP "$(examiner)"
  ask root "$(call io.vaild.Monitor.GetStatus)" || true
}

# expect_logged HOW PATTERN: checks that the daemon has logged why it ended.
expect_logged() {
  expect "$1: the daemon logs it" eventually log_has "second process, .*, $2; vaild exits"
}

# The daemon cannot work without its second process, and cannot start another.
check_examiner() {
  check_restart "examiner killed" box kill -KILL "$(examiner)"
  expect_logged "examiner killed" "has ended"
  check_restart "examiner stopped" hang_examiner
  expect_logged "examiner stopped" "does not answer"
}

# Kills a registered process while the daemon is stopped, then kills the daemon.
check_exit_during_restart() {
  DAEMON=$(property MainPID)
  expect "exit during a restart: the daemon is stopped" quietly \
    box systemctl kill --signal STOP vaild.service
  box kill -KILL "$LATER"
  expect "exit during a restart: the daemon is killed" quietly \
    box systemctl kill --signal KILL vaild.service
  expect "exit during a restart: the daemon starts again" eventually has_restarted
  expect_equal "exit during a restart: the killed process is not registered any more" "$VIEWER" \
    "$(registered_pids)"
  box vailctl status >"$PRIVATE/status"
  expect_match "exit during a restart: vailctl status shows how many records were restored" \
    'Restored: +[1-9]' "$(cat "$PRIVATE/status")"
  expect_match "exit during a restart: vailctl status shows how many records were dropped" \
    'Dropped: +[1-9]' "$(cat "$PRIVATE/status")"
  expect_match "exit during a restart: vailctl status shows the reason" \
    'Remark: +registration [0-9]+ was dropped: its process is gone' "$(cat "$PRIVATE/status")"
  reset_start_limits
}

# Registers a VM and an incoming VMM, restarts the daemon, and then ends the VMM while the daemon is
# stopped.
check_hand_over() {
  local first

  box_session first vail-vmm share-object "$GUID"
  first=$PID
  expect_equal "hand-over: the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$first" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  expect_reply "hand-over: the viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  box_session next vail-vmm share-object "$GUID"
  VMM=$PID
  expect_equal "hand-over: it begins" STATUS_SUCCESS "$(add_vm "$GUID" "$VMM")"
  session_ask next "share read memory"
  read -r STATUS HANDLE _ <<<"$REPLY"
  expect_equal "hand-over: the incoming VMM shares an image" STATUS_SUCCESS "$STATUS"
  DAEMON=$(property MainPID)
  expect "hand-over: the daemon is killed" quietly box systemctl kill --signal KILL vaild.service
  expect "hand-over: the daemon starts again" eventually has_restarted
  expect_equal "hand-over: a restart keeps both VMMs" "$first $VMM" "$(vmms)"
  reset_start_limits
  DAEMON=$(property MainPID)
  expect "hand-over: the daemon is stopped" quietly \
    box systemctl kill --signal STOP vaild.service
  box kill -KILL "$first"
  expect "hand-over: the daemon is killed again" quietly \
    box systemctl kill --signal KILL vaild.service
  expect "hand-over: the daemon starts once more" eventually has_restarted
  expect_equal "hand-over: the incoming VMM is the VMM after the start" "$VMM null" "$(vmms)"
  expect_equal "hand-over: the viewer is still registered" "$VIEWER" "$(registered_pids)"
  expect "hand-over: it is in the log" eventually log_has \
    "virtualMachineChanged vm=$GUID .*handOverCompleted"
  session_ask viewer "open $HANDLE"
  expect_match "hand-over: the viewer opens the image of the new VMM" "^STATUS_SUCCESS [0-9]*:read$" \
    "$REPLY"
  expect_reply "hand-over: the viewer closes it" STATUS_SUCCESS viewer close
  box kill -KILL "$VMM"
  expect "hand-over: the VM ends with its new VMM" eventually running_vms_are ""
  reset_start_limits
}

# Prints the pids of the VM's VMM and of its incoming VMM.
vmms() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" |
    field '.parameters.virtualMachines[] | "\(.vmmPid) \(.incomingVmmPid)"'
}

# The daemon that now serves the calls has restored the image and its first holder.
check_use_after_restarts() {
  box_session second vail-alice open-object "$GUID"
  expect_reply "after the restarts a new process registers" "STATUS_SUCCESS STATUS_SUCCESS" second \
    register
  session_ask second "open $HANDLE"
  expect_match "after the restarts the new process opens the image" "^STATUS_SUCCESS [0-9]*:read$" \
    "$REPLY"
  expect_reply "after the restarts unsharing the image reports both holders" \
    "STATUS_SUCCESS 2" vmm unshare
  expect_reply "after the restarts the first holder closes the image" STATUS_SUCCESS viewer close
  expect_reply "after the restarts the second holder closes the image" STATUS_SUCCESS second close
  box kill -KILL "$VMM"
  expect "after the restarts the VM ends with its VMM" eventually running_vms_are ""
  expect_equal "after the restarts the ended VM is not charged for any more" 0 \
    "$(ask root "$(call io.vaild.Monitor.GetStatus)" |
      jq '[.parameters.limits[] | select(.name == "virtualMachines" or .name == "objects" or
        .name == "registrations" or .name == "objectMebibytes") | .used] | add')"
}

## A guest's screen

# Prints all shared objects with their names and holders, and all registrations.
shown() {
  ask root "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.ListRegistrations)" | jq -c '.parameters |
    (.sharedObjects // [] | map([.handle, .object.name, [.holders[].pid]])),
    (.registrations // [] | map([.virtualMachineGuid, .pid]))' | paste -sd' '
}

is_shown() { [ "$(shown)" = "$1" ]; }
screen_is_open() { [[ $(shown) == *'"console 0",['[0-9]* ]]; }

stream_size() { box stat -c %s /tmp/frames; }
stream_is_larger_than() { [ "$(stream_size)" -gt "$1" ]; }

# Kills and restarts the daemon while vail-qemu shares a guest's screen with vail-view. Both
# continue with the same object, and the viewer gets every frame that is drawn afterwards.
check_guest_screen() {
  local how before size

  session_open_with qemu root /usr/local/lib/helpers/fake-qemu /run/guest.qmp "a guest" "$GUEST" Graphic
  expect "screen: fake-qemu has a monitor" eventually box test -S /run/guest.qmp
  box sh -c 'vail-qemu --qmp /run/guest.qmp --user vail-alice 2>/tmp/agent.said &'
  expect_reply "screen: vail-qemu registers a listener" ok qemu "listen 0 1"
  session_ask qemu "map 0 64 48"
  exec_as vail-alice sh -c "vail-view $GUEST --raw 2>/tmp/view.said | cat >/tmp/frames" &
  expect "screen: vail-view opens the guest's screen" eventually screen_is_open
  for how in kill restart; do
    before=$(shown)
    DAEMON=$(property MainPID)
    size=$(stream_size)
    if [ "$how" = kill ]; then box kill -KILL "$DAEMON"; else box systemctl restart vaild.service; fi
    expect "screen, $how: the daemon starts again" eventually has_restarted
    expect "screen, $how: vail-qemu logs that vaild is reachable again" eventually \
      box grep -q "is reachable again" /tmp/agent.said
    expect "screen, $how: vail-view holds the same object, and only once" eventually \
      is_shown "$before"
    expect_reply "screen, $how: the guest draws" ok qemu "update 0 1 1 8 8"
    expect "screen, $how: vail-view writes another frame" eventually stream_is_larger_than "$size"
    box sh -c ': >/tmp/agent.said'
    reset_start_limits
  done
  box pkill -KILL --exact fake-qemu
  session_kill qemu
  expect "screen: vail-qemu and vail-view end with QEMU" eventually have_ended vail-view vail-qemu
}

# have_ended NAME...: tests whether no such program runs any more. If one did, it would connect to
# the daemon that check_stop starts.
have_ended() {
  local name
  for name; do ! box pgrep --exact "$name" >/dev/null || return 1; done
}

check_failed_starts() {
  local before
  before=$(list_everything)
  box sh -c 'echo "{ \"limits\": }" >/etc/vaild/vaild.json'
  expect "invalid configuration: the daemon starts" quietly box systemctl restart vaild.service
  expect_equal "invalid configuration: all lists are the same as before" "$before" \
    "$(list_everything)"
  box rm /etc/vaild/vaild.json
  box mv "$QUARANTINES" "$QUARANTINES.moved"
  box ln -s quarantine.moved "$QUARANTINES"
  expect "failed start: the daemon does not start" fails box systemctl restart vaild.service
  expect "failed start: systemd retries the start" eventually has_failed_starts 3
  # The daemon has just failed and exits some seconds later, so no start comes in between.
  box sh -c "rm $QUARANTINES && mv $QUARANTINES.moved $QUARANTINES"
  expect "failed start: the daemon starts when the reason is gone" eventually \
    property_is ActiveState active
  expect_equal "failed start: all lists are the same as before" "$before" "$(list_everything)"
}

QUARANTINES=/var/lib/vaild/quarantine

fails() { ! "$@" >/dev/null 2>&1; }

# has_failed_starts COUNT: tests how often the daemon has reported the link.
has_failed_starts() {
  box journalctl --sync
  [ "$(box journalctl --quiet --no-pager -o cat --unit "$UNIT" | grep -c 'does not follow a symbolic link')" -ge "$1" ]
}

# A stop releases everything except quarantines.
check_stop() {
  expect "systemctl stop succeeds" quietly box systemctl stop vaild.service
  expect "systemctl start succeeds" quietly box systemctl start vaild.service
  expect_equal "a quarantine survives systemctl stop" "$OTHER" \
    "$(ask root "$(call io.vaild.Machine.ListQuarantines)" |
      field '.parameters.quarantines[].virtualMachineGuid')"
  expect_equal "no GPU process of a user survives systemctl stop" "" \
    "$(ask root "$(call io.vaild.Gpu.ListProcesses)" |
      field '.parameters.processes[] | select(.pid) | .pid')"
}

trap box_stop EXIT
box_start
box_install
set_up
check_restart "systemctl restart" box systemctl restart vaild.service
check_restart "SIGKILL" box systemctl kill --signal KILL vaild.service
check_restart "SIGABRT" box systemctl kill --signal ABRT vaild.service
check_examiner
check_exit_during_restart
check_failed_starts
check_use_after_restarts
check_hand_over
check_guest_screen
check_stop
box_log_on_failure
finish
