#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The tables of vailctl fit terminals of 80 and 120 columns, whatever the names of VMs are. They never
# cut a handle, and cut GUIDs only to a beginning that is unique. In a pipe they are complete, whatever
# COLUMNS is. A pager runs only for output that does not fit.
# watch says in words what happens, and its filters leave out the rest.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=0b5a4a2e-6f0e-4c55-9d3c-2a8f5f6f1c10
WIDE=7c9e6679-7425-40de-944b-e07fc1f90ae7
DISPLAYED=44444444-4444-4444-8444-444444444444
HOSTILE=14141414-1414-4414-8414-141414141414
NAMELESS=24242424-2424-4424-8424-242424242424
NEWCOMER=34343434-3434-4434-8434-343434343434
WIDE_NAME="構築 サーバー für das Team é"

command -v script >/dev/null || {
  skip "$NAME" "script is not installed"
  finish
}

# on_terminal COLUMNS ROWS ARGUMENT...: runs vailctl on a terminal of that size. Sets SAID to what it
# prints. A pager marks each line.
on_terminal() {
  local size="stty cols $1 rows $2"
  shift 2
  SAID=$(env LC_ALL=C.UTF-8 TERM=xterm NO_COLOR=1 PAGER='sed s/^/paged:/' \
    script -qec "$size; ${SETTING[*]@Q} ${CTL[*]} $*" /dev/null </dev/null 2>&1 | tr -d '\r')
}
SETTING=(env)

# in_pipe ARGUMENT...: runs vailctl in a pipe. Sets SAID to what it prints.
in_pipe() { SAID=$("${SETTING[@]}" LC_ALL=C.UTF-8 "${CTL[@]}" "$@" 2>&1); }

# Prints the width of the longest line of SAID, in columns of a terminal.
width() {
  LC_ALL=C.UTF-8 python3 -c '
import sys, unicodedata
def wide(c):
    if unicodedata.combining(c): return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1
print(max(sum(map(wide, line.rstrip("\n"))) for line in sys.stdin))' <<<"$SAID"
}

# fits COLUMNS COMMAND...: checks that the command's table fits, and has no control character.
fits() {
  local columns=$1
  shift
  on_terminal "$columns" 100 "$@"
  expect "$*: the table fits $columns columns" [ "$(width)" -le "$columns" ]
  expect "$*: no control character at $columns columns" [ -z "$(tr -d '\n[:print:]' <<<"$SAID" | LC_ALL=C grep -a '[[:cntrl:]]')" ]
}

# add NAME GUID: adds a VM with a VMM of its own.
add() {
  start_vmm vail-vmm
  "${CTL[@]}" vm add "$2" --name "$1" --pid "$VMM" --user vail-alice
}

prepare() {
  session_open_with screen vail-vmm "$HELPERS/share-console" "$SOCKET" "$GUID"
  "${CTL[@]}" vm add "$GUID" --name desktop --pid "${SESSION_PID[screen]}" --user vail-alice \
    --user vail-bob --user vail-carol
  assign_gpu "$GUID" >/dev/null
  session_ask screen "name a screen with a long name and more"
  session_ask screen "mode 1920 1080"
  HANDLE=${REPLY#handle }
  add "$WIDE_NAME" "$WIDE"
  add $'a\u202e\tb\u200bc\u0301 and a name that is much too long for a table' "$HOSTILE"
  start_vmm vail-vmm
  add_vm "$NAMELESS" "$VMM" "$ALICE_CLIENT" >/dev/null
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  session_ask viewer register
  session_ask viewer "open $HANDLE"
  "${CTL[@]}" vm quarantine "$NAMELESS" \
    --reason "a reason that is far too long for one line of a terminal of eighty columns"
}

tables_fit() {
  local columns guid

  for columns in 80 120; do
    for command in list objects adapters registrations "holders $HANDLE" "vm quarantines" \
      "gpu processes" "limits" "limits --used" "--no-legend list"; do
      fits "$columns" "$command"
    done
    on_terminal "$columns" 100 list
    for guid in "$GUID" "$WIDE" "$HOSTILE" "$NAMELESS"; do
      expect_match "list: a GUID has its first digits at $columns columns" "${guid%%-*}  " "$SAID"
    done
    on_terminal "$columns" 100 objects
    expect_match "objects: the handle is whole at $columns columns" "$HANDLE  desktop  " "$SAID"
  done
  on_terminal 80 100 list
  expect_match "list: 80 columns show name, state, registrations and age" \
    "NAME +STATE +VMM +VGPUS +REGISTERED +PROCESSES +AGE" "$SAID"
  expect_match "list: 80 columns show who is registered" \
    "desktop +running +[0-9]+ +1 +1 +${SESSION_PID[viewer]} " "$SAID"
  expect_match "list: 80 columns: says that columns are left out" \
    "Left out: DISPLAY CLIENTS; a wider terminal or \"\| cat\" shows it\.\$" "$SAID"
  SETTING=(env COLUMNS=80)
  on_terminal 200 100 list
  SETTING=(env)
  expect_match "list: says what shows the columns that are left out if COLUMNS is set" \
    "Left out: DISPLAY CLIENTS; \"\| cat\" shows it\.\$" "$SAID"
  on_terminal 40 100 list
  expect_match "list: gives the number of columns if there is no room for their names" \
    "[0-9] columns are left out; a wider terminal or \"\| cat\" shows them\.\$" "$SAID"
  on_terminal 80 100 show desktop
  expect_match "show: 80 columns show the display clients" \
    "Display clients:  user vail-alice, user vail-bob, user vail-carol" "$SAID"
  on_terminal 80 100 registrations
  expect_match "registrations: 80 columns show the name of the VM" "PID.*AGE +VM.* desktop" "$SAID"
  on_terminal 80 100 list
  expect_match "list: a long name is shortened" "\.\.\.  running" "$SAID"
  on_terminal 120 100 list
  expect_match "list: 120 columns show more" "VGPUS +REGISTERED" "$SAID"
  on_terminal 80 100 objects
  expect_match "objects: 80 columns show the image" "1920x1080 XR24" "$SAID"
  on_terminal 120 100 objects
  expect_match "objects: 120 columns show the size for people" "XR24 +8 MiB" "$SAID"
  on_terminal 80 100 adapters
  expect_match "adapters: 80 columns show the name" "vaild software adapter " "$SAID"
  on_terminal 20 100 list
  expect_match "list: a GUID has its first digits at 20 columns" "${GUID%%-*}" "$SAID"
}

# Display channels of a VM with a long name: their table, their events, and their limits.
displays_fit() {
  local columns viewer

  session_open_with agent vail-vmm "$HELPERS/play-display" "$SOCKET" "$DISPLAYED"
  "${CTL[@]}" vm add "$DISPLAYED" --name "$WIDE_NAME" --pid "${SESSION_PID[agent]}" \
    --user vail-alice:view,input,clipboard,audioOutput,audioInput
  assign_gpu "$DISPLAYED" >/dev/null
  session_open_with player vail-alice "$HELPERS/play-display" "$SOCKET" "$DISPLAYED"
  viewer=${SESSION_PID[player]}
  expect_reply "the viewer registers" STATUS_SUCCESS player register
  expect_reply "the agent serves displays" STATUS_SUCCESS agent serve
  expect_reply "the agent is told that it serves" begun agent next
  watch_on displays 80 "$DISPLAYED"
  watched "watch of the VM begins" displays "$CURRENT"
  expect_reply "the viewer opens a display" "STATUS_SUCCESS 31" player "open 0"
  for columns in 80 120; do
    fits "$columns" displays
    expect_match "displays: the handle is whole at $columns columns" '^[0-9a-f]{32}  ' \
      "$(sed 1d <<<"$SAID")"
  done
  expect_match "displays: 120 columns show the rights" \
    'view,input,clipboard,audioOutput,audioInput' "$SAID"
  in_pipe displays "$DISPLAYED"
  expect_match "displays in a pipe shows everything" \
    "HANDLE +VM +RIGHTS +PID +USER +AGE.*[0-9a-f]{32} +$WIDE_NAME \(44444444\) +view,input.* +$viewer +vail-alice " \
    "$(tr '\n' ' ' <<<"$SAID")"
  in_pipe limits
  for name in displays displaysPerUid displaysPerMachine; do
    expect_match "limits has $name" "$name +1 " "$SAID"
  done
  "${CTL[@]}" vm update "$DISPLAYED" --user vail-alice
  session_kill agent
  watched "watch says that a display was opened" displays \
    "${TIME}[^ ].*display opened by process $viewer(: view(, input)?)?"
  watched "watch says why a display was closed" displays \
    "${TIME}[^ ].*display closed: right withdrawn, process $viewer"
  expect "the watch ends with the VM" eventually has_line displays "VM removed"
  SAID=$(tr -d '\r' <"$PRIVATE/displays")
  expect "watch fits the terminal with displays" [ "$(width)" -le 80 ]
  session_kill player
}

# Prints a table without ages, which change.
without_ages() { sed -E 's/  +[0-9]+ (s|min)  +/  /; s/ +/ /g'; }

pipes_are_complete() {
  local expected

  in_pipe list
  expected=$SAID
  expect_match "list in a pipe has all columns" \
    "GUID +NAME +STATE +VMM +VGPUS +REGISTERED +PROCESSES +AGE +DISPLAY CLIENTS" "$SAID"
  expect_match "list in a pipe cuts no name" "$WIDE_NAME +running" "$SAID"
  expect_match "list in a pipe cuts no list" "user vail-alice, user vail-bob, user vail-carol" "$SAID"
  expect_match "a hostile name is escaped" 'a\\xe2\\x80\\xae\\x09b\\xe2\\x80\\x8bc' "$SAID"
  in_pipe --no-legend list
  expect_equal "--no-legend prints only rows" 4 "$(wc -l <<<"$SAID")"
  in_pipe objects
  expect_match "objects in a pipe has GUID and name of the VM" "$HANDLE  $GUID  desktop " "$SAID"
  in_pipe --json objects
  expect_equal "--json has the exact size" 8363520 \
    "$(jq .sharedObjects[0].memory.sizeInBytes <<<"$SAID")"
  SETTING=(env COLUMNS=40)
  in_pipe list
  expect_equal "COLUMNS limits no table in a pipe" "$(without_ages <<<"$expected")" "$(without_ages <<<"$SAID")"
  in_pipe status
  expect_match "COLUMNS folds nothing in a pipe" "Started by:  hand; registrations end when it exits" "$SAID"
  SETTING=(env COLUMNS=none)
  in_pipe list
  expect_match "COLUMNS that is no number is ignored" "DISPLAY CLIENTS" "$SAID"
  SETTING=(env COLUMNS=200)
  on_terminal 80 100 list
  expect_match "COLUMNS replaces the width of the terminal" "DISPLAY CLIENTS" "$SAID"
  SETTING=(env)
}

# Test whether SAID went through the pager, or did not.
is_paged() { [[ $SAID == *paged:* ]]; }
is_unpaged() { [[ $SAID != *paged:* ]]; }

pager_is_rare() {
  on_terminal 80 24 list
  expect "a table that fits is not paged" is_unpaged
  on_terminal 80 7 list
  expect "a table that fills the terminal but for the prompt is not paged" is_unpaged
  on_terminal 80 6 list
  expect "a table of one line more is paged" is_paged
  on_terminal 80 2 adapters
  expect "a table of one row is never paged" is_unpaged
  expect_match "a table of one row is printed on a small terminal" "ADAPTER" "$SAID"
  on_terminal 80 5 --no-pager list
  expect "--no-pager prevents the pager" is_unpaged
  on_terminal 80 24 help
  expect "help is paged" is_paged
  on_terminal 80 24 --help
  expect "--help is paged" is_paged
  on_terminal 80 24 --no-pager --help
  expect "--no-pager --help is not paged" is_unpaged
  on_terminal 80 12 --json limits
  expect "wrapped lines count as several" is_paged
  SETTING=(env LINES=100)
  on_terminal 80 5 list
  expect "LINES replaces the height of the terminal" is_unpaged
  SETTING=(env PAGER=)
  on_terminal 80 5 list
  expect "an empty PAGER means none" is_unpaged
  SETTING=(env PAGER=cat)
  on_terminal 80 5 list
  expect_match "cat means none" "GUID" "$SAID"
  SETTING=(env PAGER='head -n 1')
  on_terminal 80 5 metrics
  expect "a pager that is quit early is no error" [ "$(wc -l <<<"$SAID")" -eq 1 ]
  for pager in /nonexistent /etc/passwd 'exit 3' 'exec 0<&-; exit 3'; do
    SETTING=(env PAGER="$pager")
    on_terminal 80 5 list
    expect_match "the text is not lost if PAGER is $pager" "${GUID%%-*} " "$SAID"
    expect_equal "the text is printed once if PAGER is $pager" 1 "$(grep -c "^GUID " <<<"$SAID")"
  done
  SETTING=(env PAGER='cat; exit 3')
  on_terminal 80 5 list
  expect_equal "a pager that fails after the text shows it once" 1 "$(grep -c "^GUID " <<<"$SAID")"
  SETTING=(env PAGER='read -r line; exit 3')
  on_terminal 80 5 list
  expect_equal "a pager that has read something has shown what it wants" "" "$SAID"
  SETTING=(env)
}

limits_and_status() {
  in_pipe limits
  expect_equal "limits sorts by name" "$(sed 1d <<<"$SAID" | LC_ALL=C sort)" "$(sed 1d <<<"$SAID")"
  expect_match "limits shows percentages" "registrationsPerUid +1 +4096 +- +<1 % +user vail-alice" "$SAID"
  expect_match "limits shows units of memory" "objectMebibytesPerUid +8 MiB +64 GiB" "$SAID"
  expect_match "limits names VMs and adapters" "VM desktop" "$SAID"
  expect_match "limits names adapters" "adapter vaild software adapter" "$SAID"
  in_pipe limits --used
  expect "limits --used shows no unused limit" [ -z "$(grep -E '^[A-Za-z]+ +0 ' <<<"$SAID")" ]
  expect_equal "limits --used begins with the limit that is used most" virtualGpusPerMachine \
    "$(sed -n '2s/ .*//p' <<<"$SAID")"
  in_pipe status
  expect_match "status is not folded in a pipe" "Started by:  hand; registrations end when it exits" "$SAID"
  on_terminal 45 100 status
  expect_match "status: a long value is folded below its own column" \
    $'Started by:  hand; registrations end\n {19}when it exits' "$SAID"
  expect "status fits 45 columns" [ "$(width)" -le 45 ]
  on_terminal 60 100 show "$GUID"
  expect "show fits 60 columns" [ "$(width)" -le 60 ]
  in_pipe status
  expect_match "status begins with the state" "^ *vaild:  running" "$SAID"
  expect_match "status shows since when" \
    "Since:  [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} \([0-9]+ (s|min) ago\)" "$SAID"
  expect_match "status shows numbers with units" "Virtual machines: +4 running" "$SAID"
  expect_match "status says that no limit is nearly reached" "Limits: +none" "$SAID"
  expect "status does not count records if there was no restart" [ -z "$(grep -E 'Restored|Dropped' <<<"$SAID")" ]
  on_terminal 80 100 show desktop
  expect "show: virtual GPU, adapter and registration fit 80 columns" \
    [ "$(grep -E 'GPU:|adapter:|Registered:' <<<"$SAID" | wc -L)" -le 80 ]
  expect_match "show: says where the context comes from" "Registered:  pid [0-9]+, vail-alice \(uid $ALICE\), context through vaild" "$SAID"
  in_pipe adapters
  expect_match "adapters: says how many virtual GPUs it can have" "VGPUS +MAX VGPUS" "$SAID"
  in_pipe vgpu list
  expect_match "vgpu list: the column with the VM is called VM" "^VGPU +GUID +VM +SOURCE" "$SAID"
  in_pipe describe "$GUID"
  expect_match "describe shows since when" "Since:  [0-9-]{10} [0-9:]{8} \([0-9]+ (s|min) ago\)" "$SAID"
  expect_vailctl root 2 "--used belongs to limits" list --used
}

empty_tables() {
  in_pipe --no-legend gpu processes
  expect_vailctl vail-bob 0 "an empty table is a success" registrations
  expect_equal "an empty table is a sentence" "No registrations of this process; operators see all." "$SAID"
  expect_vailctl vail-bob 0 "an empty table is a success with --no-legend" --no-legend registrations
  expect_equal "--no-legend prints nothing for an empty table" "" "$SAID"
  on_terminal 80 24 --no-legend vm quarantines
}

# People read reasons, so that no part of one may be missing.
long_reasons() {
  local guid=90909090-9090-4090-8090-909090909090

  expect_vailctl root 0 "a GUID goes into quarantine" vm quarantine "$guid" --reason "the firmware of its disk was changed by nobody knows whom"
  on_terminal 80 24 vm quarantines
  expect_match "vm quarantines: a long reason is folded and not cut" \
    "$guid  the firmware of its disk was changed by"$'\n'" {38}nobody knows whom" "$SAID"
  expect_vailctl root 0 "it is released" vm release "$guid"
}

# watch_on NAME COLUMNS ARGUMENT...: starts vailctl watch on a terminal of that width; its output is in
# the file NAME.
watch_on() {
  local name=$1 columns=$2
  shift 2
  env LC_ALL=C.UTF-8 TERM=xterm NO_COLOR=1 \
    script -qec "stty cols $columns rows 24; ${CTL[*]} watch $*" /dev/null \
    </dev/null >"$PRIVATE/$name" 2>&1 &
}

# has_line FILE PATTERN
has_line() { tr -d '\r' <"$PRIVATE/$1" | grep -E -- "$2" >/dev/null; }

# watched CHECK FILE PATTERN: waits for a line that matches the whole pattern.
watched() { expect "$1" eventually has_line "$2" "^$3\$"; }

TIME='[0-9]{2}:[0-9]{2}:[0-9]{2}  '
CURRENT="${TIME}this was the current state; changes follow"

# The watchers, each with the line that shows that it has begun.
start_watchers() {
  watch_on narrow 80
  watch_on broad 120
  watch_on of-vm 80 "$WIDE"
  watch_on of-object 80 --object "$HANDLE"
  "${CTL[@]}" watch --all >"$PRIVATE/all" &
  "${CTL[@]}" watch --kind registered,unregistered --kind quarantined >"$PRIVATE/kinds" &
  "${CTL[@]}" --json watch >"$PRIVATE/json" &
  "${CTL[@]}" --json watch --kind updated,current >"$PRIVATE/json-updated" &
  for name in narrow broad of-vm of-object all; do
    watched "watch: $name begins" "$name" "$CURRENT"
  done
  expect "watch: kinds begins" eventually has_line kinds registered
  expect "watch: json begins" eventually has_line json '"current"'
  expect "watch: json-updated begins" eventually has_line json-updated '"current"'
}

watch_can_be_read() {
  local viewer=${SESSION_PID[viewer]} name

  start_watchers
  watched "watch marks what exists" narrow "current   desktop               VM added"
  session_ask screen "draw 1 0 0 8 4"
  "${CTL[@]}" vm update "$GUID" --user vail-alice --agent-user vail-vmm
  watched "watch says what has changed" narrow "${TIME}desktop               display clients, agent changed"
  "${CTL[@]}" vm update "$NAMELESS" --name desktop
  watched "watch tells apart two VMs with one name" narrow "${TIME}desktop \(24242424\)    name changed"
  "${CTL[@]}" vm update "$NAMELESS" --name other
  watched "watch follows the name of a VM" narrow "${TIME}other                 name changed"
  add newcomer "$NEWCOMER"
  watched "watch knows the name of a new VM" narrow "${TIME}newcomer              VM added"
  "${CTL[@]}" vm quarantine "$NEWCOMER" --reason "GPU hang"
  watched "watch shows the operator's reason" narrow \
    "${TIME}newcomer              VM quarantined: GPU hang"
  session_kill viewer
  watched "watch says why a registration has ended" narrow \
    "${TIME}desktop               process $viewer unregistered: exited(, user vail-alice)?"
  watched "watch says who has released an object" narrow \
    "${TIME}desktop               object \"a scr.*\.\.\.\" released by process $viewer: exited"
  watched "watch shows more at 120 columns" broad \
    "${TIME}desktop               process $viewer unregistered: exited, user vail-alice, context of vaild"
  watched "watch cuts no name in a pipe" all \
    "current   $WIDE_NAME  VM added"
  for name in narrow broad; do
    SAID=$(tr -d '\r' <"$PRIVATE/$name" | grep -v 'a reason that is far too long')
    expect "watch fits the terminal: $name" [ "$(width)" -le "$([ "$name" = narrow ] && echo 80 || echo 120)" ]
  done
}

# check_kinds LIST: checks that the documents have all kinds of the list.
check_kinds() {
  local kind missing=""

  for kind in ${1//,/}; do
    grep -q "^\.Ql $kind\b" "$ROOT/client/man/vailctl.1" || missing+=" man:$kind"
    "$PRIVATE/build/vailctl" --complete watch --kind "$kind" | grep -qw "$kind" || missing+=" completion:$kind"
    "${CTL[@]}" watch --help | grep -w "$kind" >/dev/null || missing+=" help:$kind"
  done
  expect_equal "man page, help and completion have all kinds of events" "" "$missing"
}

watch_filters() {
  "${CTL[@]}" vm update "$WIDE" --name "last"
  watched "watch of a VM shows its changes" of-vm "${TIME}last                  name changed"
  watched "watch shows the last change" all "${TIME}last                  name changed"
  expect "watch leaves out updates" [ "$(grep -c 'updated' "$PRIVATE/narrow")" -eq 0 ]
  expect_match "watch --all shows updates" 'object "a screen.*" updated: 8x4\+0\+0' "$(cat "$PRIVATE/all")"
  expect_match "watch --json shows updates" '"kind":"updated"' "$(cat "$PRIVATE/json")"
  expect_equal "watch --json --kind filters" "current updated" \
    "$(jq -r .kind "$PRIVATE/json-updated" | paste -sd' ')"
  expect_equal "watch --kind shows only these kinds" "" \
    "$(grep -Ev 'registered|quarantine' "$PRIVATE/kinds" || true)"
  expect_match "watch --kind is a list and can be repeated" "quarantine" "$(cat "$PRIVATE/kinds")"
  expect_equal "watch of a VM shows no other VM" "" "$(grep -E 'desktop|newcomer' "$PRIVATE/of-vm" || true)"
  expect_equal "watch --object shows nothing else" "" \
    "$(grep -Ev 'object|current state' "$PRIVATE/of-object" || true)"
  expect_match "watch --object shows the object" "released by" "$(cat "$PRIVATE/of-object")"
  expect_vailctl root 2 "watch refuses an unknown kind" watch --kind shared,opend
  expect_equal "watch names the unknown kind, and suggests one" \
    "vailctl: opend is no kind of event; did you mean opened? see vailctl help watch" "$SAID"
  expect_vailctl root 2 "watch refuses a kind that resembles none" watch --kind nonsense
  expect_equal "watch says where the kinds are" \
    "vailctl: nonsense is no kind of event; see vailctl help watch for the kinds" "$SAID"
  SAID=$("$PRIVATE/build/vailctl" --complete watch --kind "" | sed -e 1d -e 's/\t.*//')
  expect_match "completion has all kinds of events" "^current.*released.*resumed" "$SAID"
  check_kinds "$SAID"
  watched "watch of all: a line about an adapter does not stand in the column of VMs" narrow \
    "current   -                     adapter .* added"
  expect_vailctl root 2 "watch --object needs a handle" watch --object screen
  expect_match "watch --object says where handles are" "vailctl objects" "$SAID"
}

start_daemon
prepare
tables_fit
displays_fit
pipes_are_complete
pager_is_rare
limits_and_status
empty_tables
long_reasons
watch_can_be_read
watch_filters
expect_clean_stop
finish
