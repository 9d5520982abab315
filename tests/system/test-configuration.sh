#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Options, configuration files and signals of the daemon. The error about a wrong configuration
# names the file and the key. The daemon does not start with it. A running daemon that reloads it
# keeps the configuration that it has.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# Checks the command-line options.
options() {
  local output status

  expect_match "--version prints the version" '^vaild [0-9]+\.[0-9]+' "$("$VAILD" --version)"
  output=$("$VAILD" --help)
  for option in --socket --runtime-dir --state-dir --config --version --help; do
    expect_match "--help names $option" "$option" "$output"
  done
  for option in --nonsense --socket extra; do
    status=0
    "$VAILD" "$option" >"$PRIVATE/out" 2>&1 || status=$?
    expect_equal "the daemon refuses $option with exit status 2" 2 "$status"
  done
}

# mistake NAME FILE TEXT WORD: checks that the daemon does not start if FILE contains TEXT, and that
# its error names the file and WORD, usually the wrong key.
mistake() {
  echo "$3" >"$CONFIG/$2"
  try_daemon
  rm "$CONFIG/$2"
  if [ "$STATUS" != 0 ] && [ "$STATUS" != runs ] && [ ! -e "$SOCKET" ] &&
    grep -qF "$CONFIG/$2" "$LOG" && grep -qF "$4" "$LOG" && ! grep -q Sanitizer "$LOG"; then
    ok "the daemon does not start with $1"
  else
    not_ok "the daemon does not start with $1" "exit status $STATUS: $(cat "$LOG")"
  fi
}

mistakes_at_the_start() {
  local file

  for file in vaild.json vaild.json.d/50-local.json; do
    mistake "a text that is not JSON in $file" "$file" '{"operatorGroup":' JSON
    mistake "JSON that is not an object in $file" "$file" '[]' object
    mistake "an unknown key in $file" "$file" '{"colour":1}' colour
    mistake "an unknown group in $file" "$file" '{"operatorGroup":"vail-nobody"}' operatorGroup
    mistake "a number as the group in $file" "$file" '{"operatorGroup":5}' operatorGroup
    mistake "text as a flag in $file" "$file" '{"allowUserMachines":"yes"}' allowUserMachines
    mistake "limits that are not an object in $file" "$file" '{"limits":5}' limits
    mistake "an unknown limit in $file" "$file" '{"limits":{"apples":5}}' limits.apples
    mistake "a negative limit in $file" "$file" '{"limits":{"contexts":-1}}' limits.contexts
    mistake "a fraction as a limit in $file" "$file" '{"limits":{"contexts":1.5}}' limits.contexts
    mistake "text as a limit in $file" "$file" '{"limits":{"contexts":"9"}}' limits.contexts
  done
  mkdir "$CONFIG/vaild.json.d/dir.json"
  expect "the daemon does not start with a folder as a drop-in" does_not_start
  rmdir "$CONFIG/vaild.json.d/dir.json"
}

# Tests whether the daemon refuses to start.
does_not_start() {
  try_daemon
  [ "$STATUS" != 0 ] && [ "$STATUS" != runs ]
}

# Prints the limit of contexts for alice that the daemon uses now, as named in the error of the
# first context beyond it.
limit_of_contexts() {
  local requests=()

  for _ in {1..9}; do requests+=("$CONTEXT"); done
  ask vail-alice "${requests[@]}" | jq -r 'select(.error) | .parameters.maximum' | head -n 1
}

# limit_is NUMBER: tests whether the limit of contexts for alice is NUMBER.
limit_is() { [ "$(limit_of_contexts)" = "$1" ]; }

# Checks the order of the files. Starts a daemon, which runs until operator_group is done.
drop_ins() {
  echo '{"limits":{"contextsPerUid":2}}' >"$CONFIG/vaild.json"
  echo '{"limits":{"contextsPerUid":4}}' >"$CONFIG/vaild.json.d/20-second.json"
  echo '{"limits":{"contextsPerUid":3}}' >"$CONFIG/vaild.json.d/10-first.json"
  echo 'this file is ignored' >"$CONFIG/vaild.json.d/30-note.txt"
  echo 'this one as well' >"$CONFIG/vaild.json.d/.hidden.json"
  start_daemon
  expect_equal "the last drop-in takes precedence" 4 "$(limit_of_contexts)"
}

# Checks SIGHUP with a right and a wrong configuration.
reload() {
  rm "$CONFIG/vaild.json.d/20-second.json"
  kill -HUP "$DAEMON"
  expect "SIGHUP: a removed drop-in no longer applies" eventually limit_is 3
  echo '{"limits":{"contextsPerUid":5,"pears":1}}' >"$CONFIG/vaild.json.d/40-wrong.json"
  kill -HUP "$DAEMON"
  expect "SIGHUP: the error names the wrong file" \
    eventually grep -qF "$CONFIG/vaild.json.d/40-wrong.json" "$LOG"
  expect "SIGHUP: the error names the wrong key" grep -qF limits.pears "$LOG"
  expect_equal "SIGHUP: a wrong configuration changes nothing" 3 "$(limit_of_contexts)"
  echo '{"limits":{"contextsPerUid":5}}' >"$CONFIG/vaild.json.d/40-wrong.json"
  kill -HUP "$DAEMON"
  expect "SIGHUP: the corrected configuration applies" eventually limit_is 5
}

# Checks that the operators are the members of the configured group.
operator_group() {
  local quarantines

  quarantines=$(call io.vaild.Machine.ListQuarantines)
  expect_equal "members of the group vaild are operators by default" STATUS_SUCCESS \
    "$(ask vail-carol "$quarantines" | statuses)"
  expect_equal "users outside the group are not operators" STATUS_ACCESS_DENIED \
    "$(ask vail-alice "$quarantines" | statuses)"
  echo '{"operatorGroup":"vail-video"}' >"$CONFIG/vaild.json.d/50-group.json"
  kill -HUP "$DAEMON"
  expect "members of a newly configured group are operators" eventually alice_is_operator
  expect_equal "members of the group before it are not operators any more" STATUS_ACCESS_DENIED \
    "$(ask vail-carol "$quarantines" | statuses)"
}

alice_is_operator() {
  [ "$(ask vail-alice "$(call io.vaild.Machine.ListQuarantines)" | statuses)" = STATUS_SUCCESS ]
}

# Starts a daemon and checks that it notifies its service manager.
ready_by_notify() {
  socat -u "UNIX-RECV:$PRIVATE/notify,mode=666" "CREATE:$PRIVATE/notified" &
  eventually test -S "$PRIVATE/notify"
  start_daemon env "NOTIFY_SOCKET=$PRIVATE/notify"
  expect "the service manager receives READY=1" eventually grep -q READY=1 "$PRIVATE/notified"
}

# Checks that one daemon serves a socket, and that a later one replaces the socket of a killed one.
socket() {
  expect_match "the socket is writable for every user" '^666$' "$(stat -c %a "$SOCKET")"
  local first=$DAEMON
  expect "a second daemon on the same socket does not start" does_not_start
  expect "the second daemon does not remove the socket of the first" [ -S "$SOCKET" ]
  kill_and_wait "$first"
  expect "SIGKILL leaves the socket" [ -S "$SOCKET" ]
  start_daemon
  expect_equal "the next daemon takes over the remaining socket" STATUS_SUCCESS \
    "$(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
  expect_clean_stop
  expect "SIGTERM removes the socket" [ ! -e "$SOCKET" ]
}

options
mistakes_at_the_start
drop_ins
reload
operator_group
expect_clean_stop
rm -r "$CONFIG/vaild.json" "$CONFIG/vaild.json.d"
ready_by_notify
socket
finish
