# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# What the system tests share. A script that sources this file runs in a mount and a pid namespace
# of its own: it may add users, mount and kill as it likes, two of them run side by side, and when
# it ends, however it ends, the kernel takes everything with it. The daemon runs as the user vaild
# with CAP_SYS_PTRACE and no more, as its unit has it; all uids are real.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
NAME=$(basename "$0" .sh)

# Starts the script anew as root in namespaces of its own.
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

# A place that every user can reach, wherever the tree lies, and that goes with the namespace.
case $ROOT/ in
/mnt/*) PRIVATE=/media ;;
*) PRIVATE=/mnt ;;
esac
mount -t tmpfs -o mode=755 tmpfs "$PRIVATE"

## Users

ALICE=47001
BOB=47002
readonly ALICE BOB

declare -A GIDS=([root]=0)

# add_user NAME ID SHELL: a user with a group of its own.
add_user() {
  GIDS[$1]=$2
  echo "$1:x:$2:$2::/:$3" >>"$PRIVATE/etc/passwd"
  echo "$1:x:$2:" >>"$PRIVATE/etc/group"
}

# The host's users and some more, seen in this namespace alone: alice and bob are people, carol is
# an operator, vmm is a service's user as libvirt's is. Alice is in a further group.
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

# exec_as USER COMMAND...: becomes the user as a login would. In the background $! is COMMAND's pid.
exec_as() {
  local user=$1
  shift
  exec setpriv --reuid "$user" --regid "${GIDS[$user]:-$(id -g "$user")}" --init-groups --inh-caps=-all -- "$@"
}

run_as() {
  (exec_as "$@")
}

## Programs that every user can run

# The tree may lie where only root can look: users get copies.
copy_programs() {
  mkdir -p "$PRIVATE/build/tests"
  cp -r "$ROOT/build/tests/helpers" "$PRIVATE/build/tests/"
  cp "$ROOT/build/vailctl" "$ROOT"/build/libvail.so* "$PRIVATE/build/"
  chmod -R a+rX "$PRIVATE/build"
  HELPERS=$PRIVATE/build/tests/helpers
}

## Results

FAILED=0

ok() { echo "ok $*"; }

not_ok() {
  echo "not ok $1: $2"
  FAILED=$((FAILED + 1))
}

skip() { echo "skip $1: $2"; }

# expect_equal CHECK EXPECTED REAL
expect_equal() {
  if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi
}

# expect_match CHECK PATTERN REAL: an extended regular expression.
expect_match() {
  if [[ $3 =~ $2 ]]; then ok "$1"; else not_ok "$1" "expected /$2/, got '$3'"; fi
}

# expect CHECK COMMAND...
expect() {
  local check=$1
  shift
  if "$@"; then ok "$check"; else not_ok "$check" "failed: $*"; fi
}

# Nobody writes to it: a read with a timeout is a pause that starts no process.
mkfifo "$PRIVATE/silence"
exec {SILENCE}<>"$PRIVATE/silence"

# pause_for MILLISECONDS, fewer than a thousand.
pause_for() { read -r -t "0.$(printf %03d "$1")" -u "$SILENCE" || true; }

# eventually COMMAND...: repeats the command until it succeeds, however long that takes on a slow
# machine. It fails only if start_daemon's daemon exits meanwhile, because then the event would never
# come. tests/check ends a test that hangs. The log has the last wait that took over ten seconds.
eventually() {
  local since=$SECONDS running=$RUNNING pause=5

  [ -z "$running" ] || ! is_gone "$running" || running=
  until "$@"; do
    if [ -n "$running" ] && is_gone "$running"; then
      "$@"
      return
    fi
    if [ -n "$since" ] && [ $((SECONDS - since)) -ge 10 ]; then
      echo "# still waiting: $*" >&2
      since=
    fi
    pause_for "$pause"
    pause=$((pause < 50 ? pause + 1 : pause))
  done
}

finish() {
  [ "$FAILED" -eq 0 ]
  exit
}

# while_runs PID COMMAND...: repeats the command until it succeeds. It fails if the process exits first.
while_runs() {
  local pid=$1
  shift
  eventually succeeds_or_gone "$pid" "$@"
  "$@"
}

succeeds_or_gone() { "${@:2}" || is_gone_or_zombie "$1"; }

is_gone_or_zombie() { ! grep -qE '^State:	[^ZX]' "/proc/$1/status" 2>/dev/null; }

# is_mounted FOLDER PID: whether the process has mounted something there. It exits if it cannot.
is_mounted() { while_runs "$2" mountpoint -q "$1"; }

# png_size FILE: width and height, as its header has them.
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
RUNNING= # the pid of start_daemon's daemon

is_gone() { [ ! -e "/proc/$1" ]; }

# holds PID PATTERN: whether the process has something open whose name matches.
holds() {
  readlink "/proc/$1/fd/"* 2>/dev/null | grep -- "$2" >/dev/null
}

# How many descriptors the daemon has.
descriptors() { find "/proc/$DAEMON/fd" -mindepth 1 2>/dev/null | wc -l; }
descriptors_are() { [ "$(descriptors)" -eq "$1" ]; }

# kill_hard PID: of a child of ours, which is gone afterwards.
kill_hard() {
  kill -KILL "$1"
  wait "$1" 2>/dev/null || true
}

make_folders() {
  mkdir -p "$PRIVATE/run" "$PRIVATE/runtime" "$STATE" "$CONFIG/vaild.json.d"
  chown vaild:vaild "$PRIVATE/run" "$PRIVATE/runtime" "$STATE"
  : >"$LOG"
}

# What its unit makes of it: the user vaild, with CAP_SYS_PTRACE and no more.
CAPABILITIES=-all,+sys_ptrace
AS_DAEMON=(setpriv --reuid vaild --regid vaild --clear-groups --inh-caps="$CAPABILITIES"
  --ambient-caps="$CAPABILITIES" --bounding-set="$CAPABILITIES" --)

# Ends the test where strace(1) may trace nobody.
needs_tracing() {
  strace -o "$PRIVATE/trace" -e inject=getpid:error=EPERM true 2>/dev/null && return
  skip "$NAME" "nobody may be traced here (ptrace)"
  finish
}

# exec_daemon [WRAPPER...]: in the background $! is the daemon's pid. A wrapper is a command that
# executes the rest of its arguments.
exec_daemon() {
  exec "$@" "${AS_DAEMON[@]}" "$VAILD" --socket "$SOCKET" --runtime-dir "$PRIVATE/runtime" \
    --state-dir "$STATE" --config "$CONFIG"
}

daemon_is_ready() {
  [ -S "$SOCKET" ] && [[ $(<"$LOG") == *"vaild: ready on"* ]]
}

daemon_is_ready_or_gone() {
  daemon_is_ready || is_gone "$DAEMON"
}

# try_daemon [WRAPPER...]: starts a daemon that is not expected to run. Its exit status is in STATUS,
# or "runs" if it serves, and what it says in LOG.
try_daemon() {
  : >"$LOG"
  exec_daemon "$@" 2>"$LOG" &
  DAEMON=$!
  RUNNING=
  STATUS=0
  eventually daemon_is_ready_or_gone
  if daemon_is_ready; then
    kill_hard "$DAEMON"
    STATUS=runs
  else
    wait "$DAEMON" || STATUS=$?
  fi
}

# start_daemon [WRAPPER...]
start_daemon() {
  : >"$LOG" # what an earlier daemon said is not this one's
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

# Ends the daemon as systemd would; its exit status is in STATUS.
stop_daemon() {
  STATUS=0
  kill -TERM "$DAEMON"
  wait "$DAEMON" || STATUS=$?
}

# The last check of each test: the daemon lived, ends cleanly, and the sanitizers had nothing to say.
expect_clean_stop() {
  stop_daemon
  expect_equal "$NAME: the daemon ends cleanly" 0 "$STATUS"
  if grep -qE 'Sanitizer|runtime error|Assertion' "$LOG"; then
    not_ok "$NAME: no reports" "see the log"
  fi
  [ "$FAILED" -eq 0 ] || tail -n 500 "$LOG" | sed 's/^/# log: /'
}

## Talking to it

# A socat that waits for the last answer after its input has ended, however long that takes.
SOCAT=(socat -t 1000000)

# Pipes what is on stdin to the daemon as a user, and its answers to stdout.
talk_as() {
  run_as "$1" "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET"
}

# call METHOD [PARAMETERS]: a request's text.
call() {
  printf '{"method":"%s","parameters":%s}' "$1" "${2:-"{}"}"
}

# ask USER REQUEST...: one connection, one process; the answers, a line each.
ask() {
  local user=$1
  shift
  printf '%s\n' "$@" | talk_as "$user"
}

# The status of each answer on stdin, in one line.
statuses() {
  sed -E 's/.*"status":"(STATUS_[A-Z_]+)".*/\1/' | paste -sd' '
}

# field PATH: a jq expression, of the answer on stdin.
field() {
  jq -r "$1"
}

CONTEXT=$(call io.vaild.Gpu.CreateContext)

register() { call io.vaild.RegisterVailProcess "{\"virtualMachineGuid\":\"$1\"}"; }
unregister() { call io.vaild.UnregisterVailProcess "{\"virtualMachineGuid\":\"$1\"}"; }

# start_vmm USER: a process that can be a VM's; its pid is in VMM.
start_vmm() {
  exec_as "$1" sleep infinity &
  VMM=$!
  eventually runs_as "$VMM" "$(id -u "$1")" sleep
}

# runs_as PID UID NAME: the process has become that program and that user.
runs_as() {
  [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$3" ] &&
    grep -qE "^Uid:	$2	$2	$2	$2\$" "/proc/$1/status"
}

# add_vm GUID VMM-PID [DISPLAY-CLIENT]: the status; without a display client it is the VMM.
add_vm() {
  local clients=${3:+",\"displayClients\":[$3]"}

  ask root "$(call io.vaild.Machine.RegisterVirtualMachine \
    "{\"virtualMachineGuid\":\"$1\",\"vmmPid\":$2$clients}")" | statuses
}

assign_gpu() {
  ask root "$(call io.vaild.Machine.AssignVirtualGpu "{\"virtualMachineGuid\":\"$1\"}")"
}

# ready_vm GUID DISPLAY-CLIENT: a running VM with a vGPU; its VMM is VMM.
ready_vm() {
  start_vmm vail-vmm
  [ "$(add_vm "$1" "$VMM" "$2")" = STATUS_SUCCESS ] || {
    not_ok "$NAME: setting up" "the VM $1 could not be registered"
    return
  }
  assign_gpu "$1" >/dev/null
}

ALICE_CLIENT='{"user":"vail-alice"}'

# The pids that are registered, as an operator sees them, in one line.
registered_pids() {
  ask root "$(call io.vaild.ListRegistrations)" | field '[.parameters.registrations[].pid] | join(" ")'
}

registered_are() { [ "$(registered_pids)" = "$1" ]; }

running_vms() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" |
    field '[.parameters.virtualMachines[].virtualMachineGuid] | join(" ")'
}

running_are() { [ "$(running_vms)" = "$1" ]; }

## A clock that the test owns

CLOCK=$PRIVATE/clock
PASSED=0 # microseconds

# own_clock: for the daemons that are started from now on, time passes only in pass_time.
own_clock() {
  head -c 8 /dev/zero >"$CLOCK"
  export VAILD_CLOCK=$CLOCK
  VAILD=$ROOT/build/sanitized/clock/vaild
}

# pass_time SECONDS: returns once the daemon has done what was due by then. It does so before it
# reads a request that is sent after the answer to another.
pass_time() {
  local bytes

  PASSED=$((PASSED + $1 * 1000000))
  bytes=$(printf '%016x\n' "$PASSED" | fold -w 2 | tac | sed 's/^/\\x/' | tr -d '\n')
  # shellcheck disable=SC2059
  printf "$bytes" | dd of="$CLOCK" bs=8 conv=notrunc status=none
  ask root "$(call org.varlink.service.GetInfo)" >/dev/null
  ask root "$(call org.varlink.service.GetInfo)" >/dev/null
}

## Conversations: a socat of a user's that stays, so that a registration has a process to belong to.

declare -A SESSION_PID SESSION_IN SESSION_OUT

# session_open NAME USER [WRAPPER...]
session_open() {
  local name=$1 user=$2
  shift 2
  session_open_with "$name" "$user" "$@" socat - "UNIX-CONNECT:$SOCKET" 2>/dev/null
}

# session_open_with NAME USER COMMAND...: a program of our own that answers each line with one.
session_open_with() {
  local name=$1 user=$2 in out
  shift 2
  mkfifo "$PRIVATE/$name.in" "$PRIVATE/$name.out"
  exec_as "$user" "$@" <>"$PRIVATE/$name.in" >"$PRIVATE/$name.out" &
  SESSION_PID[$name]=$!
  exec {out}<"$PRIVATE/$name.out" {in}>"$PRIVATE/$name.in"
  SESSION_IN[$name]=$in
  SESSION_OUT[$name]=$out
  rm "$PRIVATE/$name.in" "$PRIVATE/$name.out"
}

# session_ask NAME REQUEST: the answer is in REPLY, empty where none came.
session_ask() {
  REPLY=
  printf '%s\n' "$2" >&"${SESSION_IN[$1]}" || true
  IFS= read -r -u "${SESSION_OUT[$1]}" REPLY || true
}

# session_status NAME REQUEST: the answer's status is in STATUS.
session_status() {
  session_ask "$1" "$2"
  STATUS=$(statuses <<<"$REPLY")
}

# expect_reply CHECK EXPECTED NAME REQUEST: the whole answer.
expect_reply() {
  session_ask "$3" "$4"
  expect_equal "$1" "$2" "$REPLY"
}

session_kill() {
  local in=${SESSION_IN[$1]} out=${SESSION_OUT[$1]}
  kill_hard "${SESSION_PID[$1]}" 2>/dev/null || true
  exec {in}>&- {out}<&-
}

## Examples of documents

# What an example's shell begins with: sudo, as we are root already, and socat and timeout without the
# short times that are right for people. A command that would never end is ended once it has said
# that it has told all that there is.
example_begins() {
  cat <<'EOF'
sudo() { "$@"; }
socat() {
  local argument arguments=()
  for argument; do [[ $argument == -t* ]] || arguments+=("$argument"); done
  command socat -t 1000000 "${arguments[@]}"
}
timeout() {
  local said
  said=$(mktemp)
  "${@:2}" <&0 >"$said" &
  until grep -q '"current"' "$said"; do sleep 0.02; done
  pkill -P $! || kill $! # a function's process has the program as its child
  cat "$said"
  rm "$said"
  return 124
}
EOF
}

## Guests

# boot_sector: makes one of the code on stdin, of at most 510 bytes.
boot_sector() {
  (cat && head -c 510 /dev/zero) | head -c 510
  printf '\x55\xaa'
}

make_users
copy_programs
make_folders

CTL=("$PRIVATE/build/vailctl" --socket "$SOCKET")

# ctl_as USER EXPECTED-EXIT CHECK ARGUMENT...: runs vailctl; what it prints is in SAID.
ctl_as() {
  local user=$1 expected=$2 check=$3 status=0
  shift 3
  SAID=$(run_as "$user" "${CTL[@]}" "$@" 2>&1 </dev/null) || status=$?
  if [ "$status" -eq "$expected" ]; then
    ok "$check"
  else
    not_ok "$check" "exit status $status instead of $expected: $SAID"
  fi
}
