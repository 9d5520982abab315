#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A hostile sharer does not fill the memory or the log of vail-view's window.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/desktop.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/desktop.sh"

GUID=23232323-2323-4323-8323-232323232323

# The number of remarks that the window logs, as in follower.h.
REMARKS=50

# share COMMAND: sends a command to share-console.
share() {
  session_ask console "$1"
  [ -n "$REPLY" ] || not_ok "share-console: $1" "no answer"
}

has_said() { [ "$(said "$1")" -gt 0 ]; }

# share_cursor WIDTH: shares a cursor that is too large, and waits until the window has noticed it.
share_cursor() {
  share "mode $1 1200"
  eventually_unless_gone "$VIEWER" has_said "$1 x 1200 pixels, which is more than 4194304 bytes"
}

needs_desktop
mkdir -p "$PRIVATE/build"
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
start_desktop
start_daemon
session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$GUID"
expect_equal "the VM is registered" STATUS_SUCCESS \
  "$(add_vm "$GUID" "${SESSION_PID[console]}" "$ALICE_CLIENT")"
assign_gpu "$GUID" >/dev/null
start_window "$GUID" --name "console 0"
share "name console 0 cursor"
for ((i = 0; i < REMARKS; i++)); do
  share_cursor $((1200 + i))
done
ok "each cursor that is too large is reported"
share "mode 2000 1200"
expect "after $REMARKS reports, the window says that it reports no more" \
  eventually_unless_gone "$VIEWER" has_said "no more of them are reported"
share "mode 2001 1200"
share "name console 0"
share "mode 320 200"
share "draw 1"
expect "the picture is shown then" eventually_unless_gone "$VIEWER" window_has_size 320 200
expect_equal "nothing more was reported" $((REMARKS + 1)) "$(grep -c . "$PRIVATE/window.said")"
key q
expect_ends "the window closes" 0
expect_clean_stop
finish
