#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make demo, on a virtual X server: opens a window, types a sentence into it, and saves what the window
# shows, as the picture in the README was made.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/desktop.sh"

SHOT=$ROOT/build/demo/window.png # the demo hides $PRIVATE
STEP="a sentence is typed into the window, and reaches the guest"

# Prints the result of a step of the demo.
result_of() { sed -nE "/^[ 0-9]+\. $1/{n; s/.* ([^ ].*)/\1/p}" "$PRIVATE/demo.log"; }

needs_desktop
start_desktop
rm -f "$SHOT"
status=0
"$ROOT/tests/vm/demo" --picture "$SHOT" >"$PRIVATE/demo.log" 2>&1 || status=$?
if grep -q 'could not be downloaded' "$PRIVATE/demo.log"; then
  skip "the demo" "its guest's kernel could not be downloaded"
  finish
fi
expect_equal "the demo succeeds" 0 "$status"
expect_equal "the demo types into its window" typed "$(result_of "$STEP")"
expect_match "the picture has the guest's screen, and the window's frame" '^7[2-4][0-9]x4[0-4][0-9]$' \
  "$(identify -format '%wx%h' "$SHOT")"
expect "the picture has the yellow sentence of the guest" \
  [ "$(convert "$SHOT" -fill black +opaque '#ffff55' -fill white -opaque '#ffff55' -format '%[fx:mean>0]' info:)" = 1 ]
if [ -f "$ROOT/README.md" ]; then
  picture=$(sed -nE 's/^!\[.*\]\((.*)\)$/\1/p' "$ROOT/README.md" | head -n 1)
  expect_equal "the first picture in the README is one of the demo's window" \
    "$(identify -format '%m %wx%h' "$SHOT")" "$(identify -format '%m %wx%h' "$ROOT/$picture")"
  expect "it has at most 60 KB" [ "$(stat -c %s "$ROOT/$picture")" -le 61440 ]
fi
[ "$FAILED" -eq 0 ] || sed 's/^/# demo: /' "$PRIVATE/demo.log"
finish
