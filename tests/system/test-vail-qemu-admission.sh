#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that vail-qemu waits without QEMU's monitor and without QEMU's display, both of which serve
# one client: while vaild is not reachable, and while another process is the VM's agent.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-qemu.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-qemu.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f11
QMP=$PRIVATE/guest/qmp

start_qemu() {
  rm -f "$QMP"
  session_open_with qemu root "$HELPERS/fake-qemu" "$QMP" "a guest" "$GUID" Graphic
  eventually test -S "$QMP"
}

# Starts vail-qemu. Sets AGENT to its pid.
start_agent() {
  : >"$PRIVATE/agent.log"
  "$ROOT/build/sanitized/vail-qemu" --qmp "$QMP" --socket "$SOCKET" 2>"$PRIVATE/agent.log" &
  AGENT=$!
}

end_qemu() {
  session_kill qemu
  wait "$AGENT" 2>/dev/null || true
  eventually running_vms_are ""
}

has_said() { grep -q "$1" "$PRIVATE/agent.log"; }

shared_by_agent() {
  [ "$("${CTL[@]}" --json objects | jq -r '.sharedObjects[].sharedByPid')" = "$AGENT" ]
}

# Plays a vaild that closes each connection, and prints a line for each.
cat >"$PRIVATE/closing-vaild.py" <<'EOP'
import os, socket, sys

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen()
while True:
    listener.accept()[0].close()
    print("asked", flush=True)
EOP

# Plays a program that uses the monitor, and keeps it until it is killed.
cat >"$PRIVATE/use-monitor.py" <<'EOP'
import signal, socket, sys

monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
print(monitor.makefile().readline(), flush=True)
signal.pause()
EOP

# was_asked COUNT: tests whether the played vaild was asked so often.
was_asked() { [ "$(wc -l <"$PRIVATE/asked")" -ge "$1" ]; }

check_busy_monitor() {
  local vaild user asked

  start_qemu
  kill_and_wait "$DAEMON"
  rm -f "$SOCKET"
  python3 "$PRIVATE/closing-vaild.py" "$SOCKET" >"$PRIVATE/asked" &
  vaild=$!
  eventually test -S "$SOCKET"
  start_agent
  eventually has_said 'waiting for it'
  python3 "$PRIVATE/use-monitor.py" "$QMP" >"$PRIVATE/greeting" &
  user=$!
  expect "another program can use the monitor while vail-qemu waits" \
    eventually grep -q QMP "$PRIVATE/greeting"
  # A vail-qemu that needed the monitor for that would not ask even once.
  asked=$(wc -l <"$PRIVATE/asked")
  expect "vail-qemu goes on asking vaild while the monitor is busy" \
    eventually_unless_gone "$AGENT" was_asked $((asked + 8))
  kill_and_wait "$user"
  kill_and_wait "$vaild"
  rm -f "$SOCKET"
  start_daemon
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "it shares the screen as soon as both are there" eventually shared_by_agent
  end_qemu
}

# As when two vail-qemu start at once: the first is the agent, and has not joined the display yet.
check_other_agent() {
  local other

  start_qemu
  sleep infinity &
  other=$!
  "${CTL[@]}" vm add "$GUID" --pid "${SESSION_PID[qemu]}" --name guest --agent-pid "$other" >/dev/null
  start_agent
  eventually has_said "the VM's agent is process $other"
  qemu "joins 0"
  expect_equal "the display is left to another process that is the agent" 0 "$REPLY"
  kill_and_wait "$other"
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "vail-qemu shares the screen when that process has ended" eventually shared_by_agent
  end_qemu
}

# A vail-qemu that gives up removes only a VM that it has added itself.
check_withdrawal() {
  local status=0

  start_qemu
  "${CTL[@]}" vm add "$GUID" --pid "${SESSION_PID[qemu]}" --name guest >/dev/null
  "$ROOT/build/sanitized/vail-qemu" --qmp "$QMP" --socket "$SOCKET" --user no-such-user \
    2>"$PRIVATE/agent.log" || status=$?
  expect_equal "a vail-qemu with an unknown user gives up" 1 "$status"
  expect "and leaves the VM that an operator has added" running_vms_are "$GUID"
  AGENT=$$ end_qemu
}

# A wrong --adapter ends vail-qemu like a wrong --user, because nobody sees a VM without a virtual GPU.
check_wrong_adapter() {
  local status=0

  start_qemu
  "$ROOT/build/sanitized/vail-qemu" --qmp "$QMP" --socket "$SOCKET" --adapter nosuch \
    2>"$PRIVATE/agent.log" || status=$?
  expect_equal "a vail-qemu with a wrong adapter gives up" 1 "$status"
  expect_match "it says how to find the right one" \
    "cannot assign a vGPU: no adapter has this handle; give --adapter .*vailctl adapters" "$(cat "$PRIVATE/agent.log")"
  expect "it removes the VM that it has added for that" running_vms_are ""
  AGENT=$$ end_qemu
}

# A QEMU without a D-Bus display lets nobody join it. That shows only after vail-qemu has added the VM.
check_removal() {
  local status=0 qemu check="a vail-qemu that cannot join the display"

  command -v qemu-system-x86_64 >/dev/null || {
    skip "$check" "QEMU is not installed"
    return
  }
  rm -f "$QMP"
  qemu-system-x86_64 -S -nodefaults -no-user-config -machine none -display none -uuid "$GUID" \
    -qmp "unix:$QMP,server=on,wait=off" 2>"$PRIVATE/qemu.log" &
  qemu=$!
  eventually_unless_gone "$qemu" test -S "$QMP"
  "$ROOT/build/sanitized/vail-qemu" --qmp "$QMP" --socket "$SOCKET" 2>"$PRIVATE/agent.log" || status=$?
  expect_equal "$check gives up" 1 "$status"
  expect_match "it has added the VM" "allowed io.vaild.Machine.RegisterVirtualMachine vm=$GUID" "$(cat "$LOG")"
  expect "it removes the VM that it has added" running_vms_are ""
  kill_and_wait "$qemu"
}

mkdir -m 777 "$PRIVATE/guest"
start_daemon
check_removal
check_other_agent
check_withdrawal
check_wrong_adapter
check_busy_monitor
expect_clean_stop
finish
