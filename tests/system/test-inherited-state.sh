#!/bin/bash
# SPDX-License-Identifier: MIT
#
# No program depends on what its parent leaves behind: closed descriptors, blocked and ignored signals,
# the umask, limits and the working directory. Programs that vailctl runs get the state that vailctl
# was given.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=af0dcd1a-a0fd-59a0-998e-cad0c3834a2c
CTL=("$PRIVATE/build/vailctl" --socket "$SOCKET")

# close_descriptors NUMBER...: closes these descriptors of the shell.
close_descriptors() {
  local number
  for number in "$@"; do
    exec {number}>&-
  done
}

# standard_fds PID: prints what the descriptors 0 to 2 of the process are.
standard_fds() { readlink "/proc/$1/fd/0" "/proc/$1/fd/1" "/proc/$1/fd/2" | paste -sd' '; }

# standard_fds_are PID FILES
standard_fds_are() { [ "$(standard_fds "$1")" = "$2" ]; }

# examiner_of PID: prints the pid of the daemon's examiner.
examiner_of() { cut -d' ' -f1 "/proc/$1/task/$1/children"; }

# A parent that leaves a pipe open would wait for ever for its end.
further_descriptors_of_the_daemon() {
  exec {left}<"$PRIVATE/silence"
  start_daemon
  expect "open: the daemon and its examiner close what their parent has left open" \
    fails holds_any "$PRIVATE/silence" "$DAEMON" "$(examiner_of "$DAEMON")"
  exec {left}<&-
  expect_clean_stop
}

# holds_any FILE PID...: tests whether one of the processes has the file open.
holds_any() {
  local pid file=$1
  shift
  for pid; do ! holds "$pid" "$file" || return 0; done
  return 1
}

fails() { ! "$@"; }

NULLS="/dev/null /dev/null /dev/null"

# The log of such a daemon is lost, so the socket shows that it serves.
closed_in_the_daemon() {
  (close_descriptors 0 1 2 && exec_daemon) &
  DAEMON=$!
  eventually test -S "$SOCKET"
  eventually root_is_served
  expect_equal "closed: the daemon has /dev/null in place of each" "$NULLS" "$(standard_fds "$DAEMON")"
  expect_equal "closed: the examiner has /dev/null in place of each" "$NULLS" \
    "$(standard_fds "$(examiner_of "$DAEMON")")"
  stop_daemon
  expect_equal "closed: the daemon ends cleanly" 0 "$STATUS"
}

root_is_served() { [ "$(ask root "$(call io.vaild.ListRegistrations)" | statuses)" = STATUS_SUCCESS ]; }

# ends_with_nulls NAME PROGRAM ARGUMENT...: starts a program with its descriptors closed, checks them
# once it waits, and ends it.
ends_with_nulls() {
  local name=$1 pid
  shift
  (close_descriptors 0 1 2 && exec "$@") &
  pid=$!
  expect "closed: $name has /dev/null in place of each" \
    eventually_unless_gone "$pid" standard_fds_are "$pid" "$NULLS"
  kill_and_wait "$pid"
}

closed_in_the_clients() {
  local status=0

  ends_with_nulls "vailctl register" "${CTL[@]}" register "$GUID" --context
  ends_with_nulls vail-view "$ROOT/build/vail-view" "$GUID" --socket "$SOCKET" \
    --png "$PRIVATE/picture.png"
  socat "UNIX-LISTEN:$PRIVATE/monitor" "EXEC:sleep infinity" &
  eventually test -S "$PRIVATE/monitor"
  ends_with_nulls vail-qemu "$ROOT/build/vail-qemu" --qmp "$PRIVATE/monitor"
  (close_descriptors 1 && exec "${CTL[@]}" list) 2>"$PRIVATE/said" || status=$?
  expect_equal "closed: vailctl reports output that it cannot write" \
    "1 vailctl: cannot write the output: Bad file descriptor" "$status $(cat "$PRIVATE/said")"
}

# The daemon must hear of its children, or its users can soon share nothing more.
signals_of_the_daemon() {
  local how

  for how in block ignore; do
    start_daemon env "--$how-signal"
    expect_match "$how: no signal is blocked in the daemon" '^0+$' "$(signals "$DAEMON" SigBlk)"
    expect "$how: the daemon waits for its children, reloads, and ends" \
      catches "$DAEMON" CHLD HUP TERM INT
    echo '{"limits":{"contextsPerUid":3}}' >"$CONFIG/vaild.json"
    kill -HUP "$DAEMON"
    expect "$how: SIGHUP reloads the configuration" eventually grep -q 'was reloaded' "$LOG"
    rm "$CONFIG/vaild.json"
    expect_clean_stop
  done
}

# signals PID FIELD: prints a field of /proc/PID/status.
signals() { sed -n "s/^$2:\t//p" "/proc/$1/status"; }

# catches PID SIGNAL...: tests whether the process has handlers for these signals.
catches() {
  local mask name number
  mask=$((16#$(signals "$1" SigCgt)))
  shift
  for name in "$@"; do
    number=$(kill -l "$name")
    ((mask >> (number - 1) & 1)) || return 1
  done
}

# ends_at_signal NAME COMMAND...: checks that SIGTERM ends a program that was started with all signals
# blocked and ignored.
ends_at_signal() {
  local name=$1 pid
  shift
  env --block-signal --ignore-signal "$@" 2>/dev/null >&2 &
  pid=$!
  eventually_unless_gone "$pid" has_unblocked_signals "$pid" "$1"
  kill -TERM "$pid"
  expect "blocked and ignored: SIGTERM ends $name" eventually is_gone_or_zombie "$pid"
  wait "$pid" || true
}

# has_unblocked_signals PID PROGRAM: tests whether the process executes the program already, which
# started with all signals blocked, and has none blocked.
has_unblocked_signals() {
  [ "/proc/$1/exe" -ef "$2" ] && [ "$(signals "$1" SigBlk)" = 0000000000000000 ]
}

signals_of_the_clients() {
  ends_at_signal "vailctl watch" "${CTL[@]}" watch
  ends_at_signal vail-view "$ROOT/build/vail-view" "$GUID" --socket "$SOCKET" --png "$PRIVATE/picture.png"
  expect_match "nohup: vailctl goes on to ignore SIGHUP" '[13579bdf]$' \
    "$(own_signals SigIgn env --ignore-signal=HUP)"
  expect_equal "blocked: a program that vailctl runs gets the blocked signals of vailctl" \
    "$(env --block-signal=USR1,TERM grep SigBlk /proc/self/status)" \
    "$(env --block-signal=USR1,TERM "${CTL[@]}" exec "$GUID" -- grep SigBlk /proc/self/status)"
  expect_equal "ignored: a program that vailctl runs gets the ignored signals of vailctl" \
    "$(env --ignore-signal=PIPE,CHLD,HUP grep SigIgn /proc/self/status)" \
    "$(env --ignore-signal=PIPE,CHLD,HUP "${CTL[@]}" exec "$GUID" -- grep SigIgn /proc/self/status)"
  expect_equal "limits: a program that vailctl runs gets the limit of descriptors of vailctl" \
    "64 80" "$(ulimit -Sn 64 && ulimit -Hn 80 && "${CTL[@]}" exec "$GUID" -- bash -c 'echo "$(ulimit -Sn) $(ulimit -Hn)"')"
}

# own_signals FIELD COMMAND...: prints a field of the status of a vailctl that COMMAND executes.
own_signals() {
  local pid field=$1
  shift
  "$@" "${CTL[@]}" watch >"$PRIVATE/watched" 2>&1 &
  pid=$!
  eventually_unless_gone "$pid" holds "$pid" socket
  signals "$pid" "$field"
  kill_and_wait "$pid"
}

# modes PATH...: prints the modes of files below PRIVATE.
modes() { (cd "$PRIVATE" && stat -c '%a %n' "$@" | paste -sd' '); }

umask_of_the_daemon() {
  local mask

  for mask in 0 0777; do
    rm -rf "$STATE/quarantine" "$PRIVATE/runtime/new"
    umask "$mask"
    start_daemon
    umask 022
    ask root "$(call io.vaild.Machine.SetQuarantine \
      "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")" >/dev/null
    expect_equal "umask $mask: files, folders and the socket have their own modes" \
      "666 run/vaild.sock 600 run/vaild.sock.lock 700 state/quarantine 600 state/quarantine/$GUID.json 600 runtime/records.lock" \
      "$(modes run/vaild.sock run/vaild.sock.lock state/quarantine "state/quarantine/$GUID.json" \
        runtime/records.lock)"
    ask root "$(call io.vaild.Machine.SetQuarantine \
      "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":false}")" >/dev/null
    expect_clean_stop
  done
}

# The path of the socket is longer than an address may be. The relative one is not.
working_directory() {
  local deep status=0
  deep=$PRIVATE/$(printf 'x%.0s' {1..90})

  mkdir "$deep" "$deep/config"
  chown vaild:vaild "$deep"
  : >"$LOG" # the subshell may empty it later than the first look at it
  (cd "$deep" && exec "${AS_DAEMON[@]}" "$VAILD" --socket vaild.sock --runtime-dir run --state-dir state \
    --config config) 2>"$LOG" &
  DAEMON=$!
  eventually_unless_gone "$DAEMON" grep -q 'ready on' "$LOG"
  expect_equal "working directory: the daemon and its examiner leave it" "/ /" \
    "$(readlink "/proc/$DAEMON/cwd" "/proc/$(examiner_of "$DAEMON")/cwd" | paste -sd' ')"
  expect "working directory: relative paths of options are found" \
    test -S "$deep/vaild.sock" -a -d "$deep/run" -a -d "$deep/state/quarantine"
  echo '{"limits":{"pears":1}}' >"$deep/config/vaild.json"
  kill -HUP "$DAEMON"
  expect "working directory: a reload finds the configuration" eventually grep -qF limits.pears "$LOG"
  expect_clean_stop
  expect "working directory: the socket is removed" [ ! -e "$deep/vaild.sock" ]
  mkdir "$PRIVATE/removed"
  (cd "$PRIVATE/removed" && rmdir "$PRIVATE/removed" &&
    "$VAILD" --socket vaild.sock) 2>"$LOG" || status=$?
  expect_match "working directory: the daemon asks for an absolute path if it was removed" \
    '^1 .*vaild.sock: .*absolute path' "$status $(cat "$LOG")"
}

few_descriptors() {
  : >"$LOG"
  (ulimit -n 64 && exec_daemon) 2>"$LOG" &
  DAEMON=$!
  eventually_unless_gone "$DAEMON" grep -q 'ready on' "$LOG"
  expect "limits: the daemon says that it may open too few files" \
    grep -q 'may open only 64 files.*LimitNOFILE' "$LOG"
  expect_clean_stop
}

# Registers a VM whose VMM, and so its display client, has the privileges of this shell.
root_vm() {
  sleep infinity &
  add_vm "$GUID" $! >/dev/null
  assign_gpu "$GUID" >/dev/null
}

closed_in_the_daemon
further_descriptors_of_the_daemon
start_daemon
root_vm
closed_in_the_clients
signals_of_the_clients
expect_clean_stop
signals_of_the_daemon
umask_of_the_daemon
working_directory
few_descriptors
finish
