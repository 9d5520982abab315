#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A vaild that was started by hand cannot use the folders of the service, not even as root. It says
# whose they are, and what to do.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# start_with OPTION...: starts a vaild that ends with an error. Sets SAID to what it prints.
start_with() {
  SAID=$("$@" --socket "$PRIVATE/run/by-hand.sock" --config "$CONFIG" 2>&1) || return 0
  SAID="it ended without an error: $SAID"
}

ADVICE="it belongs to uid $(id -u vaild), as the folders of the service do; run: systemctl start vaild.socket, or choose another"

make_folders
mkdir -m 700 "$PRIVATE/by-hand-runtime" "$PRIVATE/by-hand-state"
chmod 700 "$STATE" "$PRIVATE/runtime"

start_with "$VAILD" --runtime-dir "$PRIVATE/by-hand-runtime" --state-dir "$STATE"
expect_match "the state belongs to the service" \
  "$STATE: cannot restore the quarantines: Permission denied; $ADVICE directory with --state-dir" "$SAID"
start_with "$VAILD" --runtime-dir "$PRIVATE/runtime" --state-dir "$PRIVATE/by-hand-state"
expect_match "the records belong to the service" \
  "$PRIVATE/runtime: cannot lock the directory: Permission denied; $ADVICE directory with --runtime-dir" "$SAID"
start_with run_as vail-alice "$VAILD" --runtime-dir "$PRIVATE/runtime" --state-dir "$PRIVATE/by-hand-state"
expect_match "a user is told to be root" "Permission denied; start vaild as root" "$SAID"
finish
