#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client that sends any text, valid JSON or not, gets its reply or the reason for the refusal, ended
# as it ends its messages. The texts are those of tests/support/json-cases.c.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# suite LF-OR-NUL: sends all texts and checks that each reply is right.
suite() {
  local said

  said=$(run_as vail-alice "$HELPERS/json-suite" "$SOCKET" "$1" 2>&1) || true
  expect_match "each text in each place gets the right reply: $1" \
    '(^|'$'\n'')[0-9]{4} messages, 0 wrong$' "$said"
}

start_daemon
suite lf
suite nul
expect_clean_stop
finish
