#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The messages of vail-view quote the VM as it was typed, and not the GUID that was found for it.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
VIEW=("$PRIVATE/vail-view" --socket "$SOCKET")

# view FILE ARGUMENT...: starts vail-view as vail-alice, with its messages in the file, and its frames
# in FILE.frames. Sets VIEWER.
view() {
  local file=$1
  shift
  : >"$PRIVATE/$file"
  exec_as vail-alice "${VIEW[@]}" "$@" >"$PRIVATE/$file.frames" 2>"$PRIVATE/$file" </dev/null &
  VIEWER=$!
}

# says CHECK PATTERN FILE: waits for the end of the viewer, and checks its message.
says() {
  wait "$VIEWER" || true
  expect_match "$1" "$2" "$(cat "$PRIVATE/$3")"
}

is_registered() { registered_pids_are "$VIEWER"; }

cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/vail-view"
start_daemon
session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$GUID"
VMM=${SESSION_PID[console]}
"${CTL[@]}" vm add "$GUID" --pid "$VMM" --name desk --user vail-alice
view no-gpu desk --png "$PRIVATE/screen.png"
says "a refusal names the VM as typed, also in its advice" \
  '^vail-view: desk: .*vailctl vgpu assign desk ' no-gpu
assign_gpu "$GUID" >/dev/null
session_ask console "mode 64 48"
view quarantine desk --raw
expect "vail-view registers" eventually is_registered
# The watch has begun when the first frame is there.
expect "vail-view shows the picture" eventually test -s "$PRIVATE/quarantine.frames"
"${CTL[@]}" vm quarantine desk
says "the end of the registration names the VM as typed" \
  'no longer registered for virtual machine desk: it is in quarantine \(STATUS_ACCESS_DENIED\)' quarantine
view again desk --raw
says "a quarantine names the VM as typed" '^vail-view: desk: .*quarantine' again
expect_equal "no message has the GUID" "" "$(cd "$PRIVATE" && grep -l "$GUID" no-gpu quarantine again || true)"
expect_clean_stop
finish
