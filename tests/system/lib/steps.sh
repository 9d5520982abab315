# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Prints two lines for each step of a demonstration: the step; the expected and the actual result.
# With ONE_LINE=1 and on a terminal, each step replaces the one before, and only those remain whose
# result is not the expected one. No line is longer than 79 columns, if the name of the step has at
# most 75 characters. Source this file after system-test.sh.

STEP=0
ONE_LINE=

# Tests whether each step replaces the one before.
one_line() { [ -n "$ONE_LINE" ] && [ -t 1 ]; }

# progress TEXT: says what happens now.
progress() {
  if one_line; then printf '\r\033[K%s' "$*"; else echo "$*"; fi
}

# print_results EXPECTED ACTUAL: a GUID needs 36 columns.
print_results() { printf '      %-36s %s\n' "$@"; }

# A reader of the steps does not know the function that is waited for.
note_wait() { one_line || echo "    (This takes longer than 10 seconds.)"; }

# Prints the head of the table.
steps_begin() { one_line || print_results expected actual; }

# step NAME EXPECTED ACTUAL: prints a step. If the results differ, counts it in FAILED.
step() {
  local verdict=

  STEP=$((STEP + 1))
  if [ "$2" != "$3" ]; then
    verdict='  <- differs'
    FAILED=$((FAILED + 1))
  fi
  if one_line && [ -z "$verdict" ]; then
    progress "$STEP. $1"
  else
    ! one_line || progress
    printf '%2d. %s%s\n' "$STEP" "$1" "$verdict"
    print_results "$2" "$3"
  fi
}

# step_is NAME EXPECTED COMMAND...: prints a step that takes effect later. Its result is EXPECTED as
# soon as COMMAND succeeds.
step_is() {
  local name=$1 expected=$2
  shift 2
  ! one_line || progress "$((STEP + 1)). $name"
  if eventually "$@"; then
    step "$name" "$expected" "$expected"
  else
    step "$name" "$expected" "never happened"
  fi
}

# Prints a summary and, if a step failed, the daemon's log.
steps_end() {
  ! one_line || progress
  if [ "$FAILED" -eq 0 ]; then
    echo "All $STEP steps gave the expected results."
  else
    echo "$FAILED of $STEP steps gave another result than expected."
    sed 's/^/vaild: /' "$LOG"
  fi
}
