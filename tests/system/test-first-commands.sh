#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make run and make demo say how long they take, and compile nothing of the tests that they do not
# need. On a terminal, the steps of make demo are one line that is renewed.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# compiled_tests GOAL: prints the files of the tests that make would compile in a new tree.
compiled_tests() {
  make -C "$ROOT" --dry-run --always-make "$1" 2>/dev/null | sed -n 's/.* -c -o [^ ]* \(tests\/.*\)/\1/p'
}

# first_line GOAL: prints the first command that make would run.
first_line() { make -C "$ROOT" --no-print-directory --dry-run "$1" | sed -n 1p; }

check_make() {
  expect "make demo compiles something" \
    grep -q ' -c -o ' <<<"$(make -C "$ROOT" --dry-run --always-make demo 2>/dev/null)"
  expect_equal "make demo compiles no tests" "" "$(compiled_tests demo)"
  expect_equal "make run compiles only the helper that registers through libvail" \
    tests/system/helpers/register-process.c "$(compiled_tests run)"
  expect_match "make demo begins with the time that it takes" '^echo .This takes .*seconds' \
    "$(first_line demo)"
  expect_match "make run begins with the time that it takes" '^echo .This takes .*seconds' \
    "$(first_line run)"
}

# Runs the command with which make demo shows the part of the README that comes next.
check_what_comes_next() {
  local command

  command=$(grep -o "sed -n .* README.md" "$ROOT/tests/vm/demo")
  expect_match "make demo ends with a command that shows how to share one's own QEMU" \
    'build/vaild .*qemu-system.*build/vail-view' "$(cd "$ROOT" && eval "$command" | tr '\n' ' ')"
}

# Three steps, of which the second fails.
cat >"$PRIVATE/steps" <<'EOF2'
. "$ROOT/tests/system/lib/steps.sh"
FAILED=0
LOG=/dev/null
eventually() { "$@"; }
ONE_LINE=1
steps_begin
step first 1 1
step second 1 2
step_is third 1 true
steps_end
EOF2

check_steps() {
  local plain

  export ROOT
  plain=$("$BASH" -e "$PRIVATE/steps" | sed 's/  */ /g')
  expect_equal "without a terminal, each step is a line" \
    " step expected actual| 1. first 1 1| 2. second 1 2 <- differs| 3. third 1 1|1 of 3 steps gave another result than expected.|" \
    "$(tr '\n' '|' <<<"$plain")"
  # The script runs as on a terminal, whose lines end with CR LF.
  plain=$(script -qec "$BASH -e $PRIVATE/steps" /dev/null </dev/null | sed -e 's/\r$//' -e 's/.*\r\x1b\[K//' -e 's/  */ /g')
  expect_equal "on a terminal, only a failed step and the result remain" \
    " 2. second 1 2 <- differs|1 of 3 steps gave another result than expected.|" \
    "$(tr '\n' '|' <<<"$plain")"
}

check_make
[ ! -f "$ROOT/README.md" ] || check_what_comes_next
check_steps
finish
