#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A connection that always has more to ask, and wants no answers, does not keep the daemon to
# itself: who asks meanwhile waits for a few of its requests, not for all that it has sent.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

RANGES=4000
REQUESTS=1000

# repeat COUNT REQUEST: so many of it, none of which is to be answered.
repeat() {
  printf "%.s{\"oneway\":true,${2#\{}\n" $(seq "$1")
}

# Describing this address space takes long.
make_a_long_one() {
  session_open flood vail-bob
  session_ask flood "$CONTEXT"
  PROCESS="{\"process\":$(jq .parameters.process <<<"$REPLY")"
  repeat "$RANGES" "$(call io.vaild.Gpu.MapGpuVirtualAddress \
    "$PROCESS,\"sizeInBytes\":4096,\"protection\":\"zero\"}")" >&"${SESSION_IN[flood]}"
  session_ask flood "$(call io.vaild.Gpu.ListProcesses)"
  expect_equal "an address space of many ranges" $((RANGES + 1)) \
    "$(field '.parameters.processes[0].ranges' <<<"$REPLY")"
}

start_daemon
make_a_long_one
while repeat "$REQUESTS" "$(call io.vaild.Gpu.DescribeAddressSpace "$PROCESS}")"; do :; done \
  >&"${SESSION_IN[flood]}" &
FLOOD=$!

# How many of the flood's requests are done while somebody waits for one answer: the least of some.
DONE=$("$HELPERS/ask-again" "$SOCKET" 8 "$(call io.vaild.Monitor.GetMetrics)" |
  sed -n 's/.*DescribeAddressSpace\\",status=\\"STATUS_SUCCESS\\"} \([0-9]*\).*/\1/p')
LEAST=$(awk 'NR > 1 { print $1 - before } { before = $1 }' <<<"$DONE" | sort -n | head -n 1)
expect "the flood goes on meanwhile" [ "$(head -n 1 <<<"$DONE")" -lt "$(tail -n 1 <<<"$DONE")" ]
expect "an answer waits for a few of them (${LEAST:-none}), not for dozens" [ "${LEAST:-99}" -lt 30 ]
kill_hard "$FLOOD"
session_kill flood
expect_clean_stop
finish
