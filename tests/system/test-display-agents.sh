#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Watchers hear when vail-qemu begins and ceases to serve the displays of a VM.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

WATCHED=$PRIVATE/watched
PLAIN=$PRIVATE/plain

# changes: prints how often the watch has reported that the agent has changed.
changes() { jq -s '[.[] | select(.changed // [] | index("displayServerPid"))] | length' "$WATCHED"; }
has_changed() { [ "$(changes)" -ge "$1" ]; }
is_current() { grep -q '"current"' "$WATCHED" && grep -q "changes follow" "$PLAIN"; }

server() { "${CTL[@]}" --json list | jq -r '.virtualMachines[].displayServerPid'; }
agent_serves() { [ "$(server)" = "$AGENT" ]; }

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$PRIVATE/"
start_daemon
start_qemu
start_agent
expect "vail-qemu serves the displays" eventually agent_serves
"${CTL[@]}" --json watch "$GUID" >"$WATCHED" &
"${CTL[@]}" watch "$GUID" >"$PLAIN" &
expect "the watches begin" eventually is_current
expect_equal "the present state is no change" 0 "$(changes)"
kill_and_wait "$AGENT"
expect "watchers hear when vail-qemu ceases to serve" eventually has_changed 1
start_agent
expect "watchers hear when another vail-qemu begins" eventually has_changed 2
expect "it serves the displays" agent_serves
expect "vailctl watch says so in words" \
  eventually grep -q "agent that serves the displays changed" "$PLAIN"
session_kill qemu
wait "$AGENT" || true
expect_clean_stop
finish
