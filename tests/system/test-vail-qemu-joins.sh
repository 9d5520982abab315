#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the ways in which vail-qemu reaches QEMU's display without QEMU's monitor: a socket that
# another program has passed to QEMU, as libvirt does, and a message bus that QEMU has joined.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

BUS=unix:path=$PRIVATE/guest/bus

# Plays libvirt: passes one end of a socket pair to QEMU as a client of its display, and executes
# vail-qemu with the other end.
cat >"$PRIVATE/pass-display.py" <<'EOF'
import os, socket, sys

monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
replies = monitor.makefile()

def execute(command, fds=()):
    socket.send_fds(monitor, [command.encode()], fds)
    while '"return"' not in replies.readline():
        pass

ours, theirs = socket.socketpair()
execute('{"execute":"qmp_capabilities"}')
execute('{"execute":"getfd","arguments":{"fdname":"display"}}', [theirs.fileno()])
execute('{"execute":"add_client","arguments":{"protocol":"@dbus-display","fdname":"display"}}')
theirs.close()
os.set_inheritable(ours.fileno(), True)
os.execv(sys.argv[2], sys.argv[2:3] + ["--display-fd", str(ours.fileno())] + sys.argv[3:])
EOF

# agent OPTION...: starts vail-qemu with these options only. Sets AGENT to its pid.
agent() {
  : >"$PRIVATE/agent.log"
  "$VAIL_QEMU" --socket "$SOCKET" "$@" 2>"$PRIVATE/agent.log" &
  AGENT=$!
}

vm_is() {
  [ "$("${CTL[@]}" --json list | jq -r '.virtualMachines[] | "\(.name) \(.vmmPid)"')" = "$1" ]
}

check_passed_socket() {
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  : >"$PRIVATE/agent.log"
  python3 "$PRIVATE/pass-display.py" "$QMP" "$VAIL_QEMU" --socket "$SOCKET" 2>"$PRIVATE/agent.log" &
  AGENT=$!
  expect "vail-qemu shares the screen of a display whose socket it was passed" \
    eventually console_is 720x400
  expect "the VM has QEMU's name and process, not those of the program that made the socket" \
    vm_is "a guest $QEMU"
  guest_awaits_keys
  press_key
  expect "a mode change arrives over the passed socket" eventually console_is 640x400
  kill_and_wait "$QEMU"
  agent_ends "vail-qemu exits when that QEMU is killed" 0 'QEMU has ended$'
}

check_unsuitable_sockets() {
  agent --display-fd 9 9<>/dev/null
  agent_ends "a file that is not a socket is refused" 1 'file descriptor 9 is not a connected Unix'
  agent --display-fd 9 9<&-
  agent_ends "a closed fd is refused" 1 'file descriptor 9 is not a connected Unix'
  agent --display-fd 2
  agent_ends "standard error is no display" 2 'number of an inherited socket, above 2'
  agent --display-fd x
  agent_ends "a word is no display" 2 'number of an inherited socket, above 2'
  agent --display-fd 9 --bus "$BUS"
  agent_ends "only one way to the display can be given" 2 'only one of --qmp, --display-fd and --bus'
}

check_bus() {
  agent --bus "$BUS"
  agent_ends "a missing bus is reported" 1 "cannot .*bus.*No such file"
  dbus-daemon --session --nofork --nopidfile --address="$BUS" 2>"$PRIVATE/bus.log" &
  local bus=$!
  eventually test -S "$PRIVATE/guest/bus"
  agent --bus "$BUS"
  agent_ends "a bus without QEMU is reported" 1 'no QEMU has joined this bus'
  start_guest -name "a guest" -uuid "$GUID" -display "dbus,addr=$BUS" -device virtio-vga "${WITH_DISK[@]}"
  agent --bus "$BUS"
  expect "vail-qemu shares the screen of a QEMU that has joined a bus" eventually console_is 720x400
  expect "the VM has the name and the process of the QEMU on the bus" vm_is "a guest $QEMU"
  guest_awaits_keys
  press_key
  expect "a mode change arrives over the bus" eventually console_is 640x400
  kill_and_wait "$QEMU"
  agent_ends "vail-qemu exits when the QEMU on the bus is killed" 0 'QEMU has ended$'
  kill_and_wait "$bus"
}

# As with libvirt's buses, only QEMU's user may connect to this one. So an operator makes this user
# the agent.
check_bus_of_another_user() {
  rm -f "$PRIVATE/guest/bus"
  run_as vail-alice dbus-daemon --session --nofork --nopidfile --address="$BUS" 2>"$PRIVATE/bus.log" &
  local bus=$!
  eventually test -S "$PRIVATE/guest/bus"
  exec_qemu() { exec_as vail-alice qemu-system-x86_64 "$@"; }
  start_guest -name "a guest" -uuid "$GUID" -display "dbus,addr=$BUS" -device virtio-vga "${WITH_DISK[@]}"
  "${CTL[@]}" vm add "$GUID" --pid "$QEMU" --name guest --user vail-alice --agent-user vail-alice >/dev/null
  "${CTL[@]}" vgpu assign "$GUID" >/dev/null
  : >"$PRIVATE/agent.log"
  run_as vail-alice "$PRIVATE/vail-qemu" --socket "$SOCKET" --bus "$BUS" 2>"$PRIVATE/agent.log" &
  AGENT=$!
  expect "the user of QEMU and of its bus shares the screen as the VM's agent" \
    eventually console_is 720x400
  kill_and_wait "$QEMU"
  agent_ends "that vail-qemu exits when QEMU is killed" 0 'QEMU has ended$'
  kill_and_wait "$bus"
}

# libvirt's monitors are in folders named domain-ID-NAME. libvirt could not use a monitor that
# vail-qemu has taken from it.
check_libvirt_monitor() {
  mkdir -p "$PRIVATE/guest/domain-3-guest"
  QMP=$PRIVATE/guest/domain-3-guest/monitor.sock start_guest "${WITH_DISPLAY[@]}"
  ln -s domain-3-guest/monitor.sock "$PRIVATE/guest/link"
  agent --qmp "$PRIVATE/guest/link"
  agent_ends "libvirt's own monitor is refused, also behind a link" 1 "libvirt's own monitor"
  kill_and_wait "$QEMU"
}

cp "$VAIL_QEMU" "$PRIVATE/vail-qemu"
make_changing_disk
start_daemon
check_passed_socket
check_unsuitable_sockets
check_bus
check_libvirt_monitor
check_bus_of_another_user
expect_clean_stop
finish
