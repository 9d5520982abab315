#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Completion of vailctl, vail-view, vail-qemu and vaild in bash, zsh and fish, each in a terminal: of
# commands, of options and their values, and of what the daemon lists. A name from the daemon is quoted
# for the shell, so that it runs nothing. Without a daemon, completion offers no VMs and prints no error.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=19191919-1919-4919-8919-191919191919
SHARER=29292929-2929-4929-8929-292929292929
HOSTILE=39393939-3939-4939-8939-393939393939
DRIVE=$ROOT/tests/system/lib/completion
export VAILD_SOCKET=$SOCKET PATH=$PRIVATE/build:$PATH HOME=$PRIVATE/home

# This name would create a file if a shell evaluated it.
HOSTILE_NAME="it's \"\$(touch $PRIVATE/ran)\` & \\z"

SHELLS=()
declare -A TYPED ANSWERED SHELL_COMMAND=(
  [bash]="bash --noprofile --rcfile $DRIVE/setup.bash -i"
  [zsh]="zsh -i"
  [fish]="fish --no-config -C 'source $DRIVE/setup.fish' -i"
)

# open_shell NAME COMPLETIONS: starts the shell in a terminal.
open_shell() {
  local name=$1 typed answered

  mkfifo "$PRIVATE/$name.typed" "$PRIVATE/$name.answered" "$PRIVATE/$name.answers"
  ANSWERS=$PRIVATE/$name.answers COMPLETIONS=$2 ZDOTDIR=$PRIVATE/zsh TERM=dumb LC_ALL=C.UTF-8 \
    eval "zsh -f $DRIVE/drive.zsh ${SHELL_COMMAND[$name]}" \
    <>"$PRIVATE/$name.typed" >"$PRIVATE/$name.answered" 2>/dev/null &
  exec {typed}>"$PRIVATE/$name.typed" {answered}<"$PRIVATE/$name.answered"
  TYPED[$name]=$typed ANSWERED[$name]=$answered
  SHELLS+=("$name")
}

open_shells() {
  local name

  mkdir -p "$HOME" "$PRIVATE/zsh/functions"
  cp "$DRIVE/setup.zsh" "$PRIVATE/zsh/.zshrc"
  cp "$ROOT/client/completions/vail.zsh" "$PRIVATE/zsh/functions/_vailctl"
  for name in zsh bash fish; do
    { command -v zsh && command -v "$name"; } >/dev/null || {
      skip "completion in $name" "zsh or $name is not installed"
      continue
    }
    if [ "$name" = zsh ]; then
      open_shell zsh "$PRIVATE/zsh/functions"
    else
      open_shell "$name" "$ROOT/client/completions/vail.$name"
    fi
  done
}

# press SHELL LINE KEYS: types the line and the keys, and sets REPLY to the answer.
press() {
  printf '%s\n' "$2$3" >&"${TYPED[$1]}"
  IFS= read -r REPLY <&"${ANSWERED[$1]}"
}

# sort_words TEXT: prints the words of the text in order.
sort_words() { tr ' ' '\n' <<<"$1" | sed -e 's/^--[a-z]*=//' -e 's/^[a-z-]*://' -e '/^$/d' | sort | paste -sd ' '; }

# offers CHECK EXPECTED LINE: checks the candidates for the last word, in each shell. bash offers only
# the part behind "=" or ":".
offers() {
  local shell
  for shell in "${SHELLS[@]}"; do
    press "$shell" "$3" $'\x18l\x15'
    expect_equal "$shell: $1" "$(sort_words "$2")" "$(sort_words "$REPLY")"
  done
}

# completes CHECK EXPECTED LINE: checks the line after TAB, without the space at its end.
completes() {
  local shell
  for shell in "${SHELLS[@]}"; do
    press "$shell" "$3" $'\t\x18s'
    expect_equal "$shell: $1" "$2" "${REPLY% }"
  done
}

# Checks completions that do not need the daemon.
static_words() {
  local group

  offers "vailctl completes commands" "registrations register" "vailctl reg"
  offers "vailctl completes the second word of a command" "quarantine quarantines" "vailctl vm quar"
  for group in vm gpu vgpu display; do
    offers "vailctl help completes the second words of $group" "$(answers vailctl --complete "$group" "")" \
      "vailctl help $group "
  done
  offers "vailctl help completes the first word" "list limits logs" "vailctl help l"
  offers "vailctl help completes nothing behind a command" "" "vailctl help list "
  offers "vailctl completes options of vm add" "--name --no-legend --no-pager" "vailctl vm add $GUID --n"
  offers "vailctl completes options of vm update" "--pid" "vailctl vm update $GUID --p"
  offers "vailctl completes options of list" "--no-legend --no-pager" "vailctl list --n"
  offers "vailctl completes the values of --json" "pretty short" "vailctl --json="
  completes "vailctl completes a value of --json" "vailctl --json=pretty" "vailctl --json=pr"
  completes "vailctl save completes file names" "vailctl save 0123 $ROOT/Makefile" \
    "vailctl save 0123 $ROOT/Makef"
  completes "vailctl --socket completes file names" "vailctl --socket $ROOT/Makefile" \
    "vailctl --socket $ROOT/Makef"
  completes "vailctl --socket= completes file names" "vailctl --socket=$ROOT/Makefile" \
    "vailctl --socket=$ROOT/Makef"
  completes "vailctl completes user names" "vailctl vm add $GUID --user vail-alice" \
    "vailctl vm add $GUID --user vail-al"
  completes "vailctl call completes method names" "vailctl call io.vaild.Monitor.GetStatus" \
    "vailctl call io.vaild.Monitor.GetS"
  completes "vailctl exec completes commands" "vailctl exec $GUID -- mkfifo" \
    "vailctl exec $GUID -- mkfif"
  completes "vailctl exec completes the arguments of the command" \
    "vailctl --socket x exec $GUID -- ls $ROOT/Makefile" "vailctl --socket x exec $GUID -- ls $ROOT/Makef"
  completes "vailctl completes in double quotes" 'vailctl "list"' 'vailctl "lis'
  completes "vailctl completes in single quotes" "vailctl 'list'" "vailctl 'lis"
  completes "nothing that was typed is run" "vailctl \$(touch $PRIVATE/ran) lis" \
    "vailctl \$(touch $PRIVATE/ran) lis"
  expect "nothing that was typed has been run" [ ! -e "$PRIVATE/ran" ]
  completes "vail-qemu --user completes user names" "vail-qemu --user vail-alice" \
    "vail-qemu --user vail-al"
  offers "vailctl completes the rights of a display client" \
    "vail-alice:audioInput vail-alice:audioOutput" "vailctl vm add $GUID --user vail-alice:au"
  completes "vailctl completes the last right of a list" \
    "vailctl vm update $GUID --user vail-alice:view,input" "vailctl vm update $GUID --user vail-alice:view,in"
  completes "vailctl completes the rights of a process" "vailctl vm add $GUID --client-pid 1:clipboard" \
    "vailctl vm add $GUID --client-pid 1:cl"
  completes "vail-qemu --user completes rights" "vail-qemu --user vail-alice:input" \
    "vail-qemu --user vail-alice:in"
  completes "vailctl completes the group of commands on a display" "vailctl display close" \
    "vailctl display cl"
  completes "vail-qemu --qmp completes file names" "vail-qemu --qmp $ROOT/Makefile" \
    "vail-qemu --qmp $ROOT/Makef"
  completes "vail-view --png completes file names" "vail-view $GUID --png $ROOT/Makefile" \
    "vail-view $GUID --png $ROOT/Makef"
  offers "vail-view offers no completion for a number" "" "vail-view $GUID --frames "
  offers "vail-view --rights offers the rights" "audioInput audioOutput" \
    "vail-view $GUID --rights audio"
  completes "vail-view --rights completes the last right" "vail-view $GUID --rights=view,input" \
    "vail-view $GUID --rights=view,in"
  completes "vail-view --exec completes the command line of its program" \
    "vail-view $GUID --exec cat $ROOT/Makefile" "vail-view $GUID --exec cat $ROOT/Makefi"
}

# answers PROGRAM WORD...: prints the candidates of the program, which the shells get.
answers() { "$@" 2>&1 | sed -e 1d -e 's/\t.*//' | sort | paste -sd ' '; }

# Checks that all commands and options of the programs are offered, as their help has them.
completeness() {
  local words option program missing=''

  while read -ra words; do
    [[ " $(answers vailctl --complete "${words[@]}") " == *" ${words[-1]} "* ]] ||
      missing+=" ${words[*]}"
  done < <(vailctl --help | sed -nE 's/^  ([a-z]+( [a-z]+)?)  .*/\1/p')
  expect_equal "vailctl: each command of its help is offered" "" "$missing"
  missing=
  for option in $(vailctl --help | grep -oE -- '^  (-h, )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
    [[ " $(answers vailctl --complete list -) " == *" $option "* ]] || missing+=" $option"
  done
  expect_equal "vailctl: each option of its help is offered" "" "$missing"
  for program in vail-view vail-qemu; do
    expect_equal "$program: exactly the options in its help are offered" \
      "$("$program" --help | grep -oE -- '^  (-h, )?--[a-z-]+|, --version' | grep -oE -- '--[a-z-]+' | sort | xargs)" \
      "$(answers "$program" --complete -)"
  done
}

# Checks the completion of vaild itself.
daemon_options() {
  local option options

  mapfile -t options < <("$VAILD" --help | sed -nE 's/^  (-h, )?(--[a-z-]+).*/\2/p')
  expect "the test finds options of vaild" [ "${#options[@]}" -gt 5 ]
  for option in "${options[@]}"; do
    completes "vaild completes $option" "vaild $option" "vaild ${option%?}"
  done
  completes "vaild --config completes folders" "vaild --config $ROOT/client/" \
    "vaild --config $ROOT/clien"
  completes "vaild --check-config completes file names" "vaild --check-config $ROOT/Makefile" \
    "vaild --check-config $ROOT/Makef"
}

# Checks names from the daemon: each is quoted, and runs nothing.
hostile_names() {
  local shell line quote word

  session_open hostile vail-vmm
  "${CTL[@]}" vm add "$HOSTILE" --pid "${SESSION_PID[hostile]}" --user vail-alice --name "$HOSTILE_NAME"
  for shell in "${SHELLS[@]}"; do
    for quote in "" \" \'; do
      word="${quote}it"
      [ -n "$quote" ] || word="it"
      press "$shell" "vailctl describe $word" $'\t\x18s'
      line=${REPLY#vailctl describe }
      expect_equal "$shell: a name of a VM is quoted, behind ${quote:-no quote}" "$HOSTILE_NAME" \
        "$("$shell" -c "printf '%s\n' $line" 2>&1)"
    done
  done
  "${CTL[@]}" vm update "$HOSTILE" --name $'two\nlines'
  offers "a name with a line break is not offered, but the GUID is" "" "vailctl describe two"
  offers "the GUID of a VM with such a name is offered" "$HOSTILE" "vailctl describe 39"
  "${CTL[@]}" vm update "$HOSTILE" --name --help
  offers "a name that looks like an option is not offered as a VM" "--help" "vailctl describe --he"
  "${CTL[@]}" vm update "$HOSTILE" --name --her
  offers "such a name is offered behind --" "--her" "vailctl describe -- --he"
  offers "no option is offered behind --" "" "vailctl describe -- --js"
  expect "no name has been run" [ ! -e "$PRIVATE/ran" ]
  session_kill hostile
}

# Checks the completion of vail-view and vail-qemu with a daemon.
viewer_and_agent() {
  session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$SHARER"
  add_vm "$SHARER" "${SESSION_PID[console]}" "$ALICE_CLIENT" >/dev/null
  assign_gpu "$SHARER" >/dev/null
  session_ask console "mode 64 48"
  offers "vail-view completes GUIDs after options" "$GUID" "vail-view --raw --frames 5 19"
  offers "vail-view offers no second GUID" "" "vail-view $GUID "
  completes "vail-view --name completes and quotes the names of shared objects" \
    "vail-view $SHARER --name console\\ 0" "vail-view $SHARER --name "
  offers "vail-view --name offers no objects of another VM" "" "vail-view $GUID --name "
  completes "vailctl holders completes objects" \
    "vailctl holders $("${CTL[@]}" --json objects | jq -r '.sharedObjects[0].handle')" \
    "vailctl holders "
  completes "vail-qemu --adapter completes handles of adapters" "vail-qemu --adapter $ADAPTER" \
    "vail-qemu --adapter "
  session_kill console
  display_handles
}

display_handles() {
  session_open_with agent vail-vmm "$HELPERS/play-display" "$SOCKET" "$SHARER"
  eventually is_unknown "$SHARER"
  "${CTL[@]}" vm add "$SHARER" --pid "${SESSION_PID[agent]}" --user vail-alice
  assign_gpu "$SHARER" >/dev/null
  session_open_with viewer vail-alice "$HELPERS/play-display" "$SOCKET" "$SHARER"
  expect_reply "a viewer registers" STATUS_SUCCESS viewer register
  expect_reply "an agent serves displays" STATUS_SUCCESS agent serve
  expect_reply "the agent is told that it serves" begun agent next
  expect_reply "the viewer opens a display" "STATUS_SUCCESS 1" viewer "open 0"
  completes "vailctl display close completes handles of displays" \
    "vailctl display close $("${CTL[@]}" --json displays | jq -r '.displays[0].display')" \
    "vailctl display close "
  session_kill viewer
  session_kill agent
}

# is_unknown GUID: tests whether no VM with the GUID runs.
is_unknown() { ! "${CTL[@]}" describe "$1" >/dev/null 2>&1; }

lists() {
  ready_vm "$GUID" "$ALICE_CLIENT"
  "${CTL[@]}" vm update "$GUID" --name "a guest"
  ADAPTER=$("${CTL[@]}" --json adapters | jq -r '.adapters[0].adapter')
  offers "vailctl describe completes GUIDs" "$GUID" "vailctl describe 19"
  expect_equal "a VM is offered once, by its name" "a guest" "$(answers vailctl --complete describe "")"
  expect_equal "a VM is offered by its GUID, too, if digits are typed" "$GUID" \
    "$(answers vailctl --complete describe 1)"
  expect_equal "the new GUID of vm add has no candidates" "" "$(answers vailctl --complete vm add "")"
  start_vmm vail-vmm
  "${CTL[@]}" vm add "$SHARER" --pid "$VMM" --user vail-alice --name "a guest"
  expect_equal "VMs that share a name are offered by their GUIDs" "$GUID $SHARER" \
    "$(answers vailctl --complete describe "")"
  "${CTL[@]}" vm remove "$SHARER"
  completes "vailctl describe completes names" 'vailctl describe a\ guest' "vailctl describe a"
  completes "vailctl completes the rest of a quoted name" 'vailctl describe "a guest"' \
    'vailctl describe "a gu'
  completes "vailctl completes GUIDs after options" "vailctl --json vm update $GUID" \
    "vailctl --json vm update 1"
  offers "vailctl describe offers no second GUID" "" "vailctl describe $GUID "
  session_open alice vail-alice
  session_status alice "$CONTEXT"
  session_status alice "$(register "$GUID")"
  completes "vailctl revoke completes registered pids" "vailctl revoke $GUID ${SESSION_PID[alice]}" \
    "vailctl revoke $GUID "
  session_kill alice
  offers "vailctl vm release does not offer a GUID that is not in quarantine" "" "vailctl vm release "
  "${CTL[@]}" vm quarantine "$GUID"
  completes "vailctl vm release completes GUIDs in quarantine" "vailctl vm release $GUID" \
    "vailctl vm release "
  completes "vailctl vgpu remove completes handles of vGPUs" \
    "vailctl vgpu remove $("${CTL[@]}" --json list | jq -r '.virtualMachines[0].virtualGpus[0].virtualGpu')" \
    "vailctl vgpu remove "
  completes "vailctl vgpu assign --adapter completes handles of adapters" \
    "vailctl vgpu assign $GUID --adapter $ADAPTER" "vailctl vgpu assign $GUID --adapter "
}

cp "$ROOT/build/vail-view" "$ROOT/build/vail-qemu" "$PRIVATE/build/"
open_shells
static_words
completeness
daemon_options
offers "vailctl completes to nothing, without an error, if there is no daemon" "" "vailctl describe "
start_daemon
lists
hostile_names
viewer_and_agent
expect_clean_stop
finish
