#!/bin/bash
# SPDX-License-Identifier: MIT
#
# vail-view hands a display channel to another program: --exec runs it, and --dbus-fd sends the channel
# to the program that has started vail-view. The other program is written with GDBus and knows nothing
# of vaild. It gets what the user's rights allow, loses it with them, and the user reads why.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

VIEW=("$PRIVATE/vail-view" --socket "$SOCKET" "a guest")
SAID_FILE=$PRIVATE/guest/said
PROGRAM_FILE=$PRIVATE/guest/program-runs
CONSOLE=/org/qemu/Display1/Console_0

needs_gdbus "vail-view hands a display channel to another program"

grant() { "${CTL[@]}" vm update "$GUID" --user vail-alice:view --user "vail-bob:$1" >/dev/null; }

# view USER ARGUMENT...: runs vail-view. Sets STATUS to its exit status, and SAID to its output.
view() {
  local user=$1
  shift
  STATUS=0
  SAID=$(run_as "$user" "${VIEW[@]}" "$@" 2>&1 </dev/null) || STATUS=$?
}

# expect_view CHECK USER STATUS PATTERN ARGUMENT...: checks the exit status and the output.
expect_view() {
  view "$2" "${@:5}"
  expect_equal "$1: exit status" "$3" "$STATUS"
  expect_match "$1: output" "$4" "$SAID"
}

# viewer NAME USER ARGUMENT...: starts vail-view as a session, with its messages in SAID_FILE.
viewer() {
  : >"$SAID_FILE"
  chmod 666 "$SAID_FILE"
  session_open_with "$1" "$2" "${VIEW[@]}" "${@:3}" 2>>"$SAID_FILE"
}

says() { grep -qE -- "$1" "$SAID_FILE"; }
has_ended() { is_gone_or_zombie "$1"; }

channels() { "${CTL[@]}" --json displays "$GUID" | jq -r '.displays[] | .rights | join(",")'; }
channels_are() { [ "$(channels | paste -sd';')" = "$1" ]; }
program_of() { cat "/proc/$1/task/$1/children"; }

# Tests whether bob can open a display, which he closes at once.
display_opens() { run_as vail-bob "${VIEW[@]}" --exec true 2>/dev/null; }

start_vm() {
  start_qemu
  start_agent
  expect "vail-qemu registers the VM" eventually running_vms_are "$GUID"
  eventually grant view,input
  expect "vail-qemu serves the guest's display" eventually display_opens
}

check_usage() {
  expect_view "--exec without a program" vail-bob 2 "--exec needs a value" --exec
  expect_view "--exec with -- behind it" vail-bob 2 "directly behind it" --exec -- true
  expect_view "--exec together with --png" vail-bob 2 "--exec goes with" --png x.png --exec true
  expect_view "--exec together with --dbus-fd" vail-bob 2 "exclude each other" --dbus-fd 0 --exec true
  expect_view "--dbus-fd with a closed fd" vail-bob 2 \
    "file descriptor 77 is not a connected Unix stream socket" --dbus-fd 77
  expect_view "--dbus-fd with a file" vail-bob 2 "is not a connected" --dbus-fd 0
  expect_view "--dbus-fd with a word" vail-bob 2 "takes the number of a file" --dbus-fd x
  expect_view "--rights alone" vail-bob 2 "--rights needs --exec" --rights view
  expect_view "an unknown right" vail-bob 2 "flying is not a right" --rights flying --exec true
  expect_view "two VMs" vail-bob 2 "more than one virtual machine is given: .* and other; see" other --exec true
}

# The words between quotes are for the shell that vail-view runs.
# shellcheck disable=SC2016
check_program() {
  expect_view "the number is in the arguments and in the environment" vail-bob 0 '^3 a3b3 3$' \
    --exec sh -c 'echo "$VAIL_DISPLAY_FD a{}b{} $1"' sh '{}'
  expect_view "options behind the program are its own" vail-bob 0 '^--png --rights$' \
    --exec echo --png --rights
  expect_view "the number is that of a socket" vail-bob 0 '^$' --exec sh -c 'test -S /dev/fd/{}'
  expect_view "the program finds vaild's socket" vail-bob 0 "^$SOCKET\$" \
    --exec sh -c 'echo $VAILD_SOCKET'
  expect_view "the exit status is that of the program" vail-bob 42 '^$' --exec sh -c 'exit 42'
  expect_view "a signal of the program ends vail-view, too" vail-bob 137 '' \
    --exec sh -c 'kill -KILL $$'
  expect_view "a program that does not exist" vail-bob 127 "cannot run $PRIVATE/none: No such" \
    --exec "$PRIVATE/none"
  expect_view "a program that cannot be run" vail-bob 126 "cannot run $PRIVATE: Perm" \
    --exec "$PRIVATE"
  expect "no channel is left" eventually channels_are ""
  expect_equal "an fd that is open already keeps its number" "4 /dev/null" \
    "$(run_as vail-bob "${VIEW[@]}" --exec sh -c 'echo "{} $(readlink /proc/self/fd/3)"' 3</dev/null)"
}

check_rights() {
  expect_view "a right that the user lacks is refused" vail-alice 1 'no right to input.*ACCESS_DENIED' \
    --rights input --exec true
  expect_view "the user reads that the program cannot type" vail-alice 0 \
    "these rights: view;.*vm update \"a guest\" --user vail-alice:view,input \(and --user for each other user\)" \
    --exec true
  expect_view "who asks for less reads nothing" vail-alice 0 '^$' --rights view --exec true
  expect_view "a user without the VM is refused" vail-vmm 1 'a guest' --exec true
  viewer less vail-bob --rights view --exec "$PRIVATE/gdbus-viewer" '{}'
  expect_reply "with less rights, there is no keyboard" "$PREFIX.Console" less "interfaces $CONSOLE"
  expect "the channel has these rights alone" channels_are view
  session_kill less
  expect "the channel ends with vail-view" eventually channels_are ""
}

# Root's processes have capabilities, so a display client that is the user root does not match them. The
# command that root reads must not take the picture away.
check_root() {
  local advice

  "${CTL[@]}" vm update "$GUID" --client-pid $$:view >/dev/null
  viewer rooted root --exec "$PRIVATE/gdbus-viewer" '{}'
  expect "root reads a command that names the process" eventually says \
    "these rights: view;.*vm update \"a guest\" --client-pid ${SESSION_PID[rooted]}:view,input \(and "
  advice=$(sed -n 's/.*grants more with: vailctl \(.*\) (and.*/\1/p' "$SAID_FILE")
  eval "\"\${CTL[@]}\" $advice" >/dev/null
  expect "root's process stays registered after the command" registered_pids_are "${SESSION_PID[rooted]}"
  expect_view "root's next vail-view has the right" root 0 '^$' --exec true
  session_kill rooted
  expect "the channel ends with root's vail-view" eventually channels_are ""
  grant view,input
}

# A program that knows only D-Bus sees and types.
check_foreign_program() {
  viewer foreign vail-bob --exec "$PRIVATE/gdbus-viewer" '{}'
  expect_reply "a foreign program finds its interfaces" \
    "$PREFIX.Console $PREFIX.Keyboard $PREFIX.Mouse $PREFIX.MultiTouch" foreign "interfaces $CONSOLE"
  expect_reply "a foreign program types" ok foreign "call $CONSOLE $PREFIX.Keyboard Press u 30"
  expect_reply "a foreign program has no clipboard" "$DENIED" foreign \
    "call /org/qemu/Display1/Clipboard $PREFIX.Clipboard Register"
  expect_reply "a foreign program registers a listener" ok foreign "listen 0 map"
  session_ask qemu "map 0 64 48"
  expect_reply "a foreign program sees the screen" "map read-only" foreign "screen 64x48"
  expect "vail-view alone is registered" eventually registered_pids_are "${SESSION_PID[foreign]}"
}

# expect_reason CHECK PATTERN: the viewer "foreign" loses its channel, and the user reads why.
expect_reason() {
  expect_reply "$1: the program sees the end" end foreign end
  expect "$1: the user reads why" eventually says "$2"
  session_kill foreign
}

check_ends() {
  grant view
  expect_reason "withdrawn rights" \
    "^vail-view: the display channel of \"a guest\" has ended: a right on the display was withdrawn; run vail-view again for the rights that are left$"
  grant view,input
  viewer foreign vail-bob --exec "$PRIVATE/gdbus-viewer" '{}'
  expect_reply "the program is ready" 0 foreign "get $CONSOLE $PREFIX.Console Head"
  "${CTL[@]}" revoke "$GUID" "${SESSION_PID[foreign]}" >/dev/null
  expect_reason "revocation" "has ended: the registration was revoked; .*vailctl show \"a guest\"$"
}

# The program ends at once, so that vail-view hears of its end and of the channel's at the same time.
check_end_at_once() {
  local viewer

  : >"$SAID_FILE"
  # The program reads no more than one byte at a time, and ends when the channel does. It starts when
  # vail-view watches the channel.
  # shellcheck disable=SC2016 # the words are for the shell that vail-view runs
  exec_as vail-bob "${VIEW[@]}" --exec sh -c 'echo >"$1"; cat <&{} >/dev/null; exit 5' sh "$PROGRAM_FILE" \
    2>>"$SAID_FILE" &
  viewer=$!
  expect "the program runs" eventually test -e "$PROGRAM_FILE"
  expect "the channel is open" channels_are view,input
  "${CTL[@]}" revoke "$GUID" "$viewer" >/dev/null
  STATUS=0
  wait "$viewer" || STATUS=$?
  expect_equal "the program's exit status is passed on" 5 "$STATUS"
  expect "the user reads why although the program has ended" says "the registration was revoked"
  expect_equal "the user reads it once" 1 "$(wc -l <"$SAID_FILE")"
}

# terminate PID: tests whether the process has ended. Otherwise, asks it to.
terminate() {
  is_gone_or_zombie "$1" && return
  kill -TERM "$1"
  return 1
}

# The program ends while vaild does not answer.
check_hanging_vaild() {
  local viewer program

  rm -f "$PROGRAM_FILE"
  # shellcheck disable=SC2016 # the words are for the shell that vail-view runs
  exec_as vail-bob "${VIEW[@]}" --exec sh -c 'echo >"$1"; exec sleep infinity' sh "$PROGRAM_FILE" &
  viewer=$!
  eventually test -e "$PROGRAM_FILE"
  program=$(program_of "$viewer")
  kill -STOP "$DAEMON"
  kill -KILL "${program% }"
  expect "a signal ends vail-view when the program has ended and vaild hangs" \
    eventually terminate "$viewer"
  kill -CONT "$DAEMON"
  wait "$viewer" || true
  expect "no channel is left" eventually channels_are ""
}

check_death() {
  local program viewer

  viewer foreign vail-bob --exec "$PRIVATE/gdbus-viewer" '{}'
  expect_reply "the program is ready" 0 foreign "get $CONSOLE $PREFIX.Console Head"
  kill_and_wait "${SESSION_PID[foreign]}"
  expect_reply "when vail-view is killed, the program loses the channel" end foreign end
  session_kill foreign
  # The program takes the signal that vail-view gets.
  exec_as vail-bob "${VIEW[@]}" --exec sh -c 'trap "exit 7" TERM; echo ready; while :; do read -r _; done' \
    <>"$PRIVATE/silence" >"$SAID_FILE" &
  viewer=$!
  expect "the program runs" eventually says ready
  program=$(program_of "$viewer")
  kill -TERM "$viewer"
  STATUS=0
  wait "$viewer" || STATUS=$?
  expect_equal "a signal of vail-view is passed on" 7 "$STATUS"
  expect "the program has ended" is_gone_or_zombie "${program% }"
}

# A program that starts vail-view gets the channel over a socket.
make_receiver() {
  cat >"$PRIVATE/receive-display" <<'END'
#!/usr/bin/python3
"""receive-display MODE COMMAND...: runs vail-view with a socket, and receives a channel over it."""
import os, socket, stat, subprocess, sys

ours, theirs = socket.socketpair()
view = subprocess.Popen(sys.argv[2:] + ["--dbus-fd", str(theirs.fileno())], pass_fds=[theirs.fileno()])
theirs.close()
line, fds, _, _ = socket.recv_fds(ours, 64, 4)
if sys.argv[1] == "ask":
    kinds = [stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in fds]
    ours.close()
    print(line.decode().strip(), kinds, view.wait())
elif sys.argv[1] == "wait":
    print(line.decode().strip(), flush=True)
    print(view.wait(), flush=True)
else:
    os.set_inheritable(fds[0], True)
    ours.set_inheritable(True)
    os.execv(sys.argv[1], [sys.argv[1], str(fds[0])])
END
  chmod 755 "$PRIVATE/receive-display"
}

check_socket() {
  make_receiver
  expect_equal "the channel comes over the socket with its rights, and vail-view ends with it" \
    "view,input [True] 0" "$(run_as vail-bob "$PRIVATE/receive-display" ask "${VIEW[@]}")"
  expect_equal "fewer rights can be asked for" "view [True] 0" \
    "$(run_as vail-bob "$PRIVATE/receive-display" ask "${VIEW[@]}" --rights view)"
  expect "no channel is left" eventually channels_are ""
  session_open_with foreign vail-bob "$PRIVATE/receive-display" "$PRIVATE/gdbus-viewer" "${VIEW[@]}"
  expect_reply "the program that has started vail-view can type" ok foreign \
    "call $CONSOLE $PREFIX.Keyboard Press u 30"
  session_kill foreign
  expect "the channel ends with that program" eventually channels_are ""
  : >"$SAID_FILE"
  session_open_with waiting vail-bob "$PRIVATE/receive-display" wait "${VIEW[@]}" 2>>"$SAID_FILE"
  IFS= read -r -u "${SESSION_OUT[waiting]}" REPLY
  expect_equal "another channel is open" view,input "$REPLY"
  grant view
  IFS= read -r -u "${SESSION_OUT[waiting]}" REPLY
  expect_equal "vail-view fails when the right is withdrawn" 1 "$REPLY"
  expect "vail-view says why" says "a right on the display was withdrawn"
  session_kill waiting
}

check_restart() {
  grant view,input
  viewer foreign vail-bob --exec "$PRIVATE/gdbus-viewer" '{}'
  expect_reply "the program is ready" 0 foreign "get $CONSOLE $PREFIX.Console Head"
  kill_and_wait "$DAEMON"
  start_daemon
  expect_reason "restart without systemd" "vaild was restarted and does not know its registration"
  expect "the VM is back" eventually running_vms_are "$GUID"
  eventually grant view,input
  expect "the display is served again" eventually display_opens
}

check_end_of_vm() {
  viewer foreign vail-bob --rights view --exec "$PRIVATE/gdbus-viewer" '{}'
  expect_reply "the program is ready" 0 foreign "get $CONSOLE $PREFIX.Console Head"
  session_kill qemu
  expect_reason "end of the VM" "has ended: (the VM's VMM has exited; start the VM|the VM's agent)"
  wait "$AGENT" || true
  expect_view "a VM that has ended" vail-bob 1 "a guest" --exec true
}

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-view" "$ROOT/build/sanitized/vail-qemu" \
  "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_vm
check_usage
check_program
check_rights
check_root
check_foreign_program
check_ends
check_end_at_once
check_hanging_vaild
check_death
check_socket
check_restart
check_end_of_vm
expect_clean_stop
finish
