#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make builds all programs. make run and make demo say how long they take, and compile nothing of the
# tests that they do not need. On a terminal, the steps of make demo are one line that is renewed. No
# line is longer than 79 columns.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# compiled_tests GOAL: prints the files of the tests that make would compile in a new tree.
compiled_tests() {
  make -C "$ROOT" --dry-run --always-make "$1" 2>/dev/null | sed -n 's/.* -c -o [^ ]* \(tests\/.*\)/\1/p'
}

# first_line GOAL: prints the first command that make would run.
first_line() { make -C "$ROOT" --no-print-directory --dry-run "$1" | sed -n 1p; }

check_make() {
  expect_equal "make without a goal builds all programs" all \
    "$(make -C "$ROOT" --dry-run --print-data-base 2>/dev/null | sed -n 's/^\.DEFAULT_GOAL := //p')"
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

# Checks that the README has the section that make demo names at its end, and what the user finds there.
check_what_comes_next() {
  local heading

  heading=$(sed -nE 's/^ *README.md, from "([^"]+)".*/\1/p' "$ROOT/tests/vm/demo")
  expect_match "make demo names a section of the README after which one's own QEMU is shared" \
    'build/vaild .*qemu-system.*build/vail-view' \
    "$(sed -n "/^## $heading\$/,\$p" "$ROOT/README.md" | tr '\n' ' ')"
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
  expect_equal "without a terminal, each step is two lines" \
    " expected actual| 1. first| 1 1| 2. second <- differs| 1 2| 3. third| 1 1|1 of 3 steps gave another result than expected.|" \
    "$(tr '\n' '|' <<<"$plain")"
  # The script runs as on a terminal, whose lines end with CR LF.
  plain=$(script -qec "$BASH -e $PRIVATE/steps" /dev/null </dev/null | sed -e 's/\r$//' -e 's/.*\r\x1b\[K//' -e 's/  */ /g')
  expect_equal "on a terminal, only a failed step and the result remain" \
    " 2. second <- differs| 1 2|1 of 3 steps gave another result than expected.|" \
    "$(tr '\n' '|' <<<"$plain")"
}

# too_long: prints the lines of stdin that a terminal with 80 columns would break.
too_long() { LC_ALL=C.UTF-8 awk 'length > 79'; }

check_widths() {
  local output goal

  for goal in run demo; do
    expect_equal "make $goal: the time that it takes fits into 79 columns" "" \
      "$(first_line "$goal" | sed -e 's/^echo .//' -e 's/.$//' | too_long)"
  done
  if output=$("$ROOT/tests/vm/main-job" 2>&1); then
    expect_match "make run prints its steps" '[1-9][0-9] steps gave the expected results' "$output"
    expect_equal "make run: each line fits into 79 columns" "" "$(too_long <<<"$output")"
  else
    not_ok "make run works" "$output"
  fi
}

check_make
check_widths
[ ! -f "$ROOT/README.md" ] || check_what_comes_next
check_steps
finish
