# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# Shared functions of the system tests. A script that sources this file runs as root in new mount
# and pid namespaces. It can therefore add users, mount file systems and kill processes, and two
# scripts can run at the same time. When the script ends, the kernel kills its processes and removes
# its mounts. The daemon runs as the user vaild with CAP_SYS_PTRACE as its only capability, as its
# unit configures it. The user ids are real, because there is no user namespace.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
NAME=$(basename "$0" .sh)

# Executes the script again, as root and in new namespaces. Arguments: those of the script.
enter_namespaces() {
  local become_root=()

  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "not ok $NAME: needs root, or sudo to become root"
      exit 1
    }
    become_root=(sudo)
  fi
  exec "${become_root[@]}" env -u NOTIFY_SOCKET -u LISTEN_FDS VAILD_TEST_INSIDE="$ROOT" \
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    "$BASH" "$0" "$@" </dev/null
}

[ "${VAILD_TEST_INSIDE:-}" = "$ROOT" ] || enter_namespaces "$@"
unset VAILD_TEST_INSIDE
umask 022

# A file system that every user can reach and that is unmounted with the namespace. It must not hide
# the source tree.
case $ROOT/ in
/mnt/*) PRIVATE=/media ;;
*) PRIVATE=/mnt ;;
esac
mount -t tmpfs -o mode=755 tmpfs "$PRIVATE"

# The tests count adapters, so the GPUs of the machine do not count.
[ ! -d /sys/class/drm ] || mount -t tmpfs tmpfs /sys/class/drm

# They count VMs, so the machine's systemd-machined must not name any.
[ ! -d /run/dbus ] || mount -t tmpfs tmpfs /run/dbus

## Users

ALICE=47001
BOB=47002
readonly ALICE BOB

declare -A GIDS=([root]=0)

# add_user NAME ID SHELL: adds a user and a group, both called NAME and with the same id.
add_user() {
  GIDS[$1]=$2
  echo "$1:x:$2:$2::/:$3" >>"$PRIVATE/etc/passwd"
  echo "$1:x:$2:" >>"$PRIVATE/etc/group"
}

# Adds the tests' users to those of the host, in this namespace only. vail-alice and vail-bob are
# login users, vail-carol is an operator, and vail-vmm is a service's user, like libvirt's.
# vail-alice is also in the group vail-video.
make_users() {
  mkdir "$PRIVATE/etc"
  sed '/^vail/d' /etc/passwd >"$PRIVATE/etc/passwd"
  sed '/^vail/d' /etc/group >"$PRIVATE/etc/group"
  add_user vail-alice "$ALICE" /bin/bash
  add_user vail-bob "$BOB" /bin/bash
  add_user vail-carol 47003 /bin/bash
  add_user vail-vmm 947 /usr/sbin/nologin
  echo "vaild:x:948:948::/:/usr/sbin/nologin" >>"$PRIVATE/etc/passwd"
  printf '%s\n' vaild:x:948:vail-carol vail-video:x:47010:vail-alice vail-extra:x:47011: \
    >>"$PRIVATE/etc/group"
  mount --bind "$PRIVATE/etc/passwd" /etc/passwd
  mount --bind "$PRIVATE/etc/group" /etc/group
}

# exec_as USER COMMAND...: executes COMMAND with the credentials that USER has after a login. If
# this is run in the background, $! is the pid of COMMAND.
exec_as() {
  local user=$1
  shift
  exec setpriv --reuid "$user" --regid "${GIDS[$user]:-$(id -g "$user")}" --init-groups --inh-caps=-all -- "$@"
}

# run_as USER COMMAND...: runs COMMAND as USER and waits for it.
run_as() {
  (exec_as "$@")
}

## Programs

# Copies the programs to where every user can run them, because only root may have access to the
# source tree. Sets HELPERS to the folder of the helper programs.
copy_programs() {
  mkdir -p "$PRIVATE/build/tests/helpers"
  [ ! -d "$ROOT/build/tests/helpers" ] || cp -r "$ROOT/build/tests/helpers" "$PRIVATE/build/tests/"
  cp "$ROOT/build/vailctl" "$ROOT"/build/libvail.so* "$PRIVATE/build/"
  chmod -R a+rX "$PRIVATE/build"
  HELPERS=$PRIVATE/build/tests/helpers
}

# need_program PATH...: ends the test, with the command that helps, if a program is not built.
need_program() {
  local path unbuilt=()

  for path; do
    [ -x "$path" ] && continue
    path=${path#"$ROOT/"}
    unbuilt+=("${path#"$PRIVATE/"}") # a copy of a program
  done
  [ "${#unbuilt[@]}" -gt 0 ] || return 0
  echo "not ok $NAME: not built: ${unbuilt[*]}; run: make ${unbuilt[*]}"
  exit 1
}

## Results

FAILED=0

# ok CHECK: reports that a check passed.
ok() { echo "ok $*"; }

# not_ok CHECK DETAILS: reports that a check failed, and counts it in FAILED.
not_ok() {
  echo "not ok $1: $2"
  FAILED=$((FAILED + 1))
}

# skip CHECK REASON: reports that a check was skipped.
skip() { echo "skip $1: $2"; }

# expect_equal CHECK EXPECTED ACTUAL: checks that two strings are equal.
expect_equal() {
  if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi
}

# expect_match CHECK PATTERN ACTUAL: checks that ACTUAL matches an extended regular expression.
expect_match() {
  if [[ $3 =~ $2 ]]; then ok "$1"; else not_ok "$1" "expected /$2/, got '$3'"; fi
}

# expect CHECK COMMAND...: checks that COMMAND succeeds.
expect() {
  local check=$1
  shift
  if "$@"; then ok "$check"; else not_ok "$check" "failed: $*"; fi
}

# quietly COMMAND...: runs COMMAND and prints the end of its output only if it fails.
quietly() { "$@" >"$PRIVATE/output" 2>&1 || { tail -n 100 "$PRIVATE/output" | sed 's/^/# /'; return 1; }; }

# expect_silent CHECK COMMAND...: checks that COMMAND succeeds and prints nothing.
expect_silent() {
  local check=$1 output status=0

  shift
  output=$("$@" 2>&1) || status=$?
  expect_equal "$check" "0: " "$status: $output"
}

# No process writes to this FIFO. A read from it with a timeout is a pause without a new process.
mkfifo "$PRIVATE/silence"
exec {SILENCE}<>"$PRIVATE/silence"

# pause_for MILLISECONDS: pauses for less than 1000 ms.
pause_for() { read -r -t "0.$(printf %03d "$1")" -u "$SILENCE" || true; }

# note_wait COMMAND...: logs a wait of more than 10 s.
note_wait() { echo "# still waiting: $*" >&2; }

# eventually COMMAND...: repeats COMMAND until it succeeds, without a deadline, because a machine
# can be slow. Fails only if the daemon of start_daemon exits meanwhile, because the event would
# then never happen. tests/check ends a test that hangs. A wait of more than 10 s is logged.
eventually() {
  local since=$SECONDS running=$RUNNING pause=5

  [ -z "$running" ] || ! is_gone "$running" || running=
  until "$@"; do
    if [ -n "$running" ] && is_gone "$running"; then
      "$@"
      return
    fi
    if [ -n "$since" ] && [ $((SECONDS - since)) -ge 10 ]; then
      note_wait "$@"
      since=
    fi
    pause_for "$pause"
    pause=$((pause < 50 ? pause + 1 : pause))
  done
}

# Exits with status 0 if all checks passed, otherwise with 1.
finish() {
  [ "$FAILED" -eq 0 ]
  exit
}

# eventually_unless_gone PID COMMAND...: repeats COMMAND until it succeeds. Fails if the process exits before
# that.
eventually_unless_gone() {
  local pid=$1
  shift
  eventually succeeds_or_gone "$pid" "$@"
  "$@"
}

# succeeds_or_gone PID COMMAND...: succeeds if COMMAND does or if the process has exited.
succeeds_or_gone() { "${@:2}" || is_gone_or_zombie "$1"; }

# is_gone_or_zombie PID: tests whether the process has exited.
is_gone_or_zombie() { ! grep -qE '^State:	[^ZX]' "/proc/$1/status" 2>/dev/null; }

# is_mounted FOLDER PID: waits until the process has mounted a file system at FOLDER. Fails if the
# process exits before that.
is_mounted() { eventually_unless_gone "$2" mountpoint -q "$1"; }

# png_size FILE: prints the width and height from the header of a PNG file.
png_size() {
  od --address-radix=n --skip-bytes=16 --read-bytes=8 --format=u4 --endian=big "$1" | xargs
}

## The daemon

SOCKET=$PRIVATE/run/vaild.sock
CONFIG=$PRIVATE/config
STATE=$PRIVATE/state
LOG=$PRIVATE/log
VAILD=${VAILD:-$ROOT/build/sanitized/vaild}
DAEMON=
RUNNING= # the pid of the daemon of start_daemon, or empty

# is_gone PID: tests whether the process has exited and has been waited for.
is_gone() { [ ! -e "/proc/$1" ]; }

# holds PID PATTERN: tests whether the process has a file open whose name matches PATTERN (grep).
holds() {
  readlink "/proc/$1/fd/"* 2>/dev/null | grep -- "$2" >/dev/null
}

# Prints the number of fds that the daemon has open.
descriptors() { find "/proc/$DAEMON/fd" -mindepth 1 2>/dev/null | wc -l; }
# open_fds_are NUMBER: tests whether the daemon has NUMBER fds open.
open_fds_are() { [ "$(descriptors)" -eq "$1" ]; }

# kill_and_wait PID: kills a child process of this shell with SIGKILL and waits for it.
kill_and_wait() {
  kill -KILL "$1"
  wait "$1" 2>/dev/null || true
}

# hold_connections SOCKET USER COUNT: has this many processes of the user that hold a connection each. One
# whose connection was refused, because another of the user took its place, is started again at the
# next call.
hold_connections() {
  local i

  for ((i = 0; i < $3; i++)); do
    if [ -n "${CONNECTION_PIDS[i]:-}" ] && ! is_gone_or_zombie "${CONNECTION_PIDS[i]}"; then continue; fi
    exec_as "$2" socat -u "UNIX-CONNECT:$1" OPEN:/dev/null &
    CONNECTION_PIDS[i]=$!
  done
}

# Ends the connections of hold_connections.
release_connections() {
  local pid

  for pid in "${CONNECTION_PIDS[@]}"; do kill_and_wait "$pid" 2>/dev/null || true; done
  CONNECTION_PIDS=()
}

# Makes the daemon's folders and an empty log.
make_folders() {
  mkdir -p "$PRIVATE/run" "$PRIVATE/runtime" "$STATE" "$CONFIG/vaild.json.d"
  chown vaild:vaild "$PRIVATE/run" "$PRIVATE/runtime" "$STATE"
  : >"$LOG"
}

# The command that starts a program with the daemon's credentials, the same that its unit sets.
CAPABILITIES=-all,+sys_ptrace
AS_DAEMON=(setpriv --reuid vaild --regid vaild --clear-groups --inh-caps="$CAPABILITIES"
  --ambient-caps="$CAPABILITIES" --bounding-set="$CAPABILITIES" --)

# Skips the whole test if strace(1) is not allowed to trace processes.
needs_tracing() {
  strace -o "$PRIVATE/trace" -e inject=getpid:error=EPERM true 2>/dev/null && return
  skip "$NAME" "strace(1) may not trace processes on this machine"
  finish
}

# exec_daemon [WRAPPER...]: executes the daemon. If this is run in the background, $! is its pid.
# WRAPPER is a command that executes the rest of its arguments.
exec_daemon() {
  exec "$@" "${AS_DAEMON[@]}" "$VAILD" --socket "$SOCKET" --runtime-dir "$PRIVATE/runtime" \
    --state-dir "$STATE" --config "$CONFIG"
}

# Tests whether the daemon serves.
daemon_is_ready() {
  [ -S "$SOCKET" ] && [[ $(<"$LOG") == *"vaild: ready on"* ]]
}

daemon_is_ready_or_gone() {
  daemon_is_ready || is_gone "$DAEMON"
}

# try_daemon [WRAPPER...]: starts a daemon that is expected to exit at once. Sets STATUS to its exit
# status, or to "runs" if it serves and had to be killed. Its output is in the file LOG.
try_daemon() {
  : >"$LOG"
  exec_daemon "$@" 2>"$LOG" &
  DAEMON=$!
  RUNNING=
  STATUS=0
  eventually daemon_is_ready_or_gone
  if daemon_is_ready; then
    kill_and_wait "$DAEMON"
    STATUS=runs
  else
    wait "$DAEMON" || STATUS=$?
  fi
}

# start_daemon [WRAPPER...]: starts the daemon and waits until it serves. Sets DAEMON and RUNNING to
# its pid. Its output is in the file LOG. Exits if the daemon does not start.
start_daemon() {
  : >"$LOG" # otherwise daemon_is_ready would find the message of an earlier daemon
  exec_daemon "$@" 2>"$LOG" &
  DAEMON=$!
  RUNNING=
  eventually daemon_is_ready_or_gone
  RUNNING=$DAEMON
  daemon_is_ready && return
  echo "not ok $NAME: the daemon does not start"
  sed 's/^/# log: /' "$LOG"
  exit 1
}

# Ends the daemon with SIGTERM, as systemd does. Sets STATUS to its exit status.
stop_daemon() {
  STATUS=0
  kill -TERM "$DAEMON"
  wait "$DAEMON" || STATUS=$?
}

# The last check of a test: stops the daemon and checks that its exit status is 0 and that neither a
# sanitizer nor an assertion has reported an error.
expect_clean_stop() {
  stop_daemon
  expect_equal "$NAME: the daemon ends cleanly" 0 "$STATUS"
  if grep -qE 'Sanitizer|runtime error|Assertion' "$LOG"; then
    not_ok "$NAME: the sanitizers report no errors" "see the log"
  fi
  [ "$FAILED" -eq 0 ] || tail -n 500 "$LOG" | sed 's/^/# log: /'
}

## Requests

# A socat that waits for the last reply after the end of its input, practically without a deadline.
SOCAT=(socat -t 1000000)

# talk_as USER: sends stdin to the daemon as USER and prints the replies.
talk_as() {
  run_as "$1" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET"
}

# call METHOD [PARAMETERS]: prints a request. PARAMETERS is a JSON object.
call() {
  printf '{"method":"%s","parameters":%s}' "$1" "${2:-"{}"}"
}

# ask USER REQUEST...: sends the requests on one connection and prints each reply on a line.
ask() {
  local user=$1
  shift
  printf '%s\n' "$@" | talk_as "$user"
}

# Reads replies from stdin and prints their statuses on one line.
statuses() {
  sed -E 's/.*"status":"(STATUS_[A-Z_]+)".*/\1/' | paste -sd' '
}

# is_true JSON EXPRESSION [OPTION...]: tests whether a jq expression of exactly one value is true. jq -e alone
# would also succeed if there is no value.
is_true() { [ "$(jq "${@:3}" "$2" <<<"$1" 2>/dev/null)" = true ]; }

# field EXPRESSION: reads a reply from stdin and prints the result of a jq expression as plain text.
field() {
  jq -r "$1"
}

CONTEXT=$(call io.vaild.Gpu.CreateContext)

# Print the request that registers, or unregisters, the process that sends it. Argument: a GUID.
register() { call io.vaild.RegisterVailProcess "{\"virtualMachineGuid\":\"$1\"}"; }
unregister() { call io.vaild.UnregisterVailProcess "{\"virtualMachineGuid\":\"$1\"}"; }

# start_vmm USER: starts a process that can be registered as a VMM. Sets VMM to its pid.
start_vmm() {
  exec_as "$1" sleep infinity &
  VMM=$!
  eventually runs_as "$VMM" "$(id -u "$1")" sleep
}

# runs_as PID UID NAME: tests whether the process runs the program NAME with the user id UID.
runs_as() {
  [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$3" ] &&
    grep -qE "^Uid:	$2	$2	$2	$2\$" "/proc/$1/status"
}

# add_vm GUID VMM-PID [DISPLAY-CLIENT]: registers a VM and prints the status. DISPLAY-CLIENT is a
# JSON object. Without it the daemon uses the VMM.
add_vm() {
  local clients=${3:+",\"displayClients\":[$3]"}

  ask root "$(call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$1\",\"vmmPid\":$2$clients}")" | statuses
}

# assign_gpu GUID: assigns a vGPU to the VM and prints the reply.
assign_gpu() {
  ask root "$(call io.vaild.Machine.AssignVirtualGpu "{\"virtualMachineGuid\":\"$1\"}")"
}

# ready_vm GUID DISPLAY-CLIENT: starts a VMM process and registers a VM with a vGPU for it. Sets VMM
# to its pid.
ready_vm() {
  start_vmm vail-vmm
  [ "$(add_vm "$1" "$VMM" "$2")" = STATUS_SUCCESS ] || {
    not_ok "$NAME: the VM of the test is registered" "the VM $1 could not be registered"
    return
  }
  assign_gpu "$1" >/dev/null
}

ALICE_CLIENT='{"user":"vail-alice"}'

# Prints the pids of all registrations on one line.
registered_pids() {
  ask root "$(call io.vaild.ListRegistrations)" | field '[.parameters.registrations[].pid] | join(" ")'
}

# registered_pids_are PIDS: tests whether exactly these pids are registered.
registered_pids_are() { [ "$(registered_pids)" = "$1" ]; }

# Prints the GUIDs of all VMs on one line.
running_vms() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" |
    field '[.parameters.virtualMachines[].virtualMachineGuid] | join(" ")'
}

# running_vms_are GUIDS: tests whether exactly these VMs are registered.
running_vms_are() { [ "$(running_vms)" = "$1" ]; }

## Time

CLOCK=$PRIVATE/clock
PASSED=0 # microseconds since use_test_clock

# Makes daemons that are started later read their clock from a file, so that their time passes only
# in advance_clock.
use_test_clock() {
  head -c 8 /dev/zero >"$CLOCK"
  export VAILD_CLOCK=$CLOCK
  VAILD=${VAILD_WITH_CLOCK:-$ROOT/build/sanitized/clock/vaild}
  need_program "$VAILD"
}

# move_clock SECONDS: advances the clock, and does not wait for timers.
move_clock() {
  local bytes

  PASSED=$((PASSED + $1 * 1000000))
  bytes=$(printf '%016x\n' "$PASSED" | fold -w 2 | tac | sed 's/^/\\x/' | tr -d '\n')
  # shellcheck disable=SC2059
  printf "$bytes" | dd of="$CLOCK" bs=8 conv=notrunc status=none
}

# advance_clock SECONDS: advances the daemon's clock and returns when all timers that are due have run.
# Two requests suffice to wait for them: the second is sent after the reply to the first, so that
# the daemon runs its timers before it reads the second.
advance_clock() {
  move_clock "$1"
  ask root "$(call org.varlink.service.GetInfo)" >/dev/null
  ask root "$(call org.varlink.service.GetInfo)" >/dev/null
}

## Sessions: processes that keep a connection open, so that registrations and objects last

declare -A SESSION_PID SESSION_IN SESSION_OUT

# session_open NAME USER [WRAPPER...]: starts a socat that is connected to the daemon as USER.
session_open() {
  local name=$1 user=$2
  shift 2
  session_open_with "$name" "$user" "$@" socat - "UNIX-CONNECT:$SOCKET" 2>/dev/null
}

# session_open_with NAME USER COMMAND...: starts, as USER, a program that replies to each line on
# its stdin with a line. Sets SESSION_PID[NAME], SESSION_IN[NAME] and SESSION_OUT[NAME], the fds for
# its input and output.
session_open_with() {
  local name=$1 user=$2 in out
  shift 2
  [[ $1 != "$HELPERS"/* ]] || need_program "$1"
  mkfifo "$PRIVATE/$name.in" "$PRIVATE/$name.out"
  exec_as "$user" "$@" <>"$PRIVATE/$name.in" >"$PRIVATE/$name.out" &
  SESSION_PID[$name]=$!
  exec {out}<"$PRIVATE/$name.out" {in}>"$PRIVATE/$name.in"
  SESSION_IN[$name]=$in
  SESSION_OUT[$name]=$out
  rm "$PRIVATE/$name.in" "$PRIVATE/$name.out"
}

# session_ask NAME REQUEST: sends a line to the session. Sets REPLY to the line that it replies, or
# leaves it empty if the session has ended.
session_ask() {
  REPLY=
  printf '%s\n' "$2" >&"${SESSION_IN[$1]}" || true
  IFS= read -r -u "${SESSION_OUT[$1]}" REPLY || true
}

# session_status NAME REQUEST: sends a request. Sets REPLY, and STATUS to the reply's status.
session_status() {
  session_ask "$1" "$2"
  STATUS=$(statuses <<<"$REPLY")
}

# expect_reply CHECK EXPECTED NAME REQUEST: checks the whole reply of a session.
expect_reply() {
  session_ask "$3" "$4"
  expect_equal "$1" "$2" "$REPLY"
}

# session_kill NAME: kills the session's process and closes the fds.
session_kill() {
  local in=${SESSION_IN[$1]} out=${SESSION_OUT[$1]}
  kill_and_wait "${SESSION_PID[$1]}" 2>/dev/null || true
  exec {in}>&- {out}<&-
}

## Examples of documents

# Prints the functions that must precede an example, so that it can run in a test: sudo does not
# switch users, because the test is root. socat waits for replies practically without a deadline.
# timeout ends its command not by time but after it has printed the event "current".
example_prologue() {
  cat <<'EOF'
sudo() { "$@"; }
socat() {
  local argument arguments=()
  for argument; do [[ $argument == -t* ]] || arguments+=("$argument"); done
  command socat -t 1000000 "${arguments[@]}"
}
timeout() {
  local output
  output=$(mktemp)
  "${@:2}" <&0 >"$output" &
  until grep -q '"current"' "$output"; do sleep 0.02; done
  pkill -P $! || kill $! # if the command is a function, its program is a child of $!
  cat "$output"
  rm "$output"
  return 124
}
EOF
}

## Guests

# Reads at most 510 bytes of code from stdin and prints them as a boot sector.
boot_sector() {
  (cat && head -c 510 /dev/zero) | head -c 510
  printf '\x55\xaa'
}

make_users
copy_programs
make_folders

CTL=("$PRIVATE/build/vailctl" --socket "$SOCKET")

# expect_vailctl USER EXPECTED-STATUS CHECK ARGUMENT...: runs vailctl as USER and checks its exit status.
# Sets SAID to its output.
expect_vailctl() {
  local user=$1 expected=$2 check=$3 status=0
  shift 3
  SAID=$(run_as "$user" "${CTL[@]}" "$@" 2>&1 </dev/null) || status=$?
  if [ "$status" -eq "$expected" ]; then
    ok "$check"
  else
    not_ok "$check" "exit status $status instead of $expected: $SAID"
  fi
}

## Counting the daemon's fds

# Prints the number of the daemon's fds when it waits for events. Use this for the number to compare
# with later, because a call can return shortly before the daemon closes the pidfd of its caller.
idle_descriptors() {
  eventually daemon_is_idle
  descriptors
}

daemon_is_idle() { grep -q '^State:	S' "/proc/$DAEMON/status"; }
