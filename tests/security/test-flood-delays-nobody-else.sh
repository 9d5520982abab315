#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client that sends oneway requests without a pause does not starve the others. The daemon serves
# a few requests of the flood, and then the next connection.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

RANGES=4000
REQUESTS=1000

# repeat_oneway COUNT REQUEST: prints the request COUNT times, as oneway calls.
repeat_oneway() {
  printf "%.s{\"oneway\":true,${2#\{}\n" $(seq "$1")
}

# Maps thousands of ranges, because describing such an address space takes long. Sets PROCESS to the
# beginning of request parameters that name the GPU process.
make_large_address_space() {
  session_open flood vail-bob
  session_ask flood "$CONTEXT"
  PROCESS="{\"process\":$(jq .parameters.process <<<"$REPLY")"
  repeat_oneway "$RANGES" "$(call io.vaild.Gpu.MapGpuVirtualAddress \
    "$PROCESS,\"sizeInBytes\":4096,\"protection\":\"zero\"}")" >&"${SESSION_IN[flood]}"
  session_ask flood "$(call io.vaild.Gpu.ListProcesses)"
  expect_equal "an address space of $RANGES ranges is mapped" $((RANGES + 1)) \
    "$(field '.parameters.processes[0].ranges' <<<"$REPLY")"
}

start_daemon
make_large_address_space
while repeat_oneway "$REQUESTS" "$(call io.vaild.Gpu.DescribeAddressSpace "$PROCESS}")"; do :; done \
  >&"${SESSION_IN[flood]}" &
FLOOD=$!

# Another client asks eight times for the number of flood requests that have been served. The
# smallest increase counts, because a busy machine can delay the client itself.
SERVED=$("$HELPERS/ask-again" "$SOCKET" 8 "$(call io.vaild.Monitor.GetMetrics)" |
  sed -n 's/.*DescribeAddressSpace\\",status=\\"STATUS_SUCCESS\\"} \([0-9]*\).*/\1/p')
LEAST=$(awk 'NR > 1 { print $1 - before } { before = $1 }' <<<"$SERVED" | sort -n | head -n 1)
expect "the daemon serves the flood meanwhile" \
  [ "$(head -n 1 <<<"$SERVED")" -lt "$(tail -n 1 <<<"$SERVED")" ]
expect "another client waits for fewer than 500 requests of the flood, about two turns (${LEAST:-none})" \
  [ "${LEAST:-999}" -lt 500 ]
kill_and_wait "$FLOOD"
session_kill flood
expect_clean_stop
finish
