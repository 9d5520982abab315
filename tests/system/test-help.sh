#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The help of each program, of each command of vailctl, and of make fits into 79 columns, so that no
# line breaks on a terminal with 80. Each program takes -h.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# fits NAME TEXT: checks that the text has lines, and that none is longer than 79 columns.
fits() {
  expect_equal "$1: the help has lines, and none is longer than 79 columns" "" \
    "$(LC_ALL=C.UTF-8 awk 'length > 79; END { if (NR < 3) print "too short" }' <<<"$2")"
}

# Prints the commands in the help of vailctl, one per line.
commands() {
  "$ROOT/build/vailctl" --help | sed -nE 's/^  ([a-z]+( [a-z]+)?)  +[A-Z].*/\1/p'
}

programs() {
  local program

  for program in vaild vailctl vail-view vail-qemu vail-libvirt; do
    if [ -x "$ROOT/build/$program" ]; then
      fits "$program" "$("$ROOT/build/$program" --help)"
      expect_equal "$program: -h is --help" "$("$ROOT/build/$program" --help)" \
        "$("$ROOT/build/$program" -h)"
    else
      skip "$program: no line of the help is longer than 79 columns" "it is not built"
    fi
  done
}

vailctl_commands() {
  local command all

  mapfile -t all < <(commands)
  expect "the test finds commands of vailctl" [ "${#all[@]}" -gt 25 ]
  for command in "${all[@]}" vm gpu vgpu; do
    # shellcheck disable=SC2086 # one or two words
    fits "vailctl help $command" "$("$ROOT/build/vailctl" help $command)"
  done
}

# Each command stands under the title of its section, and all summaries begin in one column.
overview() {
  local help fleet columns

  help=$("$ROOT/build/vailctl" --help)
  fleet=$(sed -n '/^Fleet:$/,/^$/p' <<<"$help" | grep -c '^  fleet ')
  expect_equal "the commands about the fleet have a section of their own" 9 "$fleet"
  columns=$(sed -nE 's/^(  [a-z]+( [a-z]+)?  +)[A-Z].*/\1/p' <<<"$help" | awk '{ print length }' | sort -u)
  expect_equal "all summaries of commands begin in one column" 1 "$(wc -l <<<"$columns")"
}

programs
vailctl_commands
overview
expect_match "the help of vailctl says that gpu list is another name" \
  "gpu list and gpu.adapters are the same as adapters" "$("$ROOT/build/vailctl" help)"
fits make "$(make -C "$ROOT" --no-print-directory help)"
finish
