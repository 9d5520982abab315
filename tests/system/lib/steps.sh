# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A line a step, for people: what was done, what was expected, what was real. To be sourced behind
# lib.sh.

STEP=0

steps_begin() { printf '    %-62s %-34s %s\n' step expected real; }

# step WHAT EXPECTED REAL
step() {
  local verdict=

  STEP=$((STEP + 1))
  if [ "$2" != "$3" ]; then
    verdict='  <- differs'
    FAILED=$((FAILED + 1))
  fi
  printf '%2d. %-62s %-34s %s%s\n' "$STEP" "$1" "$2" "$3" "$verdict"
}

# step_is WHAT EXPECTED COMMAND...: a step that is no call, and is waited for.
step_is() {
  local what=$1 expected=$2
  shift 2
  if eventually "$@"; then
    step "$what" "$expected" "$expected"
  else
    step "$what" "$expected" "not so"
  fi
}

# What the daemon said, where a step differs.
steps_end() {
  if [ "$FAILED" -eq 0 ]; then
    echo "All $STEP steps are as the contract has them."
  else
    echo "$FAILED of $STEP steps differ."
    sed 's/^/vaild: /' "$LOG"
  fi
}
