#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Options, configuration files and signals of the daemon. The error about a wrong configuration
# names the file, the line, the column and the key. The daemon then starts with the last one that was
# right, or serves only operators. A running daemon that reloads it keeps the configuration that it
# has.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# wrong_option MESSAGE ARGUMENT: checks that the daemon refuses the argument with this message.
wrong_option() {
  local status=0 said

  said=$("$VAILD" "$2" 2>&1) || status=$?
  expect_equal "the daemon refuses $2, and says why" "2 vaild: $1 see vaild --help" "$status $said"
}

# Checks the command-line options.
options() {
  local output

  expect_match "--version prints the version" '^vaild [0-9]+\.[0-9]+' "$("$VAILD" --version)"
  output=$("$VAILD" --help)
  for option in --socket --runtime-dir --state-dir --config --check-config --version --help; do
    expect_match "--help names $option" "$option" "$output"
  done
  expect_equal "-h prints the same help" "$output" "$("$VAILD" -h)"
  wrong_option "--nonsense is not an option;" --nonsense
  wrong_option "--chek-config is not an option; did you mean --check-config?" --chek-config
  wrong_option "--sokcet is not an option; did you mean --socket?" --sokcet=x
  wrong_option "--socket needs a value;" --socket
  wrong_option "--help=x: this option takes no value;" --help=x
  wrong_option "-x is not an option;" -x
  wrong_option 'unexpected argument "extra";' extra
}

# mistake NAME FILE TEXT WORD: checks that the daemon starts and serves only operators if FILE contains
# TEXT, and that its error names the position in the file and WORD, usually the wrong key.
mistake() {
  rm -f "$STATE/configuration.json"
  echo "$3" >"$CONFIG/$2"
  start_daemon
  rm "$CONFIG/$2"
  if grep -F "only operators are served" "$LOG" | grep -E "$CONFIG/$2:[12]:[0-9]+: " | grep -qF "$4" &&
    [ "$(access)" = "STATUS_SUCCESS STATUS_ACCESS_DENIED" ]; then
    ok "the daemon serves only operators with $1"
  else
    not_ok "the daemon serves only operators with $1" "$(access): $(cat "$LOG")"
  fi
  stop_daemon
}

LIST=$(call io.vaild.ListRegistrations)

# Prints the statuses that root and alice get for a call that everybody may make.
access() { echo "$(ask root "$LIST" | statuses) $(ask vail-alice "$LIST" | statuses)"; }

mistakes_at_the_start() {
  local file=vaild.json.d/50-local.json

  mistake "an incomplete text in $file" "$file" '{"operatorGroup":' JSON
  mistake "an unknown key in $file" "$file" '{"colour":1}' colour
  file=vaild.json
  mistake "JSON that is not an object in $file" "$file" '[]' object
  mistake "an unknown group in $file" "$file" '{"operatorGroup":"vail-nobody"}' operatorGroup
  mistake "limits that are not an object in $file" "$file" '{"limits":5}' limits
  mistake "a limit of 0 connections in $file" "$file" '{"limits":{"connections":0}}' \
    limits.connections
  mkdir "$CONFIG/vaild.json.d/dir.json"
  start_daemon
  expect "the daemon serves only operators with a folder as a drop-in" \
    grep -qF "$CONFIG/vaild.json.d/dir.json: is not a regular file" "$LOG"
  rmdir "$CONFIG/vaild.json.d/dir.json"
  expect_equal "operators only: the refusal says why" \
    "vaild started without its configuration, which has a mistake, and serves only operators; ask an administrator to correct it" \
    "$(ask vail-alice "$LIST" | field .parameters.message)"
  expect_equal "operators only: anybody may ask what this service is" vaild \
    "$(ask vail-alice "$(call org.varlink.service.GetInfo)" | field .parameters.product)"
  expect_equal "operators only: members of the default group are operators" STATUS_SUCCESS \
    "$(ask vail-carol "$LIST" | statuses)"
  kill -HUP "$DAEMON"
  expect "operators only: the corrected configuration serves everybody" eventually all_are_served
  expect_equal "operators only: the remark is gone then" null "$(configuration_remark)"
  expect_clean_stop
}

all_are_served() { [ "$(access)" = "STATUS_SUCCESS STATUS_SUCCESS" ]; }

# Prints what GetStatus says about the configuration, or null.
configuration_remark() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    field '[.parameters.remarks[] | select(.subject == "the configuration") | .message][0]'
}

# Writes a configuration, lets the daemon keep it, and then breaks it.
keep_and_break() {
  rm -f "$STATE"/configuration.json*
  echo '{"operatorGroup":"vail-video","limits":{"contextsPerUid":4}}' >"$CONFIG/vaild.json"
  start_daemon
  stop_daemon
  printf '{\n  "limits": {\n    "pears": 1\n  }\n}\n' >"$CONFIG/vaild.json"
}

WRONG="$CONFIG/vaild.json:3:5: limits.pears is not a key of \"limits\"; vaild.json(5) lists its keys"
LAST="has a mistake, so the last one that was right stays in force: $WRONG"

kept_configuration() {
  keep_and_break
  expect_equal "kept: the file belongs to the daemon alone" "600 vaild" \
    "$(stat -c '%a %U' "$STATE/configuration.json")"
  socat -u "UNIX-RECV:$PRIVATE/manager,mode=666" "CREATE:$PRIVATE/managed" &
  eventually test -S "$PRIVATE/manager"
  start_daemon env "NOTIFY_SOCKET=$PRIVATE/manager"
  expect_equal "kept: the daemon uses the last limits that were right" 4 "$(limit_of_contexts)"
  expect "kept: the daemon uses the last group of operators" alice_is_operator
  expect "kept: the log names file, line, column and key" grep -qF "$WRONG" "$LOG"
  expect_equal "kept: GetStatus names file, line, column and key" "$LAST" "$(configuration_remark)"
  expect "kept: the status line names file, line, column and key" eventually \
    grep -qF "STATUS=The configuration $LAST; 0 VMs, 0 registrations, " "$PRIVATE/managed"
  expect_match "kept: vailctl status shows the mistake" 'Remark: +the configuration has a mistake.*vaild.json:3:5' \
    "$("$PRIVATE/build/vailctl" --socket "$SOCKET" status)"
  kill -HUP "$DAEMON"
  eventually grep -q "was not reloaded" "$LOG"
  expect_equal "kept: a reload with the same mistake changes nothing" "$LAST 4" \
    "$(configuration_remark) $(limit_of_contexts)"
  echo '{"limits":{"contextsPerUid":5}}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  expect "kept: the corrected configuration applies" eventually limit_is 5
  expect_equal "kept: GetStatus has no remark any more" null "$(configuration_remark)"
  echo '{"limits":{"contextsPerUid":-5}}' >"$CONFIG/vaild.json"
  kill -HUP "$DAEMON"
  expect "kept: a reload with a mistake says so in GetStatus" eventually remark_has limits.contextsPerUid
  expect_clean_stop
  start_daemon
  expect_equal "kept: the configuration of the reload was kept" 5 "$(limit_of_contexts)"
  expect_clean_stop
}

remark_has() { configuration_remark | grep -qF "$1"; }

unusable_kept_configuration() {
  keep_and_break
  echo '{"version":1,"configuration":{' >"$STATE/configuration.json"
  start_daemon
  expect_equal "kept: with a damaged one, only operators are served" \
    "STATUS_SUCCESS STATUS_ACCESS_DENIED" "$(access)"
  expect "kept: the log says that it is damaged" \
    grep -qF "configuration.json: is not JSON; it is saved as configuration.json.damaged" "$LOG"
  expect "kept: a damaged one is set aside" test -s "$STATE/configuration.json.damaged"
  expect_clean_stop
  keep_and_break
  sed -i 's/"version":1/"version":2/' "$STATE/configuration.json"
  start_daemon
  expect_equal "kept: with one of a newer version, only operators are served" \
    "STATUS_SUCCESS STATUS_ACCESS_DENIED" "$(access)"
  expect "kept: one of a newer version is left alone" grep -q '"version":2' "$STATE/configuration.json"
  expect_clean_stop
  keep_and_break
  sed -i 's/"vail-video"/"vail-gone"/' "$STATE/configuration.json"
  start_daemon
  expect_equal "kept: a group that is gone has no members, and all others are served" \
    "STATUS_SUCCESS STATUS_SUCCESS STATUS_ACCESS_DENIED" \
    "$(access) $(ask vail-alice "$(call io.vaild.Machine.ListQuarantines)" | statuses)"
  expect_clean_stop
  rm "$CONFIG/vaild.json"
}

# If the user database does not answer, nothing is known about the operators. The kept configuration
# is no way out: it may name the group that cannot be looked up.
user_database_trouble() {
  if ! strace -o "$PRIVATE/trace" -e inject=getpid:error=EPERM true 2>/dev/null; then
    skip "no user database" "strace(1) may not trace processes on this machine"
    return
  fi
  keep_and_break
  cat >"$PRIVATE/traced" <<END
#!/bin/sh
export ASAN_OPTIONS=detect_leaks=0
exec strace -o /dev/null -P /etc/group -e trace=openat -e inject=openat:error=EIO "$VAILD" "\$@"
END
  chmod +x "$PRIVATE/traced"
  printf '%s\n' 'passwd: files' 'group: files' >"$PRIVATE/nsswitch.conf"
  mount --bind "$PRIVATE/nsswitch.conf" /etc/nsswitch.conf
  VAILD=$PRIVATE/traced try_daemon
  umount /etc/nsswitch.conf
  expect_equal "no user database: the daemon does not start" 1 "$STATUS"
  expect "no user database: the log says so" grep -q 'operatorGroup.*cannot be looked up now' "$LOG"
  expect "no user database: the kept configuration stays" test -s "$STATE/configuration.json"
  rm "$CONFIG/vaild.json"
}

# check_config STATUS PATTERN CHECK ARGUMENT...: runs vaild --check-config as alice.
check_config() {
  local expected=$1 pattern=$2 check=$3 status=0 said
  shift 3
  said=$(run_as vail-alice "$VAILD" --config "$CONFIG" --check-config "$@" 2>&1) || status=$?
  expect_match "--check-config: $check" "^$expected $pattern\$" "$status $said"
}

check_configurations() {
  local before
  chmod a+rX "$CONFIG" "$CONFIG/vaild.json.d"
  before=$(find "$STATE" "$PRIVATE/run" "$PRIVATE/runtime" -printf '%p %T@\n' | sort)
  mv "$CONFIG/vaild.json.d" "$PRIVATE/drop-ins"
  check_config 0 "$CONFIG: there is no vaild.json, so the defaults apply" "no file is right"
  mv "$PRIVATE/drop-ins" "$CONFIG/vaild.json.d"
  check_config 0 "$CONFIG: the configuration is right" "a folder with only drop-ins is right"
  echo '{"limits":{"contextsPerUid":4}}' >"$CONFIG/vaild.json"
  check_config 0 "$CONFIG: the configuration is right" "the folder of the daemon is right"
  check_config 0 "$CONFIG: the configuration is right" "a right folder is right" "$CONFIG"
  check_config 0 "$CONFIG/vaild.json: the configuration is right" "a right file is right" \
    "$CONFIG/vaild.json"
  echo '{"limits":{"pears":4}}' >"$CONFIG/vaild.json"
  check_config 1 "vaild: $CONFIG/vaild.json:1:12: limits.pears is not a key .*" "a mistake is named"
  echo '{"limits":{"connections":0}}' >"$PRIVATE/draft"
  chown vail-bob "$PRIVATE/draft"
  check_config 1 "vaild: $PRIVATE/draft:1:12: limits.connections would lock operators out.*" \
    "a file of anybody is checked" "$PRIVATE/draft"
  check_config 1 "vaild: $PRIVATE/nothing: cannot be read: No such file or directory" \
    "a missing file is an error" "$PRIVATE/nothing"
  check_config 1 "vaild: $PRIVATE/nothing: there is no such folder; .*" \
    "a named folder that is missing is an error" --config "$PRIVATE/nothing"
  check_config 1 "vaild: $CONFIG/vaild.json: there is no such folder; .*" \
    "a file in place of the folder is an error" --config "$CONFIG/vaild.json"
  check_config 2 ".*unexpected argument.*" "two files are a usage error" "$PRIVATE/draft" "$PRIVATE/draft"
  rm "$CONFIG/vaild.json"
  expect_equal "--check-config: nothing is written" "$before" \
    "$(find "$STATE" "$PRIVATE/run" "$PRIVATE/runtime" -printf '%p %T@\n' | sort)"
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
kept_configuration
unusable_kept_configuration
user_database_trouble
check_configurations
drop_ins
reload
operator_group
expect_clean_stop
rm -r "$CONFIG/vaild.json" "$CONFIG/vaild.json.d"
ready_by_notify
socket
finish
