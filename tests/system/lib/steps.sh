# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Prints a table with one line for each step of a demonstration: the step, the expected result and
# the actual result. Source this file after system-test.sh.

STEP=0

# Prints the head of the table.
steps_begin() { printf '    %-62s %-34s %s\n' step expected actual; }

# step NAME EXPECTED ACTUAL: prints a step. If the results differ, counts it in FAILED.
step() {
  local verdict=

  STEP=$((STEP + 1))
  if [ "$2" != "$3" ]; then
    verdict='  <- differs'
    FAILED=$((FAILED + 1))
  fi
  printf '%2d. %-62s %-34s %s%s\n' "$STEP" "$1" "$2" "$3" "$verdict"
}

# step_is NAME EXPECTED COMMAND...: prints a step that takes effect later. Its result is EXPECTED as
# soon as COMMAND succeeds.
step_is() {
  local name=$1 expected=$2
  shift 2
  if eventually "$@"; then
    step "$name" "$expected" "$expected"
  else
    step "$name" "$expected" "never happened"
  fi
}

# Prints a summary and, if a step failed, the daemon's log.
steps_end() {
  if [ "$FAILED" -eq 0 ]; then
    echo "All $STEP steps gave the results that the contract requires."
  else
    echo "$FAILED of $STEP steps gave another result than expected."
    sed 's/^/vaild: /' "$LOG"
  fi
}
