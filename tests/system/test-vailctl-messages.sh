#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The messages of vailctl, vail-view and vail-qemu speak of commands and options, and quote what was
# typed. None has a name of vaild's interface. With --json, vailctl prints a document for each
# failure, with the sentence of vaild.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=39393939-3939-4939-8939-393939393939
BARE=3a3a3a3a-3a3a-4a3a-8a3a-3a3a3a3a3a3a
UNKNOWN=3b3b3b3b-3b3b-4b3b-8b3b-3b3b3b3b3b3b
DISPLAYED=3d3d3d3d-3d3d-4d3d-8d3d-3d3d3d3d3d3d
QEMU_GUID=3c3c3c3c-3c3c-4c3c-8c3c-3c3c3c3c3c3c
HANDLE=0123456789abcdef0123456789abcdef
LONG_NAME=$(printf 'n%.0s' {1..300})

# camel_case: prints the words of stdin like vmmPid.
camel_case() { grep -oE '\b[a-z]+([A-Z][a-z]+)+\b' | sort -u; }

# All members of the interface that are no words of English, and no keys of the configuration.
WIRE=$(comm -23 <(sed '/^#/d' "$ROOT"/proto/io.vaild*.varlink | camel_case) \
  <(cat "$ROOT/daemon/core/limit.c" "$ROOT/daemon/host/config.c" | grep -oE '"[a-zA-Z]+"' | camel_case) |
  paste -sd '|')

# has_wire_name TEXT: prints the first name of the interface in the text.
has_wire_name() {
  grep -oE "io\.vaild[A-Za-z.]*|\b($WIRE)\b" <<<"$1" | head -n 1
}

# complains USER PATTERN ARGUMENT...: runs vailctl as USER, and checks that it fails with one message
# that matches the pattern and has no name of the interface.
complains() {
  local user=$1 pattern=$2 said status=0 typed
  shift 2
  typed=$*
  said=$(run_as "$user" "${CTL[@]}" "$@" 2>&1 >/dev/null </dev/null) || status=$?
  expect_match "vailctl ${typed:0:60}: says what was typed and what to do" "$pattern" "$said"
  expect_equal "vailctl ${typed:0:60}: fails with one line, without names of the interface" "1 " \
    "$(wc -l <<<"$said") $(has_wire_name "$said")"
  [ "$status" -ne 0 ] || not_ok "vailctl $*: fails" "exit status 0"
}

not_found() {
  local command

  for command in "describe" "objects" "watch" "register" "vm remove"; do
    # shellcheck disable=SC2086 # two words
    complains root "^vailctl: $UNKNOWN: no running VM has this GUID; .*list.* vailctl list" \
      $command "$UNKNOWN"
  done
  complains root "^vailctl: $UNKNOWN: no running VM .* vailctl list" exec "$UNKNOWN" -- true
  complains root "^vailctl: $UNKNOWN: no running VM .* add it with: vailctl vm add" \
    vm update "$UNKNOWN" --name x
  complains root "^vailctl: $UNKNOWN: no running VM .* add it with: vailctl vm add" \
    vgpu assign "$UNKNOWN"
  complains root "^vailctl: $GUID 1: no process .*; list the registrations with: vailctl registrations" \
    revoke "$GUID" 1
  complains root "^vailctl: $UNKNOWN 1: no running VM .* vailctl registrations" revoke "$UNKNOWN" 1
  complains root "^vailctl: $HANDLE: .*; list the virtual GPUs with: vailctl vgpu list" \
    vgpu remove "$HANDLE"
  complains root "^vailctl: --adapter $HANDLE: no adapter .* with: vailctl adapters" \
    vgpu assign "$GUID" --adapter "$HANDLE"
  complains root "^vailctl: $HANDLE: .*; list the GPU processes with: vailctl gpu processes" \
    gpu map "$HANDLE"
  complains root "^vailctl: $HANDLE: no display channel has this handle.*; list the display channels with: vailctl displays" \
    display close "$HANDLE"
  complains root "^vailctl: $UNKNOWN: no running VM .* vailctl list" displays "$UNKNOWN"
  complains root "$HANDLE.*vailctl objects" holders "$HANDLE"
  complains root "^vailctl: zz is not an object that you may see; list them with: vailctl objects " \
    save zz "$PRIVATE/picture.png"
  complains vail-alice "$HANDLE.*vailctl objects" save "$HANDLE" "$PRIVATE/picture.png"
}

invalid_values() {
  complains root '^vailctl: .*"not a GUID"' describe "not a GUID"
  complains root '^vailctl: "not a GUID" is not a GUID; write it as' \
    vm add "not a GUID" --pid "$VMM" --user vail-alice
  complains root '^vailctl: .*; ' vm remove ""
  complains root "^vailctl: --user nosuchuser is not a user of this host; give a name" \
    vm update "$GUID" --user vail-alice --user nosuchuser
  complains root "^vailctl: --user nosuchuser is not a user of this host" \
    vm update "$GUID" --user vail-alice --user nosuchuser:view,input
  complains root "^vailctl: --client-pid 2147483647 is not the pid of a live process" \
    vm update "$GUID" --client-pid 2147483647:view
  complains root "^vailctl: --client-pid 2147483647 is not the pid of a live process" \
    vm update "$GUID" --user vail-alice --client-pid 2147483647
  complains root "^vailctl: --agent-user nosuchuser is not a user" \
    vm update "$GUID" --agent-user nosuchuser
  complains root "^vailctl: --agent-pid 2147483647 is not the pid" \
    vm update "$GUID" --agent-pid 2147483647
  complains root "^vailctl: --pid 2147483647 is not the pid" vm add "$UNKNOWN" --pid 2147483647
  complains root "^vailctl: --pid $$ is neither the VM's VMM" vm update "$GUID" --pid $$ --agent-pid $$
  complains root "^vailctl: --user is missing, and the VMM's user" vm add "$UNKNOWN" --pid "$VMM"
  complains root '^vailctl: --name "n+\.\.\." is longer than [0-9]+ bytes' \
    vm update "$GUID" --name "$LONG_NAME"
  complains root '^vailctl: --reason "n+\.\.\." is longer' vm quarantine "$GUID" --reason "$LONG_NAME"
  complains root '^vailctl: --reason begins with "fleet: "' vm quarantine "$GUID" --reason "fleet: x"
  complains root '^vailctl: --profile "n+\.\.\." is longer' vgpu assign "$GUID" --profile "$LONG_NAME"
  complains root '^vailctl: --adapter xyz: no adapter has this handle; .*vailctl adapters' vgpu assign "$GUID" --adapter xyz
  complains root '^vailctl: xyz: no virtual GPU has this handle; .*vailctl vgpu list' vgpu remove xyz
  complains root '^vailctl: xyz: no GPU process has this handle; .*vailctl gpu processes' gpu map xyz
  complains root '^vailctl: xyz: no display channel has this handle; .*vailctl displays' display close xyz
}

denials() {
  complains vail-bob "^vailctl: .*only operators may .*call as root or as a member of" \
    vm add "$UNKNOWN" --pid $$
  complains vail-bob "^vailctl: $GUID: only operators .* may do this; call as one of them" vm remove "$GUID"
  complains vail-bob "^vailctl: $GUID: only operators .*vaild" vm quarantine "$GUID"
  complains vail-bob "^vailctl: $GUID: only operators, .* may see it" describe "$GUID"
  complains vail-bob "^vailctl: $GUID: the calling process runs as another user" register "$GUID"
  complains vail-bob "only operators may do this; call as root" reload
  complains vail-alice "^vailctl: $BARE: the VM has no virtual GPU: none is assigned, .*vailctl vgpu assign $BARE" \
    register "$BARE" --context
  "${CTL[@]}" vm quarantine "$GUID" --reason test
  complains vail-alice "^vailctl: $GUID: the VM is in quarantine; have an operator run: vailctl vm release $GUID" \
    exec "$GUID" -- true
  "${CTL[@]}" vm release "$GUID"
  # The user root has no capabilities after a login, unlike the process that asks.
  "${CTL[@]}" vm update "$BARE" --user root
  complains root "^vailctl: $BARE: the calling process has other .*, or name a process like the calling one with: vailctl vm update $BARE --client-pid PID:RIGHTS" \
    register "$BARE"
  "${CTL[@]}" vm update "$BARE" --user vail-alice
}

# The messages of displays, between a viewer of alice and an agent.
displays() {
  local handle said

  session_open_with agent vail-vmm "$HELPERS/play-display" "$SOCKET" "$DISPLAYED"
  "${CTL[@]}" vm add "$DISPLAYED" --pid "${SESSION_PID[agent]}" --user vail-alice:input
  assign_gpu "$DISPLAYED" >/dev/null
  session_open_with viewer vail-alice "$HELPERS/play-display" "$SOCKET" "$DISPLAYED"
  expect_reply "the viewer registers" STATUS_SUCCESS viewer register
  expect_reply "the agent serves displays" STATUS_SUCCESS agent serve
  expect_reply "the agent is told that it serves" begun agent next
  expect_reply "the viewer opens a display" "STATUS_SUCCESS 3" viewer "open 0"
  handle=$("${CTL[@]}" --json displays | jq -r '.displays[0].display')
  complains vail-bob "^vailctl: $handle: only the process that opened the display channel, .*; call as one of them" \
    display close "$handle"
  for command in "displays" "show $DISPLAYED" "watch --help" "wait $DISPLAYED"; do
    # shellcheck disable=SC2086 # two words
    said=$("${CTL[@]}" $command)
    expect_equal "$command: has no name of a method" "" "$(grep -oE 'io\.vaild\.|(Open|Close|List|Serve)Displays?' <<<"$said" || true)"
  done
  "${CTL[@]}" display close "$handle"
  session_kill viewer
  session_kill agent
}

usage() {
  complains root "^vailctl: display needs a subcommand, one of: close; see vailctl help display" display
  complains root "^vailctl: display clos is not a command; did you mean vailctl display close" display clos
  complains root "^vailctl: dispay is not a command; did you mean vailctl display" dispay
  complains root "^vailctl: fleet nonsense is not a command; fleet takes one of: hosts, vms, .*; see vailctl help fleet$" fleet nonsense
  complains root "^vailctl: fleet list is not a command; did you mean vailctl fleet vms" fleet list
  complains root "^vailctl: close is not a command; did you mean vailctl display close" close
  complains root "^vailctl: display close: the argument HANDLE is missing; the usage is: vailctl display close HANDLE" display close
  complains root "^vailctl: vm add: the argument GUID is missing; the usage is: vailctl vm add GUID " vm add --pid 1
  complains root "^vailctl: save: the argument FILE is missing; the usage is: vailctl save HANDLE FILE" save 1
  complains root "^vailctl: list has too many arguments; the usage is: vailctl list$" list desk
  complains root "^vailctl: call: the argument METHOD is missing; the usage is: vailctl call METHOD " call
  complains root "^vailctl: fly is not a right on a display; give some of view, input" \
    vm update "$GUID" --user vail-alice:fly
  expect_match "help display shows the commands of the group" "vailctl display close HANDLE" \
    "$("${CTL[@]}" help display)"
  complains root "^vailctl: lis is not a command" lis
  complains root "^vailctl: vm add: the argument GUID is missing" vm add
  complains root "^vailctl: --pid 0: this is not a pid" vm add "$GUID" --pid 0
  complains root "^vailctl: list does not take --pid" list --pid 1
  complains root "^vailctl: --json=nice is unknown" --json=nice list
}

# Commands that look for the VM themselves, and wait or run another program.
waits_and_logs() {
  complains root "^vailctl: --for takes registered, shared or ended, not lunch; see" wait "$GUID" --for lunch
  complains vail-alice "^vailctl: no virtual machine .* $UNKNOWN, .*; .* vailctl list" wait "$UNKNOWN"
  complains vail-bob "^vailctl: $GUID: .*; " wait "$GUID"
  complains root "^vailctl: no virtual machine .*\"nobody\"; .* vailctl list; .* may have ended already, give its whole GUID" wait nobody --for ended
  complains root "^vailctl: no virtual machine .*\"nobody\"; .* vailctl list" show nobody
  complains root "^vailctl: no virtual machine .*\"nobody\"; .* vailctl list" logs nobody
}

other_failures() {
  complains root "$HANDLE is not an object" holders "$HANDLE"
  echo '{"operatorGroop":"vaild"}' >"$CONFIG/vaild.json"
  expect_vailctl root 1 "reload fails for a mistake in the configuration" reload
  expect_match "reload: names the file and the key, as they are written there" \
    'vaild\.json.*operatorGroop' "$SAID"
  echo '{"limits":{"virtualGpusPerUid":1,"virtualGpus":20}}' >"$CONFIG/vaild.json"
  "${CTL[@]}" reload
  complains root "^vailctl: $GUID: your user would exceed its limit virtualGpusPerUid.*STATUS_QUOTA_EXCEEDED" vgpu assign "$GUID"
  rm "$CONFIG/vaild.json"
  "${CTL[@]}" reload
}

# suggests TYPED MEANT: checks that call suggests a method for a name that none has.
suggests() {
  expect_vailctl root 1 "call fails for $1" call "$1"
  expect_equal "call suggests $2 for $1" "vailctl: did you mean $2?" "$(tail -n 1 <<<"$SAID")"
}

# "vailctl call" names methods itself, and prints the sentence of vaild.
raw_call() {
  local advice

  expect_vailctl root 1 "call fails for a parameter that is not valid" \
    call io.vaild.Machine.UpdateVirtualMachine '{"virtualMachineGuid":"x"}'
  expect_match "call: the message has the parameter's name" "virtualMachineGuid is not a GUID" "$SAID"
  for method in io.vaild.NoSuch Foo; do
    expect_vailctl root 1 "call fails for the unknown $method" call "$method"
    expect_match "call $method: the manual has the methods" \
      'no such method; to see the methods, run: man io\.vaild \(STATUS_NOT_SUPPORTED\)' "$SAID"
  done
  expect_vailctl root 1 "call fails for an unknown interface" call io.nosuch.NoSuch
  advice=$(sed -n 's/.* with: vailctl \(.*\) (STATUS_NOT_SUPPORTED)$/\1/p' <<<"$SAID")
  eval "expect_vailctl root 0 'call: the advice works as printed' $advice"
  expect_match "call: the advice shows the interfaces that vaild has" "io\.vaild" "$SAID"
  suggests io.vaild.GetInf org.varlink.service.GetInfo
  suggests io.vaild.GetInfo org.varlink.service.GetInfo
  suggests io.vaild.Machine.listVirtualMachine io.vaild.Machine.ListVirtualMachines
  suggests io.vail.Monitor.GetStatus io.vaild.Monitor.GetStatus
}

# documents CHECK EXPECTED-STATUS FILTER EXPECTED ARGUMENT...: checks the document on stdout, in the
# short style as one line, and in the pretty style on several lines.
documents() {
  local check=$1 expected_status=$2 filter=$3 expected=$4 short pretty status=0
  shift 4
  short=$("${CTL[@]}" --json "$@" 2>/dev/null </dev/null) || status=$?
  expect_equal "--json: $check: exit status" "$expected_status" "$status"
  expect_equal "--json: $check" "$expected" "$(jq -r "$filter" <<<"$short" 2>&1)"
  expect_equal "--json: $check: one line" 1 "$(wc -l <<<"$short")"
  expect_equal "--json=short: $check: the same" "$short" \
    "$("${CTL[@]}" --json=short "$@" 2>/dev/null </dev/null || true)"
  pretty=$("${CTL[@]}" --json=pretty "$@" 2>/dev/null </dev/null || true)
  expect_equal "--json=pretty: $check: the same document" "$(jq -cS "$STABLE" <<<"$short")" \
    "$(jq -cS "$STABLE" <<<"$pretty" 2>&1)"
  expect_equal "--json=pretty: $check: indented as jq does" "$(jq . <<<"$pretty")" \
    "$(without_last_zeros <<<"$pretty")"
}

# without_last_zeros: removes the zeros at the end of fractions, which jq does not print.
without_last_zeros() { sed -E 's/^( *"[A-Za-z]+": [0-9]+)(\.[0-9]*[1-9])?\.?0*(,?)$/\1\2\3/'; }

# Removes what differs between two calls.
STABLE='del(.. | .used?, .highest?, .pid?, .uid?)'

json_documents() {
  documents "a list" 0 '.status + " " + .virtualMachines[0].virtualMachineGuid' \
    "STATUS_SUCCESS $GUID" list
  "${CTL[@]}" vm update "$GUID" --name '"{[,:]}" \ '
  documents "a list with a name like JSON" 0 \
    ".virtualMachines[] | select(.virtualMachineGuid == \"$GUID\").name" '"{[,:]}" \ ' list
  documents "an empty list" 0 '.quarantines | length' 0 vm quarantines
  documents "limits" 0 '.limits | length > 3' true limits
  documents "a command without a result" 0 .status STATUS_SUCCESS reload
  documents "the reply of a call" 0 '.product' vaild call org.varlink.service.GetInfo
  documents "a refusal" 1 '.error + " " + .message' \
    "io.vaild.Machine.NotFound no running VM has this GUID; start it, or have it added" \
    describe "$UNKNOWN"
  documents "a refused parameter has its name" 1 '.parameter' profile \
    vgpu assign "$GUID" --profile "$LONG_NAME"
  documents "a wrong command" 2 '"\(.error) \(.status) \(.code) \(.message)"' \
    "usage STATUS_INVALID_PARAMETER 0xC000000D frobnicate is not a command; see vailctl --help" frobnicate
  documents "a wrong option" 2 '.error' usage list --nosuch
  documents "a missing value" 2 '.error' usage list --socket
  documents "a wrong pid" 2 '.error' usage revoke "$GUID" none
  documents "missing arguments" 2 '.error' usage describe
  documents "options that exclude each other" 2 '.error' usage vm add "$GUID" --pid 1 -- true
  documents "no vaild" 1 '.status + " " + .message' \
    "STATUS_CONNECTION_REFUSED cannot reach vaild at $PRIVATE/none: No such file or directory; start it with: systemctl start vaild, or by hand with: vaild" \
    --socket "$PRIVATE/none" list
  expect_equal "--json: a command's own exit status 2 is no usage error" "2 " \
    "$(run_as vail-alice "${CTL[@]}" --json exec "$GUID" -- sh -c 'echo 2; exit 2' | xargs) "
  expect_equal "--json=pretty behind a wrong option: the usage error is indented" 6 \
    "$("${CTL[@]}" list --nosuch --json=pretty 2>/dev/null | wc -l)"
  expect_equal "--json=nice: the usage error is a document" usage \
    "$("${CTL[@]}" --json=nice list 2>/dev/null | jq -r .error)"
}

# A stream prints each event as one document, also in the pretty style.
pretty_stream() {
  "${CTL[@]}" --json=pretty watch "$GUID" >"$PRIVATE/events" 2>/dev/null &
  expect "--json=pretty: watch prints events as they arrive" eventually grep -q '^  "kind": "current"' \
    "$PRIVATE/events"
  kill $!
  expect "--json=pretty: the events are documents" is_true "$(<"$PRIVATE/events")" 'all(inputs, .; has("kind"))'
}

viewer() {
  local said

  for guid in "$UNKNOWN" nonsense; do
    said=$(run_as vail-alice "$PRIVATE/build/vail-view" --socket "$SOCKET" --png "$PRIVATE/x.png" \
      "$guid" 2>&1) || true
    expect_match "vail-view: quotes what was typed ($guid)" "^vail-view: .*$guid.*; " "$said"
    expect_equal "vail-view: no name of the interface ($guid)" "" "$(has_wire_name "$said")"
  done
}

agent() {
  session_open_with qemu root "$HELPERS/fake-qemu" "$PRIVATE/guest/qmp" guest "$QEMU_GUID" Graphic
  eventually test -S "$PRIVATE/guest/qmp"
  SAID=$("$PRIVATE/build/vail-qemu" --qmp "$PRIVATE/guest/qmp" --socket "$SOCKET" \
    --user nosuchuser 2>&1) || true
  expect_match "vail-qemu --user: quotes what was typed" \
    "^vail-qemu: .*: --user nosuchuser is not a user of this host; give a name" "$SAID"
  expect_match "vail-qemu --user: an unknown right is a usage error" \
    "^vail-qemu: fly is not a right on a display; give some of view, input" \
    "$("$PRIVATE/build/vail-qemu" --qmp "$PRIVATE/guest/qmp" --user alice:fly 2>&1 || true)"
  expect_equal "vail-qemu --user: no name of the interface" "" "$(has_wire_name "$SAID")"
  session_kill qemu
}

expect_match "the names of the interface are known" 'virtualMachineGuid.*vmmPid' "$WIRE"
expect_equal "a name of the interface is found" vmmPid "$(has_wire_name "give vmmPid")"
cp "$ROOT/build/vail-view" "$ROOT/build/vail-qemu" "$PRIVATE/build/"
mkdir "$PRIVATE/guest"
start_daemon
ready_vm "$GUID" "$ALICE_CLIENT"
start_vmm vail-vmm
add_vm "$BARE" "$VMM" "$ALICE_CLIENT" >/dev/null
not_found
invalid_values
denials
displays
waits_and_logs
usage
raw_call
viewer
agent
json_documents
pretty_stream
other_failures
expect_clean_stop
complains root "^vailctl: cannot reach vaild at .*; start it with: systemctl start vaild, or by hand with: vaild" list
finish
