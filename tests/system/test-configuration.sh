#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Options, configuration and signals: a mistake names its file and key, stops a daemon that starts,
# and changes nothing for one that runs.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

options() {
  local output status

  expect_match "--version" '^vaild [0-9]+\.[0-9]+' "$("$VAILD" --version)"
  output=$("$VAILD" --help)
  for option in --socket --runtime-dir --state-dir --config --version --help; do
    expect_match "--help names $option" "$option" "$output"
  done
  for option in --nonsense --socket extra; do
    status=0
    "$VAILD" "$option" >"$PRIVATE/out" 2>&1 || status=$?
    expect_equal "$option is refused" 2 "$status"
  done
}

# mistake CHECK FILE TEXT KEY: at the start.
mistake() {
  echo "$3" >"$CONFIG/$2"
  try_daemon
  rm "$CONFIG/$2"
  if [ "$STATUS" != 0 ] && [ "$STATUS" != runs ] && [ ! -e "$SOCKET" ] &&
    grep -qF "$CONFIG/$2" "$LOG" && grep -qF "$4" "$LOG" && ! grep -q Sanitizer "$LOG"; then
    ok "mistake: $1"
  else
    not_ok "mistake: $1" "exit status $STATUS: $(cat "$LOG")"
  fi
}

mistakes_at_the_start() {
  local file

  for file in vaild.json vaild.json.d/50-local.json; do
    mistake "not JSON in $file" "$file" '{"operatorGroup":' JSON
    mistake "no object in $file" "$file" '[]' object
    mistake "an unknown key in $file" "$file" '{"colour":1}' colour
    mistake "no such group in $file" "$file" '{"operatorGroup":"vail-nobody"}' operatorGroup
    mistake "a number for a group in $file" "$file" '{"operatorGroup":5}' operatorGroup
    mistake "text for a flag in $file" "$file" '{"allowUserMachines":"yes"}' allowUserMachines
    mistake "limits that are no object in $file" "$file" '{"limits":5}' limits
    mistake "an unknown limit in $file" "$file" '{"limits":{"apples":5}}' limits.apples
    mistake "a negative limit in $file" "$file" '{"limits":{"contexts":-1}}' limits.contexts
    mistake "a fraction as a limit in $file" "$file" '{"limits":{"contexts":1.5}}' limits.contexts
    mistake "text as a limit in $file" "$file" '{"limits":{"contexts":"9"}}' limits.contexts
  done
  mkdir "$CONFIG/vaild.json.d/dir.json"
  expect "a folder for a drop-in" does_not_start
  rmdir "$CONFIG/vaild.json.d/dir.json"
}

does_not_start() {
  try_daemon
  [ "$STATUS" != 0 ] && [ "$STATUS" != runs ]
}

# The limit on contexts of alice's, as the daemon has it now.
limit_of_contexts() {
  local requests=()

  for _ in {1..9}; do requests+=("$CONTEXT"); done
  ask vail-alice "${requests[@]}" | jq -r 'select(.error) | .parameters.maximum' | head -n 1
}

limit_is() { [ "$(limit_of_contexts)" = "$1" ]; }

drop_ins() {
  echo '{"limits":{"contextsPerUid":2}}' >"$CONFIG/vaild.json"
  echo '{"limits":{"contextsPerUid":4}}' >"$CONFIG/vaild.json.d/20-second.json"
  echo '{"limits":{"contextsPerUid":3}}' >"$CONFIG/vaild.json.d/10-first.json"
  echo 'not looked at' >"$CONFIG/vaild.json.d/30-note.txt"
  echo 'nor this' >"$CONFIG/vaild.json.d/.hidden.json"
  start_daemon
  expect_equal "the last drop-in has the last word" 4 "$(limit_of_contexts)"
}

reload() {
  rm "$CONFIG/vaild.json.d/20-second.json"
  kill -HUP "$DAEMON"
  expect "SIGHUP: what is left counts" eventually limit_is 3
  echo '{"limits":{"contextsPerUid":5,"pears":1}}' >"$CONFIG/vaild.json.d/40-wrong.json"
  kill -HUP "$DAEMON"
  expect "SIGHUP: a mistake names file" eventually grep -qF "$CONFIG/vaild.json.d/40-wrong.json" "$LOG"
  expect "SIGHUP: and key" grep -qF limits.pears "$LOG"
  expect_equal "SIGHUP: nothing of it counts" 3 "$(limit_of_contexts)"
  echo '{"limits":{"contextsPerUid":5}}' >"$CONFIG/vaild.json.d/40-wrong.json"
  kill -HUP "$DAEMON"
  expect "SIGHUP: put right, it counts" eventually limit_is 5
}

operator_group() {
  local quarantines

  quarantines=$(call io.vaild.Machine.ListQuarantines)
  expect_equal "the group vaild is the operators'" STATUS_SUCCESS \
    "$(ask vail-carol "$quarantines" | statuses)"
  expect_equal "others are none" STATUS_ACCESS_DENIED "$(ask vail-alice "$quarantines" | statuses)"
  echo '{"operatorGroup":"vail-video"}' >"$CONFIG/vaild.json.d/50-group.json"
  kill -HUP "$DAEMON"
  expect "another group is, once it is named" eventually alice_is_operator
  expect_equal "and the first is not" STATUS_ACCESS_DENIED \
    "$(ask vail-carol "$quarantines" | statuses)"
}

alice_is_operator() {
  [ "$(ask vail-alice "$(call io.vaild.Machine.ListQuarantines)" | statuses)" = STATUS_SUCCESS ]
}

ready_by_notify() {
  socat -u "UNIX-RECV:$PRIVATE/notify,mode=666" "CREATE:$PRIVATE/notified" &
  eventually test -S "$PRIVATE/notify"
  start_daemon env "NOTIFY_SOCKET=$PRIVATE/notify"
  expect "the service manager is told READY=1" eventually grep -q READY=1 "$PRIVATE/notified"
}

# One daemon a socket; a socket that a dead one left is taken over.
socket() {
  expect_match "the socket is anyone's" '^666$' "$(stat -c %a "$SOCKET")"
  local first=$DAEMON
  expect "a second daemon on the same socket does not start" does_not_start
  expect "and leaves the first its socket" [ -S "$SOCKET" ]
  kill_hard "$first"
  expect "SIGKILL leaves the socket" [ -S "$SOCKET" ]
  start_daemon
  expect_equal "the next one takes it over" STATUS_SUCCESS \
    "$(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
  expect_clean_stop
  expect "SIGTERM removes it" [ ! -e "$SOCKET" ]
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
