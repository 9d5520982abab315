#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Completion of vailctl, vail-view and vail-qemu in bash: of commands, of options, and of GUIDs,
# pids and handles that the daemon lists. Without a daemon, completion offers none and prints no
# error.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=19191919-1919-4919-8919-191919191919
SHARER=29292929-2929-4929-8929-292929292929
export VAILD_SOCKET=$SOCKET

# The program whose completion is tested.
PROGRAM=vailctl

# completions WORD...: prints, on one line, the completions that are offered for the last word. Uses
# a new shell, because an interactive shell does not have the settings of this one (set -e and -u).
completions() {
  # shellcheck disable=SC2016 # the new shell expands it
  "$BASH" -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); name=${1##*/}; "_${name//-/_}"; echo "${COMPREPLY[*]}"' \
    "$ROOT/client/completions/$PROGRAM.bash" "$PRIVATE/build/$PROGRAM" "$@" 2>&1
}

# offers CHECK EXPECTED WORD...: checks the completions that are offered for the last word.
offers() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" "$(completions "$@")"
}

# Checks completions that do not need the daemon.
static_words() {
  offers "vailctl completes commands" "registrations register" reg
  offers "vailctl completes the second word of a command" "quarantine quarantines" vm quar
  offers "vailctl completes the commands after gpu" "adapters processes map" gpu ""
  offers "vailctl completes options of vm add" "--name --no-legend --no-pager" vm add "$GUID" --n
  offers "vailctl completes options of vm update" "--pid" vm update "$GUID" --p
  offers "vailctl completes options of list" "--no-legend --no-pager" list --n
  offers "vailctl offers no completion after --" "" exec "$GUID" -- re
  offers "vailctl save completes file names" "$ROOT/Makefile" save 0123 "$ROOT/Makef"
  offers "vailctl completes user names" vail-alice vm add "$GUID" --user vail-al
  offers "vailctl call completes method names" "io.vaild.Monitor.GetStatus" call \
    io.vaild.Monitor.GetS
}

# Checks that all commands and options of vailctl are offered.
completeness() {
  local command missing=

  while read -r command; do
    # shellcheck disable=SC2086 # two words
    [[ " $(completions $command) " == *" ${command##* } "* ]] || missing="$missing $command"
  done < <("$PRIVATE/build/vailctl" --help |
    sed -nE 's/^  vailctl ((vm |vgpu |gpu )?[a-z]+).*/\1/p')
  expect_equal "vailctl: each command is offered" "" "$missing"
  missing=
  for command in $(sed -nE 's/.*(FLAG|VALUE)\(OPTION_[A-Z_]+, "([a-z-]+)"\),/\2/p' \
    "$ROOT/client/vailctl/options.c"); do
    grep -q -- "--$command\b" "$ROOT/client/completions/vailctl.bash" || missing="$missing $command"
  done
  expect_equal "vailctl: each option is offered" "" "$missing"
}

# options_match_help PROGRAM: checks that exactly the options in the program's help are offered.
options_match_help() {
  PROGRAM=$1
  expect_equal "$1: exactly the options in its help are offered" \
    "$("$ROOT/build/$1" --help | grep -oE -- '^  (-h, )?--[a-z-]+|, --version' | grep -oE -- '--[a-z-]+' | sort | xargs)" \
    "$(completions - | tr ' ' '\n' | sort | xargs)"
  PROGRAM=vailctl
}

# Checks the completion of vail-view and vail-qemu with a daemon.
viewer_and_agent() {
  session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$SHARER"
  add_vm "$SHARER" "${SESSION_PID[console]}" "$ALICE_CLIENT" >/dev/null
  assign_gpu "$SHARER" >/dev/null
  session_ask console "mode 64 48"
  PROGRAM=vail-view
  offers "vail-view completes GUIDs after options" "$GUID" --raw --frames 5 19
  offers "vail-view offers no second GUID" "" "$GUID" ""
  offers "vail-view --png completes file names" "$ROOT/Makefile" "$GUID" --png "$ROOT/Makef"
  offers "vail-view offers no completion for a number" "" "$GUID" --frames ""
  offers "vail-view --name completes the names of shared objects" 'console\ 0' "$SHARER" --name ""
  PROGRAM=vail-qemu
  offers "vail-qemu --user completes user names" vail-alice --user vail-al
  offers "vail-qemu --qmp completes file names" "$ROOT/Makefile" --qmp "$ROOT/Makef"
  expect_match "vail-qemu --adapter completes handles of adapters" '^[0-9a-f]{32}$' \
    "$(completions --adapter "")"
  PROGRAM=vailctl
  session_kill console
}

static_words
completeness
options_match_help vail-view
options_match_help vail-qemu
offers "vailctl completes to nothing, without an error, if there is no daemon" "" describe ""
start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
offers "vailctl describe completes GUIDs" "$GUID" describe 19
offers "vailctl completes GUIDs after options" "$GUID" --json vm update ""
offers "vailctl describe offers no second GUID" "" describe "$GUID" ""
session_open alice vail-alice
session_status alice "$CONTEXT"
session_status alice "$(register "$GUID")"
offers "vailctl revoke completes registered pids" "${SESSION_PID[alice]}" revoke "$GUID" ""
session_kill alice
offers "vailctl vm release does not offer a GUID that is not in quarantine" "" vm release ""
ask root "$(call io.vaild.Machine.SetQuarantine "{\"virtualMachineGuid\":\"$GUID\",\"quarantined\":true}")" >/dev/null
offers "vailctl vm release completes GUIDs in quarantine" "$GUID" vm release ""
expect_match "vailctl vgpu remove completes handles of vGPUs" '^[0-9a-f]{32}$' \
  "$(completions vgpu remove "")"
viewer_and_agent
expect_match "vailctl vgpu assign --adapter completes handles of adapters" '^[0-9a-f]{32}$' \
  "$(completions vgpu assign "$GUID" --adapter "")"
expect_clean_stop
finish
