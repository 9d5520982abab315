#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The log of a vaild that was started by hand has the local time in each line, in a terminal and in a
# file. A pipe, and the journal, get none. A terminal gets long messages folded, and no command in two.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

TIME='[A-Z][a-z]{2} [ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] '
FOLDER=$PRIVATE/a-folder-of-mistakes

command -v script >/dev/null || {
  skip "$NAME" "script is not installed"
  finish
}

# on_terminal COMMAND...: runs the command on a terminal of 80 columns. Sets SAID to what it prints.
on_terminal() {
  SAID=$(script -qec "stty cols 80 rows 24; ${*@Q}" /dev/null </dev/null 2>&1 | tr -d '\r') || true
}

# expect_folded CHECK PLAIN: checks that SAID is PLAIN in several lines.
expect_folded() {
  expect "$1: longer than a line" [ "${#2}" -gt 80 ]
  expect "$1: fits the terminal" [ "$(wc -L <<<"$SAID")" -le 80 ]
  expect_equal "$1: no word is broken" "$2" "$(sed -e 's/^  //' <<<"$SAID" | paste -sd ' ')"
}

command_lines() {
  local plain command

  mkdir -p "$FOLDER"
  echo '{ "operatorGroop": "vaild" }' >"$FOLDER/vaild.json"
  for command in "--check-config $FOLDER/vaild.json" "--config $FOLDER --check-confg" "--socket=x $FOLDER"; do
    # shellcheck disable=SC2086 # words
    plain=$("$VAILD" $command 2>&1) || true
    # shellcheck disable=SC2086
    on_terminal "$VAILD" $command
    [ "${#plain}" -gt 80 ] && expect_folded "vaild ${command%% *}" "$plain"
    expect_match "vaild ${command%% *}: has no time" "^vaild: " "$SAID"
  done
}

# A start that fails, and a configuration with a mistake, on a terminal.
log_on_a_terminal() {
  local plain

  touch "$PRIVATE/no-folder"
  plain=$("$VAILD" --runtime-dir "$PRIVATE/no-folder/for/records" 2>&1) || true
  expect_match "a pipe gets no time" "^vaild: " "$plain"
  on_terminal "$VAILD" --runtime-dir "$PRIVATE/no-folder/for/records"
  expect_match "a terminal gets the time" "^${TIME}vaild: " "$SAID"
  SAID=${SAID:16}
  expect "a log line fits the terminal" [ "$(wc -L <<<"$SAID")" -le 80 ]
  expect_equal "no word of a log line is broken" "$plain" "$(sed -e 's/^  //' <<<"$SAID" | paste -sd ' ')"
}

# Runs a daemon on a terminal until it serves, and ends it. Between words, 75 columns would break the
# line within the command.
mistake_on_a_terminal() {
  local terminal

  : >"$PRIVATE/typescript"
  script -qfec "stty cols 75 rows 24; exec ${VAILD@Q} --socket $PRIVATE/t.sock --runtime-dir $PRIVATE/t \
    --state-dir $PRIVATE/s --config ${FOLDER@Q}" "$PRIVATE/typescript" </dev/null >/dev/null 2>&1 &
  terminal=$!
  expect "the daemon serves" eventually_unless_gone "$terminal" grep -q "ready on" "$PRIVATE/typescript"
  SAID=$(tr -d '\r' <"$PRIVATE/typescript" | sed '/^Script/d')
  expect_match "the command in the log of a mistake is whole" $'then run\n  "vailctl reload": ' "$SAID"
  expect_match "each message has the time" "${TIME}vaild: the configuration has .*"$'\n'"${TIME}vaild: ready on" "$SAID"
  kill -TERM "$(cut -d' ' -f1 "/proc/$terminal/task/$terminal/children")" # the daemon
  wait "$terminal" || true
}

log_in_a_file() {
  start_daemon
  expect_match "each line of a file has the time" "^${TIME}vaild: ready on $SOCKET\$" "$(grep ready "$LOG")"
  expect_equal "no other form" "" "$(grep -vE "^${TIME}vaild: " "$LOG" || true)"
  expect_clean_stop
}

command_lines
log_on_a_terminal
mistake_on_a_terminal
log_in_a_file
finish
