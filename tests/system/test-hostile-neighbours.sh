#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Hostile users attack the daemon in every known way, while two honest users and an operator use it.
# tests/hostile/hostile.h explains the measurement, and tests/hostile/attacks.c lists the patterns.
#
#   test-hostile-neighbours.sh [--seconds COUNT] [--only PATTERN]
#
# With an option, prints a table with two forms of each pattern, measured for COUNT seconds.
# Otherwise runs a short form. It measures the CPU time that the daemon uses while an honest user
# waits, because that is the same on a busy machine.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

add_user vail-mallory 47021 /bin/bash
add_user vail-mordred 47022 /bin/bash
# By default not the daemon with sanitizers, which need too much time and memory.
[ "$VAILD" != "$ROOT/build/sanitized/vaild" ] || VAILD=$ROOT/build/vaild

# hostile OPTION...: runs the attacks.
hostile() {
  "$ROOT/build/tests/hostile-neighbours" "$@" "$SOCKET" "$PRIVATE/runtime" \
    "$CONFIG/vaild.json" "${AS_DAEMON[@]}" "$VAILD" --socket "$SOCKET" \
    --runtime-dir "$PRIVATE/runtime" --state-dir "$STATE" --config "$CONFIG" 2>>"$LOG"
}

if [ $# -gt 0 ]; then
  hostile "$@"
else
  hostile --short --seconds 1 --attempts 3
fi || {
  grep -v ' vaild: ' "$LOG" | tail -n 20 | sed 's/^/# log: /'
  FAILED=1
}
finish
