#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Completion of vailctl, vail-view and vail-qemu in bash: commands, options and what the daemon
# knows; silence where it is not there.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=19191919-1919-4919-8919-191919191919
SHARER=29292929-2929-4929-8929-292929292929
export VAILD_SOCKET=$SOCKET

# Whose completion it is.
PROGRAM=vailctl

# completions WORD...: what is offered for the last word, in one line. As in an interactive shell,
# without this one's settings.
completions() {
  # shellcheck disable=SC2016 # for the other shell
  "$BASH" -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); name=${1##*/}; "_${name//-/_}"; echo "${COMPREPLY[*]}"' \
    "$ROOT/client/$PROGRAM.bash" "$PRIVATE/build/$PROGRAM" "$@" 2>&1
}

# offers CHECK EXPECTED WORD...
offers() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" "$(completions "$@")"
}

words() {
  offers "commands" "registrations register" reg
  offers "two words" "quarantine quarantines" vm quar
  offers "words behind gpu" "adapters processes map" gpu ""
  offers "options" "--name --no-legend --no-pager" vm add "$GUID" --n
  offers "options of another command" "--no-legend --no-pager" list --n
  offers "nothing behind --" "" exec "$GUID" -- re
  offers "files to save in" "$ROOT/Makefile" save 0123 "$ROOT/Makef"
  offers "users" vail-alice vm add "$GUID" --user vail-al
  offers "methods" "io.vaild.Monitor.GetStatus" call io.vaild.Monitor.GetS
}

# The commands and options are those that there are.
completeness() {
  local command missing=

  while read -r command; do
    # shellcheck disable=SC2086 # two words
    [[ " $(completions $command) " == *" ${command##* } "* ]] || missing="$missing $command"
  done < <("$PRIVATE/build/vailctl" --help |
    sed -nE 's/^  vailctl ((vm |vgpu |gpu )?[a-z]+).*/\1/p')
  expect_equal "each command is offered" "" "$missing"
  missing=
  for command in $(sed -nE 's/.*(FLAG|VALUE)\(OPTION_[A-Z_]+, "([a-z-]+)"\),/\2/p' \
    "$ROOT/client/vailctl/options.c"); do
    grep -q -- "--$command\b" "$ROOT/client/completions/vailctl.bash" || missing="$missing $command"
  done
  expect_equal "each option is offered" "" "$missing"
}

# options_of PROGRAM: each that its help names is offered, and no other.
options_of() {
  PROGRAM=$1
  expect_equal "$1: each option is offered" \
    "$("$ROOT/build/$1" --help | grep -oE -- '^  (-h, )?--[a-z]+|, --version' | grep -oE -- '--[a-z]+' | sort | xargs)" \
    "$(completions - | tr ' ' '\n' | sort | xargs)"
  PROGRAM=vailctl
}

viewer_and_agent() {
  session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$SHARER"
  add_vm "$SHARER" "${SESSION_PID[console]}" "$ALICE_CLIENT" >/dev/null
  assign_gpu "$SHARER" >/dev/null
  session_ask console "mode 64 48"
  PROGRAM=vail-view
  offers "vail-view: GUIDs" "$GUID" --raw --frames 5 19
  offers "vail-view: a GUID once" "" "$GUID" ""
  offers "vail-view: files" "$ROOT/Makefile" "$GUID" --png "$ROOT/Makef"
  offers "vail-view: no numbers" "" "$GUID" --frames ""
  offers "vail-view: names of what is shared" 'console\ 0' "$SHARER" --name ""
  PROGRAM=vail-qemu
  offers "vail-qemu: users" vail-alice --user vail-al
  offers "vail-qemu: monitors" "$ROOT/Makefile" --qmp "$ROOT/Makef"
  expect_match "vail-qemu: adapters" '^[0-9a-f]{32}$' "$(completions --adapter "")"
  PROGRAM=vailctl
  session_kill console
}

words
completeness
options_of vail-view
options_of vail-qemu
offers "silence without a daemon" "" describe ""
start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
offers "GUIDs" "$GUID" describe 19
offers "GUIDs behind options" "$GUID" --json vm update ""
offers "a GUID once" "" describe "$GUID" ""
session_open alice vail-alice
session_status alice "$CONTEXT"
session_status alice "$(register "$GUID")"
offers "pids that are registered" "${SESSION_PID[alice]}" revoke "$GUID" ""
session_kill alice
offers "GUIDs in quarantine alone" "" vm release ""
ask root "$(call io.vaild.Machine.SetQuarantine "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")" >/dev/null
offers "which are known, too" "$GUID" vm release ""
expect_match "virtual GPUs" '^[0-9a-f]{32}$' "$(completions vgpu remove "")"
viewer_and_agent
expect_match "adapters" '^[0-9a-f]{32}$' "$(completions vgpu assign "$GUID" --adapter "")"
expect_clean_stop
finish
