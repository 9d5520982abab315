#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The examiner fetches the fds of processes to see which devices they are. Its close of an fd can hang
# for ever. A process of the examiner that hangs keeps no other fd: when the owner closes a device,
# memory or a locked file, that must be the last close. FIFOs show whether it was.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

GUID=abababab-abab-4bab-8bab-abababababab
HOLDERS=$(call io.vaild.Gpu.ListHolders "{\"virtualMachineGuid\":\"$GUID\"}")

# mount_hanging NAME: mounts a file system whose file never closes. Sets HANGS to the path of the file,
# and FUSE to the pid of the server.
mount_hanging() {
  mkdir -p "$PRIVATE/$1"
  "$HELPERS/never-answers" flush "$PRIVATE/$1" 2>"$PRIVATE/fuse.log" &
  FUSE=$!
  HANGS=$PRIVATE/$1/file
  is_mounted "$PRIVATE/$1" "$FUSE"
}

# start_with USER FILE...: starts a process that has the files open for reading, in this order. Sets
# HOLDER to its pid.
start_with() {
  local file user=$1 opened=()
  shift

  for file; do
    opened+=("$HELPERS/with-fd" open "$file")
  done
  exec_as "$user" "${opened[@]}" sleep infinity &
  HOLDER=$!
  eventually runs_as "$HOLDER" "$(id -u "$user")" sleep
}

# The script of start_with_pipes. It closes both FIFOs when it gets a line. It starts no process, because
# that would inherit the file that hangs.
WRITER='exec 5<>"$1"
: >"$2"
read -r -u 5
exec 3>&- 5>&-
exec sleep infinity'

# start_with_pipes: starts a VMM that writes to a FIFO as fd 3, has the file open that hangs, and writes
# to another FIFO as fd 5. Sets HOLDER to its pid.
start_with_pipes() {
  local writer=(bash -c "$WRITER" writer "$PRIVATE/after" "$PRIVATE/ready/vmm")

  exec_as vail-vmm "$HELPERS/with-fd" open "$HANGS" "${writer[@]}" 3<>"$PRIVATE/before" &
  HOLDER=$!
  eventually test -e "$PRIVATE/ready/vmm"
}

# descendants PID: prints the pids of all processes below this one.
descendants() {
  local child

  for child in $(pgrep --parent "$1"); do
    echo "$child"
    descendants "$child"
  done
}

# below_examiner COMMAND...: runs the command with the pids of the examiner and its descendants.
below_examiner() {
  local examiner

  examiner=$(pgrep --exact vaild-examiner --parent "$DAEMON")
  # shellcheck disable=SC2046 # pids contain no blanks
  "$@" "$examiner" $(descendants "$examiner")
}

# is_written NAME: tests whether a process has the FIFO open for writing. If none has, a read returns
# the end of the file, and otherwise that it would block.
is_written() { ! dd "if=$PRIVATE/$1" iflag=nonblock count=1 status=none 2>/dev/null; }

# children_are NUMBER: tests whether this number of processes are below the examiner.
children_are() { [ "$(below_examiner echo | wc -w)" -eq $((1 + $1)) ]; }
children_are_at_most() { [ "$(below_examiner echo | wc -w)" -le $((1 + $1)) ]; }
completeness() { ask root "$HOLDERS" | field '.parameters.holders[0].complete'; }
is_complete() { [ "$(completeness)" = true ]; }

test_one_hanging_file() {
  start_with_pipes
  [ "$(add_vm "$GUID" "$HOLDER" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_equal "the answer is complete, although a close hangs" true "$(completeness)"
  expect "one process hangs, and one waits for it" eventually children_are 2
  expect_equal "the next search has to wait for it" false "$(completeness)"
  expect "no further process hangs" eventually children_are 2
}

test_close() {
  expect "the VMM writes to a FIFO" is_written before
  expect "the VMM writes to another" is_written after
  echo >"$PRIVATE/after"
  eventually runs_as "$HOLDER" "$(id -u vail-vmm)" sleep
  expect "an fd before the one that hangs: the VMM's close was the last" eval "! is_written before"
  expect "an fd behind the one that hangs: the VMM's close was the last" eval "! is_written after"
}

test_end() {
  kill_and_wait "$FUSE"
  expect "the searches end with the file system" eventually children_are 0
  expect "the VMM can be examined again" eventually is_complete
  expect "it is examined by processes that end" eventually children_are 0
  kill_and_wait "$HOLDER"
}

# The VMM has nine such files open, and the search gives up at the fifth.
test_many_hanging_files() {
  local opened

  mount_hanging another
  opened=("$HANGS" "$HANGS" "$HANGS" "$HANGS" "$HANGS" "$HANGS" "$HANGS" "$HANGS" "$HANGS")
  start_with vail-vmm "${opened[@]}"
  [ "$(add_vm "$GUID" "$HOLDER" "$ALICE_CLIENT")" = STATUS_SUCCESS ]
  expect_equal "nine closes hang: the answer is not complete" false "$(completeness)"
  expect "at most five processes hang, and one waits for them" children_are_at_most 6
  kill_and_wait "$FUSE"
  expect "all searches end with the file system" eventually children_are 0
  kill_and_wait "$HOLDER"
}

if [ ! -c /dev/fuse ]; then
  skip "$NAME" "this machine has no /dev/fuse"
  finish
fi
mount_hanging first || {
  skip "$NAME" "$(cat "$PRIVATE/fuse.log")"
  finish
}
mkfifo "$PRIVATE/before" "$PRIVATE/after"
mkdir "$PRIVATE/ready"
chmod 0666 "$PRIVATE/before" "$PRIVATE/after"
chmod 0777 "$PRIVATE/ready"
start_daemon
test_one_hanging_file
test_close
test_end
test_many_hanging_files
kill_and_wait "$DAEMON"
finish
