#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the examples of the README in one shell, block by block, as a user would paste them.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# block LANGUAGE [NUMBER]: prints the text of all fenced blocks of that language, or of one of them.
block() {
  awk -v fence="\`\`\`$1" -v wanted="${2:-0}" '
    $0 == fence { inside = 1; number++; next }
    /^```/ { inside = 0 }
    inside && (!wanted || number == wanted)' "$ROOT/README.md"
}

if [ ! -f "$ROOT/README.md" ]; then
  skip "the examples work as pasted" "this tree has no README.md"
  finish
fi

# The examples run in a copy of the tree, because they write files, and with an empty /run.
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
expect "the README has examples" [ "$(wc -l <pasted)" -gt 10 ]
STATUS=0
"$BASH" -e pasted >output 2>&1 </dev/null || STATUS=$?
expect_equal "the examples work as pasted" 0 "$STATUS"
expect_equal "socat registers" 1 \
  "$(grep -c '^{"parameters":{"status":"STATUS_SUCCESS","registration"' output || true)"
expect_equal "socat creates two contexts, reserves a range and maps memory" 4 \
  "$(grep -cE '^\{"parameters":\{"status":"STATUS_SUCCESS","(context|virtualAddress)"' output || true)"
expect "vailctl draws the address space" grep -q '64 MiB  process' output
expect "the program with libvail registers" grep -qx 'STATUS_SUCCESS *' output
[ "$FAILED" -eq 0 ] || sed 's/^/# output: /' output

block json >"$CONFIG/vaild.json"
SOCKET=$PRIVATE/run/vaild.sock
start_daemon
expect_equal "the daemon accepts the configuration in the README" STATUS_SUCCESS \
  "$(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
expect_clean_stop
finish
