#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The messages of the four programs on a terminal: no word is broken, and names are readable. Scripts get
# each message as one line. Also checks what vailctl adds for people, and not for scripts.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=6b6e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
ABSENT=$PRIVATE/größe/no-vaild.sock
# A name that is longer than a line.
LONG=$(printf 'long-%.0s' {1..17})name

command -v script >/dev/null || {
  skip "$NAME" "script is not installed"
  finish
}

# on_terminal COMMAND...: runs the command on a terminal of 80 columns. Sets SAID to what it prints.
on_terminal() {
  SAID=$(env LC_ALL=C.UTF-8 TERM=xterm NO_COLOR=1 \
    script -qec "stty cols 80 rows 24; ${*@Q}" /dev/null </dev/null 2>&1 | tr -d '\r') || true
}

# folds CHECK COMMAND...: checks that a message of several lines is folded on a terminal, and is one
# line elsewhere.
folds() {
  local check=$1 plain
  shift

  plain=$(LC_ALL=C.UTF-8 "$@" 2>&1 >/dev/null </dev/null) || true
  expect_equal "$check: one line without a terminal" 1 "$(wc -l <<<"$plain")"
  expect "$check: longer than a line of the terminal" [ "${#plain}" -gt 80 ]
  expect_match "$check: the name is readable" größe "$plain"
  on_terminal "$@"
  expect "$check: fits the terminal" [ "$(LC_ALL=C.UTF-8 wc -L <<<"$SAID")" -le 80 ]
  expect_equal "$check: no word is broken" "$plain" "$(sed -e 's/^  //' <<<"$SAID" | paste -sd ' ')"
}

messages_are_folded() {
  folds vailctl "${CTL[0]}" --socket "$ABSENT" list
  folds "a usage error" "${CTL[0]}" list --größe-of-an-option-that-is-longer-than-any-other-option-is
  folds vail-view "$ROOT/build/sanitized/vail-view" --socket "$ABSENT" desk --png /dev/null
  folds vail-qemu "$ROOT/build/sanitized/vail-qemu" --socket "$ABSENT" --qmp "$PRIVATE/größe/and/a/long/path"
  if [ -x "$ROOT/build/sanitized/vail-libvirt" ]; then
    folds vail-libvirt "$ROOT/build/sanitized/vail-libvirt" status --connect "test:///größe/and/a/long/path/of/no/file"
  else
    skip "vail-libvirt's messages" "it is not built"
  fi
}

# A command that begins on one line and ends on the next would be two commands when it is copied.
commands_are_whole() {
  on_terminal env COLUMNS=60 "${CTL[@]}" vm update --reason x desk
  expect_match "a command behind \"see\" is whole" $'; see\n  vailctl vm update --help$' "$SAID"
  on_terminal "${CTL[@]}" holders "$LONG"
  expect_match "a command behind a colon is whole, even if it is longer than a line" \
    $'with:\n  vailctl objects '"$LONG;" "$SAID"
}

# "vail-qemu: vaild does not ..." is a sentence about vaild, and no command.
sentences_about_vaild_are_folded() {
  local qmp=$PRIVATE/qmp

  session_open_with qemu root "$HELPERS/fake-qemu" "$qmp" "a guest" 1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f12 Graphic
  eventually test -S "$qmp"
  on_terminal "$ROOT/build/sanitized/vail-qemu" --socket "$SOCKET" --qmp "$qmp" --user vail-nosuch
  expect_match "the sentence begins behind the name of the program" \
    "^vail-qemu: vaild does not accept the virtual machine: " "$SAID"
  expect "a sentence about vaild fits the terminal" [ "$(LC_ALL=C.UTF-8 wc -L <<<"$SAID")" -le 80 ]
  session_kill qemu
}

second_virtual_gpu_is_noticed() {
  on_terminal "${CTL[@]}" vgpu assign desk
  expect_match "vgpu assign prints the handle on a terminal" '^Virtual GPU: [0-9a-f]{32}$' "$SAID"
  on_terminal "${CTL[@]}" vgpu assign desk
  expect_match "vgpu assign says that there are two virtual GPUs" \
    $'^Virtual GPU: [0-9a-f]{32}\nThe VM has 2 virtual GPUs now; to see them, run: vailctl vgpu list$' "$SAID"
  expect_vailctl root 0 "vgpu assign for a script" vgpu assign desk
  expect_match "a script gets only the handle" '^[0-9a-f]{32}$' "$SAID"
}

viewers_without_a_channel_are_noticed() {
  local other=7c6e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
  local hint=$'^No display channels\\.\nViewers that only show pictures have none; to list them, run:\nvailctl registrations$'

  expect_vailctl root 0 "displays succeeds" displays
  expect_equal "displays gives no hint without viewers" "No display channels." "$SAID"
  exec_as vail-alice "${CTL[@]}" register desk >"$PRIVATE/registered" 2>&1 &
  expect "a process is registered" eventually grep -q registered "$PRIVATE/registered"
  expect_vailctl root 0 "displays succeeds with a viewer" displays
  expect_match "displays says where viewers without a channel are" "$hint" "$SAID"
  expect_vailctl root 0 "displays of the VM succeeds" displays desk
  expect_match "displays of the VM says so, too" "$hint" "$SAID"
  "${CTL[@]}" vm add "$other" --pid "$VMM" --user vail-alice
  expect_vailctl root 0 "displays of another VM succeeds" displays "$other"
  expect_equal "displays of another VM does not" "No display channels." "$SAID"
  expect_vailctl root 0 "displays succeeds with --no-legend" --no-legend displays
  expect_equal "displays prints nothing with --no-legend" "" "$SAID"
}

no_picture_on_a_terminal() {
  on_terminal "$ROOT/build/sanitized/vail-view" --socket "$SOCKET" desk --png -
  expect_match "vail-view refuses a terminal as a file" "^vail-view: --png - writes no pictures to a terminal; " \
    "$SAID"
  on_terminal "${CTL[@]}" save 0123456789abcdef0123456789abcdef -
  expect_match "vailctl save refuses a terminal as a file" "^vailctl: save writes no pictures to a terminal; " \
    "$SAID"
}

start_daemon
start_vmm vail-vmm
"${CTL[@]}" vm add "$GUID" --pid "$VMM" --name desk --user vail-alice
"${CTL[@]}" vm add 5d6e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10 --pid "$VMM" --name "$LONG" --user vail-alice
messages_are_folded
commands_are_whole
sentences_about_vaild_are_folded
second_virtual_gpu_is_noticed
viewers_without_a_channel_are_noticed
no_picture_on_a_terminal
expect_clean_stop
finish
