#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Tests vail-qemu with real guests and Debian 13's QEMU, which passes its screens as memory. A viewer
# of another user sees exactly the pixels that the guest drew, in QEMU's own memory.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../system/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-guest.sh"
# shellcheck source=tests/vm/qemu-image.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu-image.sh"
# shellcheck source=tests/vm/hand-over-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../hand-over-guest.sh"
# shellcheck source=tests/vm/screens.sh
. "$(dirname "${BASH_SOURCE[0]}")/../screens.sh"

QEMU_USER=vail-vmm

## Viewers

# viewer_ends CHECK: checks that the viewer exits because the VM has ended, and that its log contains
# no other message. On a slow machine, it also says that it waits for a picture.
viewer_ends() {
  process_ends "$1" "$VIEWER" 1 "$GUID has ended" "$PRIVATE/viewer.log"
  expect_equal "$1: no other message" 1 "$(grep -vc ': waiting: ' "$PRIVATE/viewer.log")"
}

# Compares the last frame of the running viewer with QEMU's own screenshot.
viewer_equals_screendump() {
  screendump "$PRIVATE/guest/dump.png"
  are_equal "$PICTURES/viewed.png" "$PRIVATE/guest/dump.png"
}

## SeaBIOS, and a guest that changes its mode

# Reads the screen's text from the video memory of the PC's text mode.
firmware_shows_name() {
  local command='{"execute":"human-monitor-command","arguments":{"command-line":"xp /14cb 0xb8000"}}'

  [ "$(monitor "$command" | grep -o "'[A-Za-z]'" | tr -d "'\n")" = SeaBIOS ]
}

test_firmware() {
  start_guest "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  expect "SeaBIOS shows its name" eventually firmware_shows_name
  start_agent --user vail-alice
  expect "vail-qemu shares the screen" eventually console_is 720x400
  expect_console_shown "the console shows the screen of SeaBIOS"
}

# list_memfds PID: prints device and inode of each memfd that a process has open.
list_memfds() {
  local fd

  for fd in "/proc/$1/fd/"*; do
    [[ $(readlink "$fd") != /memfd:* ]] || stat -L -c %d:%i "$fd" || true
  done
}

# has_memory_of_qemu PID: succeeds if the process has memfds, and QEMU has the same.
has_memory_of_qemu() {
  local memfds

  memfds=$(list_memfds "$1")
  [ -n "$memfds" ] &&
    [ -z "$(comm -23 <(sort -u <<<"$memfds") <(list_memfds "$QEMU" | sort -u))" ]
}

test_no_copy() {
  start_viewer
  expect "the viewer has QEMU's own memory" has_memory_of_qemu "$VIEWER"
  expect "vail-qemu has QEMU's own memory" has_memory_of_qemu "$AGENT"
  expect_equal "vail-qemu does not report that it copies" "" "$(cat "$PRIVATE/agent.log")"
  expect_equal "the size of QEMU's memory is not sealed, and its access not enforced" \
    "read false false" \
    "$(console '"\(.object.access) \(.memory.sizeSealed) \(.memory.accessEnforced)"')"
}

# Prints width and height of QEMU's screenshot as hexadecimal bytes.
display_mode() {
  screendump "$PRIVATE/guest/mode.png"
  od -An -tx1 -j16 -N8 "$PRIVATE/guest/mode.png"
}

mode_is_other_than() { [ "$(display_mode)" != "$1" ]; }

change_mode() {
  local before

  before=$(display_mode)
  press_key
  eventually mode_is_other_than "$before" || not_ok "$NAME: a key changes the guest's mode" "it did not"
}

# Each change of mode replaces the shared object. The viewer follows, and never reads beyond the
# memory that it has.
test_mode_changes() {
  local change handle

  expect "mode changes: the guest awaits a key" guest_awaits_keys
  for change in 1 2 3 4; do
    handle=$(console_handle)
    change_mode
    expect "mode change $change: vail-qemu shares another object" eventually console_is_other_than "$handle"
    stop_guest
    expect "mode change $change: the viewer shows the screen" eventually viewer_equals_screendump
    expect "mode change $change: the viewer has QEMU's memory" eventually \
      has_memory_of_qemu "$VIEWER"
    continue_guest
  done
  for change in {1..15}; do
    change_mode
  done
  stop_guest
  expect "fifteen mode changes in a row: the viewer shows the screen" eventually \
    viewer_equals_screendump
  continue_guest
  expect_equal "mode changes: the viewer reports no error" "" \
    "$(grep -v ': waiting: ' "$PRIVATE/viewer.log" || true)"
  expect_equal "mode changes: vail-qemu reports no error" "" "$(cat "$PRIVATE/agent.log")"
}

# Another user gets no image and no fd, even with the object's handle.
test_other_user() {
  local status=0

  run_as vail-bob "${VIEW[@]}" "$GUID" --png "$PICTURES/bob.png" \
    2>"$PRIVATE/bob.log" </dev/null || status=$?
  expect_equal "another user's viewer: exit status" 1 "$status"
  expect_match "another user's viewer: it reports the reason" STATUS_ACCESS_DENIED "$(cat "$PRIVATE/bob.log")"
  expect "another user's viewer: it saves no image" [ ! -e "$PICTURES/bob.png" ]
  expect_equal "another user cannot open the object by its handle" STATUS_ACCESS_DENIED \
    "$(ask vail-bob "$(call io.vaild.OpenSharedObject "{\"handle\":\"$(console_handle)\"}")" | statuses)"
  expect_equal "the audit log has no object that another user opened" "" \
    "$(grep "allowed io.vaild.OpenSharedObject.*uid=$BOB" "$LOG" || true)"
  expect_equal "the only holder is the viewer" "$VIEWER" "$(console '.holders[].pid')"
}

# vail-qemu reports the refusal only once, although QEMU offers such memory several times.
test_require_sealed_memory() {
  local change

  echo '{"requireSealedMemory":true}' >"$CONFIG/vaild.json.d/sealed.json"
  "${CTL[@]}" reload >/dev/null
  for change in 1 2 3; do
    change_mode
  done
  expect "requireSealedMemory: QEMU's memory is not shared" eventually no_object
  expect "requireSealedMemory: vail-qemu reports the reason" eventually \
    grep -q 'console 0 cannot be shared: .*seal' "$PRIVATE/agent.log"
  expect_equal "requireSealedMemory: vail-qemu reports it once" 1 "$(grep -c 'cannot be shared' "$PRIVATE/agent.log")"
  rm "$CONFIG/vaild.json.d/sealed.json"
  "${CTL[@]}" reload >/dev/null
  change_mode
  expect "without requireSealedMemory: QEMU's memory is shared again" eventually \
    console_is_other_than ""
}

test_quit() {
  monitor '{"execute":"quit"}' >/dev/null
  agent_ends "QEMU quits: vail-qemu" 0 'QEMU has ended$'
  viewer_ends "QEMU quits: the viewer"
  expect "QEMU quits: the VM ends" eventually running_vms_are ""
}

## Two QEMUs of one UUID

test_hand_over() {
  local qmp=$QMP

  rm -f "$PICTURES/viewed.png"
  check_migration
  check_migration_that_fails
  check_save_and_restore
  check_end_of_both
  QMP=$qmp
  rm -f "$PICTURES/viewed.png"
}

## Linux, on two virtual GPUs

random_token() { od -An -N8 -tx1 /dev/urandom | tr -d ' \n'; }

# expect_token CHECK TOKEN: checks the token in the image that save_console saved last.
expect_token() {
  expect_equal "$1" "$2" "$("$HELPERS/read-console" "$PICTURES/saved.png" 1 2>&1)"
}

# The guest runs once the viewer shows a frame, so that the viewer sees all its changes of the mode.
test_two_consoles() {
  local first second

  first=$(random_token) second=$(random_token)
  make_guest_initrd initrd define-cursor
  MEMORY=256 start_guest "${WITH_DISPLAY[@]}" -S -device virtio-gpu-pci,id=gpu1 \
    -kernel /guest/vmlinuz -initrd "$PRIVATE/guest/initrd" -serial "file:$SERIAL" \
    -append "quiet fbcon=map:01 first=$first second=$second mitigations=off tsc=reliable
      no_timer_check nokaslr"
  start_agent --user vail-alice
  expect "Linux: the console is shared before the guest runs" eventually console_is_other_than ""
  start_viewer
  continue_guest
  expect "Linux: the guest draws on both consoles" guest_draws
  expect "Linux: the guest changes the mode of console 0" eventually console_is 1280x800
  expect_console_shown "Linux: console 0 shows the screen of the first GPU" 0 gpu0
  expect_token "Linux: console 0 shows its token" "$first"
  expect_console_shown "Linux: console 1 shows the screen of the second GPU" 1 gpu1
  expect_token "Linux: console 1 shows its token" "$second"
  expect "Linux: the viewer that was started before the guest shows the screen" eventually \
    viewer_equals_screendump
  expect "Linux: the viewer has QEMU's memory" eventually has_memory_of_qemu "$VIEWER"
  expect_equal "Linux: vail-qemu reports no error" "" "$(cat "$PRIVATE/agent.log")"
}

cursor_is_defined() { grep -q defined "$SERIAL"; }
cursor_handle() { objects 'select(.object.name == "console 0 cursor") | .handle'; }
cursor_is_shared() { [ -n "$(cursor_handle)" ]; }

read_cursor() { run_as vail-alice "$HELPERS/read-cursor" "$SOCKET" "$GUID" "$(cursor_handle)" 2>&1; }
cursor_is() { [ "$(read_cursor)" = "$1" ]; }

test_cursor() {
  local expected=$'image\nplace 321 123 1 5 9'

  expect "Linux: the guest defines a cursor" eventually cursor_is_defined
  expect "Linux: vail-qemu shares the cursor" eventually cursor_is_shared
  if eventually cursor_is "$expected"; then
    ok "Linux: the cursor has the guest's image, position and hot spot"
  else
    not_ok "Linux: the cursor has the guest's image, position and hot spot" "$(read_cursor)"
  fi
}

# A second vail-qemu takes over from one that was killed, while QEMU runs.
test_takeover() {
  kill_and_wait "$AGENT"
  expect "takeover: the objects of a killed vail-qemu end" eventually no_object
  start_agent
  expect "takeover: the next vail-qemu shares console 0" eventually console_is 1280x800
  expect "takeover: the next vail-qemu shares console 1" eventually console_is 1280x800 1
  expect_console_shown "takeover: console 0 shows the screen of the first GPU" 0 gpu0
  expect "takeover: the viewer has QEMU's memory again" eventually has_memory_of_qemu "$VIEWER"
}

test_kill() {
  kill_and_wait "$QEMU"
  agent_ends "QEMU is killed: vail-qemu" 0 'QEMU has ended$'
  viewer_ends "QEMU is killed: the viewer"
  expect "QEMU is killed: the VM ends" eventually running_vms_are ""
}

needs_qemu_tree
cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/"
make_changing_disk
start_daemon
test_firmware
test_no_copy
test_mode_changes
test_other_user
test_require_sealed_memory
test_quit
test_hand_over
test_two_consoles
test_cursor
test_takeover
test_kill
expect_clean_stop
finish
