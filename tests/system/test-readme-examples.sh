#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The README's examples, pasted block by block into one shell, as a user would.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# block LANGUAGE [NUMBER]: the text of the fenced blocks of that language, or of one of them.
block() {
  awk -v fence="\`\`\`$1" -v wanted="${2:-0}" '
    $0 == fence { inside = 1; number++; next }
    /^```/ { inside = 0 }
    inside && (!wanted || number == wanted)' "$ROOT/README.md"
}

if [ ! -f "$ROOT/README.md" ]; then
  skip "the examples" "there is no README.md"
  finish
fi

# A copy of what the examples use, since they write files beside it; and a /run of our own.
mkdir -p "$PRIVATE/tree/build"
cp -r "$ROOT/client" "$ROOT/proto" "$PRIVATE/tree/"
cp "$ROOT/build/vaild" "$ROOT/build/vailctl" "$ROOT"/build/libvail.so* "$PRIVATE/tree/build/"
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
cd "$PRIVATE/tree"
block c >viewer.c
SOCKET=/run/vaild/vaild.sock

{
  example_prologue
  block sh 1
  echo 'until [ -S /run/vaild/vaild.sock ]; do sleep 0.02; done'
  for number in 2 3 4 5; do block sh "$number"; done
} >pasted
expect "the examples are there" [ "$(wc -l <pasted)" -gt 10 ]
STATUS=0
"$BASH" -e pasted >said 2>&1 </dev/null || STATUS=$?
expect_equal "they work as pasted" 0 "$STATUS"
expect_equal "socat makes a context and registers" 1 "$(grep -c '^{"parameters":{"status":"STATUS_SUCCESS","registration"' said || true)"
expect_equal "and makes, reserves and maps" 4 "$(grep -cE '^\{"parameters":\{"status":"STATUS_SUCCESS","(context|virtualAddress)"' said || true)"
expect "an address space is drawn" grep -q '64 MiB  process' said
expect "libvail registers" grep -qx 'STATUS_SUCCESS *' said
[ "$FAILED" -eq 0 ] || sed 's/^/# said: /' said

block json >"$CONFIG/vaild.json"
SOCKET=$PRIVATE/run/vaild.sock
start_daemon
expect_equal "the configuration is one" STATUS_SUCCESS \
  "$(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
expect_clean_stop
finish
