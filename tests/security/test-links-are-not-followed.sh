#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon follows no symbolic link and writes to no hard link in its state and runtime folders, so
# it never changes a file outside of them. It reads configuration files through symbolic links, but
# only files that no other user can change.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

# The daemon may write to this folder. Only the links lead to it.
OUTSIDE=$PRIVATE/outside
QUARANTINES=$STATE/quarantine
RUNTIME=$PRIVATE/runtime

# Empties all folders and creates the file outside.
begin() {
  rm -rf "$OUTSIDE" "$STATE" "$RUNTIME"
  rm -f "$SOCKET" "$SOCKET.lock"
  mkdir "$OUTSIDE"
  make_folders
  mkdir -m 700 "$QUARANTINES"
  echo precious >"$OUTSIDE/file"
  chown -R vaild:vaild "$OUTSIDE" "$QUARANTINES"
}

# expect_untouched CHECK: checks that the outside folder has only its file, with its text.
expect_untouched() {
  expect_equal "$1: nothing outside is changed" "file precious" \
    "$(find "$OUTSIDE" -mindepth 1 -printf '%P ')$(cat "$OUTSIDE/file")"
}

# link_to_outside KIND PATH [TARGET]: creates a symbolic or hard link at PATH.
link_to_outside() {
  local target=${3:-$OUTSIDE/file}

  if [ "$1" = symbolic ]; then ln -s "$target" "$2"; else ln "$target" "$2"; fi
  chown -h vaild:vaild "$2"
}

# expect_refused_start CHECK PATTERN [WRAPPER...]: checks that the daemon does not start, and that its
# error matches the pattern.
expect_refused_start() {
  local check=$1 pattern=$2
  shift 2
  try_daemon "$@"
  expect_equal "$check: the daemon does not start" 1 "$STATUS"
  expect_match "$check: its error says why" "$pattern" "$(<"$LOG")"
  expect_untouched "$check"
}

# Prints the status of a quarantine request.
quarantine() {
  ask root "$(call io.vaild.Machine.SetQuarantine \
    "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true,\"reason\":\"a test\"}")" | statuses
}

test_quarantine_folder() {
  begin
  rmdir "$QUARANTINES"
  link_to_outside symbolic "$QUARANTINES" "$OUTSIDE"
  expect_refused_start "a symbolic link as the quarantine folder" \
    "$QUARANTINES: .*symbolic link.*remove"
}

# test_new_quarantine_file KIND: the name under which the daemon writes a new file is a link.
test_new_quarantine_file() {
  begin
  link_to_outside "$1" "$QUARANTINES/new"
  start_daemon
  expect_equal "a $1 link as the new quarantine file: the quarantine is saved" STATUS_SUCCESS \
    "$(quarantine)"
  expect "a $1 link as the new quarantine file: it is a file of its own" \
    grep -q '"a test"' "$QUARANTINES/$GUID.json"
  stop_daemon
  expect_untouched "a $1 link as the new quarantine file"
}

# test_quarantine_file KIND: a quarantine file is a link to a file with other contents.
test_quarantine_file() {
  begin
  link_to_outside "$1" "$QUARANTINES/$GUID.json"
  start_daemon
  expect_equal "a $1 link as a quarantine file: the GUID is in quarantine" "$GUID" \
    "$(ask root "$(call io.vaild.Machine.ListQuarantines)" |
      field '.parameters.quarantines[].virtualMachineGuid')"
  expect_match "a $1 link as a quarantine file: it is logged" \
    "quarantine file $GUID.json .*saved as $GUID.json.damaged" "$(<"$LOG")"
  stop_daemon
  expect_untouched "a $1 link as a quarantine file"
}

test_record_file() {
  begin
  link_to_outside symbolic "$RUNTIME/records"
  expect_refused_start "a symbolic link as the record file" \
    "$RUNTIME/records: cannot use the file: .*remove it" "${AS_SERVICE[@]}"
  begin
  link_to_outside hard "$RUNTIME/records"
  start_service
  expect_equal "a hard link as the record file: the daemon persists records in another file" \
    "STATUS_SUCCESS 1" "$(add_vm "$GUID" "$$" "$ALICE_CLIENT") $(stat -c %h "$RUNTIME/records")"
  stop_daemon
  expect_untouched "a hard link as the record file"
}

# test_new_record_file KIND
test_new_record_file() {
  begin
  link_to_outside "$1" "$RUNTIME/records.new"
  start_service
  expect_equal "a $1 link as the new record file: the daemon persists records" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$$" "$ALICE_CLIENT")"
  stop_daemon
  expect_untouched "a $1 link as the new record file"
}

# test_lock_file NAME PATH PATTERN
test_lock_file() {
  begin
  link_to_outside symbolic "$2"
  expect_refused_start "a symbolic link as the lock file of the $1" "$3"
  begin
  link_to_outside hard "$2"
  start_daemon
  expect_equal "a hard link as the lock file of the $1: the daemon creates its own" 1 \
    "$(stat -c %h "$2")"
  stop_daemon
  expect_untouched "a hard link as the lock file of the $1"
}

test_socket() {
  begin
  link_to_outside symbolic "$SOCKET"
  start_daemon
  expect_equal "a symbolic link as the socket: the daemon serves a socket of its own" "socket" \
    "$(stat -c %F "$SOCKET")"
  stop_daemon
  expect_untouched "a symbolic link as the socket"
}

## Configuration

# expect_refused_file CHECK PATTERN: checks that the daemon uses nothing of this configuration, and
# serves only operators.
expect_refused_file() {
  start_daemon
  expect_equal "$1: the daemon serves only operators" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(call io.vaild.ListRegistrations)" | statuses)"
  stop_daemon
  expect_match "$1: its error says what to do" "$2" "$(<"$LOG")"
  rm -f "$CONFIG/vaild.json" "$CONFIG"/vaild.json.d/*
}

# The configuration that the daemon keeps decides who is an operator as well.
test_kept_configuration() {
  local kind name

  for kind in symbolic hard; do
    for name in configuration.json configuration.json.new configuration.json.damaged; do
      begin
      link_to_outside "$kind" "$STATE/$name"
      echo '{"limits":{"pears":1}}' >"$CONFIG/vaild.json"
      start_daemon
      expect_equal "$name that is a $kind link: the daemon serves only operators" STATUS_ACCESS_DENIED \
        "$(ask vail-bob "$(call io.vaild.ListRegistrations)" | statuses)"
      stop_daemon
      expect_untouched "$name that is a $kind link, and a mistake"
      rm "$CONFIG/vaild.json"
      begin
      link_to_outside "$kind" "$STATE/$name"
      start_daemon
      stop_daemon
      expect_untouched "$name that is a $kind link"
      expect_equal "$name that is a $kind link: the daemon keeps its configuration in a file of its own" \
        "regular file 1" "$(stat -c '%F %h' "$STATE/configuration.json")"
    done
  done
}

test_configuration() {
  local name path

  begin
  for name in vaild.json vaild.json.d/50-local.json; do
    path=$CONFIG/$name
    echo '{"allowUserMachines":true}' >"$path"
    chown vail-alice "$path"
    expect_refused_file "$name of another user" "$path: .*belongs to uid $ALICE.*chown root"
    echo '{}' >"$path"
    chmod 664 "$path"
    expect_refused_file "$name that a group can write" "$path: .*chmod go-w"
    echo '{}' >"$path"
    chmod 646 "$path"
    expect_refused_file "$name that everybody can write" "$path: .*chmod go-w"
    echo '{"allowUserMachines":true}' >"$PRIVATE/hers.json"
    chown vail-alice "$PRIVATE/hers.json"
    ln -s "$PRIVATE/hers.json" "$path"
    expect_refused_file "$name that is a symbolic link to another user's file" \
      "$path: .*belongs to uid $ALICE"
    ln "$PRIVATE/hers.json" "$path"
    expect_refused_file "$name that is a hard link to another user's file" \
      "$path: .*belongs to uid $ALICE"
    mkfifo "$path"
    expect_refused_file "$name that is a FIFO" "$path: .*regular file"
  done
}

# Root's own links are followed, because administrators keep files elsewhere.
test_trusted_configuration() {
  echo '{"limits":{"contexts":7}}' >"$PRIVATE/elsewhere.json"
  ln -s "$PRIVATE/elsewhere.json" "$CONFIG/vaild.json"
  start_daemon
  expect_equal "a symbolic link to a file of root is read" 7 "$(limit_of_contexts)"
  chmod 666 "$PRIVATE/elsewhere.json"
  echo '{"limits":{"contexts":8}}' >"$PRIVATE/elsewhere.json"
  kill -HUP "$DAEMON"
  expect "a reload refuses a file that everybody can write" eventually \
    grep -q 'was not reloaded.*chmod go-w' "$LOG"
  expect_equal "the daemon keeps its configuration" 7 "$(limit_of_contexts)"
  expect_clean_stop
}

limit_of_contexts() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    field '.parameters.limits[] | select(.name == "contexts") | .maximum'
}

start_manager 64
test_quarantine_folder
for kind in symbolic hard; do
  test_new_quarantine_file "$kind"
  test_quarantine_file "$kind"
  test_new_record_file "$kind"
done
test_record_file
test_lock_file "socket" "$SOCKET.lock" "$SOCKET: cannot listen"
test_lock_file "runtime folder" "$RUNTIME/records.lock" "$RUNTIME: cannot lock"
test_socket
test_configuration
test_kept_configuration
test_trusted_configuration
finish
