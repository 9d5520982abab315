#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Threads that share a handle of libvail without a lock cause no data race: ThreadSanitizer sees none,
# and every call succeeds or is refused with a sentence. The threads go on until one call at
# least was refused. build/tests/shared-handle makes the calls.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# ThreadSanitizer needs the usual layout of the address space, which randomization may change.
share_handle() { setarch -R "$ROOT/build/tests/shared-handle" 2>&1; }

SAID=$(share_handle) || echo "# $SAID"
expect_match "threads that share a handle and an object cause no data race" \
  '^[0-9]+ calls succeeded, [1-9][0-9]* were refused$' "$SAID"
finish
