#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that vailctl and vail-view take a VM by its name or by the beginning of its GUID, and checks
# the commands help, show, vm list, gpu list, vgpu list, wait and logs, the suggestions for misspelt
# words, and the commands that do nothing.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

WEB=a1a1a1a1-1111-4111-8111-111111111111
SHOP=a1a1a1a1-2222-4222-8222-222222222222
LATER=b2b2b2b2-3333-4333-8333-333333333333
GONE=c3c3c3c3-4444-4444-8444-444444444444
ESCAPE=$'\033'
WAITER=

cp "$ROOT/build/vail-view" "$PRIVATE/build/"

# Starts the VM web, whose VMM shares a console, and the VM shop. vail-alice is the display client of
# both.
start_machines() {
  session_open_with web vail-vmm "$HELPERS/share-console" "$SOCKET" "$WEB"
  expect_vailctl root 0 "vm add succeeds" vm add "$WEB" --name web --pid "${SESSION_PID[web]}" --user vail-alice
  expect_vailctl root 0 "vgpu assign takes a name" vgpu assign web --profile small
  start_vmm vail-vmm
  expect_vailctl root 0 "vm add succeeds for a second VM" vm add "$SHOP" --name "my shop" --pid "$VMM" \
    --user vail-alice
}

## VMs by name

check_names() {
  expect_vailctl root 0 "show takes a name" show web
  expect_match "show shows the VM of this name" "$WEB" "$SAID"
  expect_vailctl root 0 "describe still works" describe "$WEB"
  expect_match "describe shows the VM" "$WEB" "$SAID"
  expect_vailctl vail-alice 0 "a display client may use the name" show "my shop"
  expect_match "the display client sees the VM of this name" "$SHOP" "$SAID"
  expect_vailctl root 0 "show takes the beginning of a GUID in capital letters" show A1A1A1A1-2
  expect_match "show shows the VM whose GUID begins so" "$SHOP" "$SAID"
  expect_vailctl root 0 "show takes the beginning with a brace" show "{a1a1a1a1-2"
  expect_vailctl root 0 "show takes a GUID in braces" show "{$WEB}"
  expect_vailctl root 0 "objects takes a name" objects web
  expect_vailctl root 0 "vm update takes a name" vm update web --name "a1a1a1a1-2"
  expect_vailctl root 1 "a name does not replace the beginning of a GUID" vm quarantine a1a1a1a1-2
  expect_match "both VMs are shown if one fits by name" \
    "\"a1a1a1a1-2\" fits 2 virtual machines: $WEB \\(\"a1a1a1a1-2\"\\), $SHOP \\(\"my shop\"\\)" "$SAID"
  expect_equal "neither VM has ended" "$WEB $SHOP" "$(running_vms)"
  expect_vailctl root 0 "the name can be changed by the GUID" vm update "$WEB" --name old
  expect_vailctl root 0 "the name can be changed by the old name" vm update old --name web
  expect_vailctl vail-alice 0 "exec takes a name" exec web -- true
  exec_as root "${CTL[@]}" --json watch web >"$PRIVATE/watch" 2>&1 &
  expect "watch takes a name" eventually_unless_gone $! grep -q "virtualMachineAdded.*$WEB" "$PRIVATE/watch"
  kill_and_wait $!
}

check_refusals() {
  expect_vailctl root 1 "show fails for a beginning that fits two VMs" show a1a1
  expect_match "both VMs are shown with GUID and name" \
    "\"a1a1\" fits 2 virtual machines: $WEB \\(\"web\"\\), $SHOP \\(\"my shop\"\\); give the GUID of one of them, or more of its beginning" "$SAID"
  expect_vailctl root 1 "vm remove fails for a beginning that fits two VMs" vm remove a1a1a1a1
  expect_equal "no VM was removed" "$WEB $SHOP" "$(running_vms)"
  expect_vailctl root 1 "show fails for an unknown name" show nobody
  expect_match "the message quotes the name and says how to see the VMs" \
    'the name "nobody"; to see the virtual machines, run: vailctl list \(STATUS_NOT_FOUND' "$SAID"
  expect_vailctl root 1 "vm release fails for an unknown name" vm release nobody
  expect_match "the message says where a removed VM in quarantine is shown" \
    'run: vailctl list; to see the GUIDs in quarantine, which keep no name, run: vailctl vm quarantines \(STATUS_NOT_F' "$SAID"
  expect_vailctl root 1 "show fails for an unknown beginning" show a1a2
  expect_match "the message says that no GUID begins so" 'or a GUID that begins with it' "$SAID"
  expect_vailctl root 1 "show fails for a very short beginning" show a1a
  expect_match "the message says how many characters are needed" 'needs at least 4 characters' "$SAID"
  expect_vailctl root 1 "a name in other letters is unknown" show WEB
  expect_vailctl root 1 "an empty name is refused" show ""
  expect_match "the message says what to give" 'empty text; give its GUID or its name \(STATUS_INVALID_PARAMETER' "$SAID"
  expect_vailctl root 1 "a name with control characters is refused" show "${ESCAPE}[31mred"
  expect_match "control characters are escaped" '"\\x1b\[31mred"' "$SAID"
  expect_vailctl vail-bob 1 "a user who may not see the VM cannot use its name" show web
  expect_match "the message is that of an unknown name" 'that you may see has the name "web"' "$SAID"
  SAID=$(run_as root "${CTL[@]}" --json show a1a1 2>/dev/null) || true
  expect_match "a refusal is JSON with --json" "^STATUS_OBJECT_NAME_COLLISION 0xC0000035 .*$SHOP" \
    "$(jq -r '.status + " " + .code + " " + .message' <<<"$SAID")"
  expect_vailctl root 1 "vm add needs a whole GUID" vm add web --pid $$
}

# A GUID costs no call more than before: the daemon lists no VMs for it.
check_cost() {
  local log=$PRIVATE/calls needs

  needs=$(strace -f -e trace=sendmsg,sendto,write -s 200 -o "$log" true 2>&1) || {
    skip "a whole GUID costs no call" "strace does not run here: $needs"
    return
  }
  strace -f -e trace=sendmsg,sendto,write -s 200 -o "$log" "${CTL[@]}" vm update "$WEB" 2>/dev/null
  expect_equal "a whole GUID costs one call" 1 "$(grep -c 'io\.vaild\.' "$log")"
  strace -f -e trace=sendmsg,sendto,write -s 200 -o "$log" "${CTL[@]}" vm update web 2>/dev/null
  expect_equal "a name costs two calls" 2 "$(grep -c 'io\.vaild\.' "$log")"
}

check_quarantines() {
  expect_vailctl root 0 "vm quarantine takes a name" vm quarantine web --reason test
  expect_vailctl root 0 "vm quarantine takes a GUID that does not run" vm quarantine "$GONE"
  expect_vailctl root 0 "vm release takes the beginning of a GUID that does not run" vm release c3c3
  expect_vailctl root 0 "vm release takes a name" vm release web
  expect_vailctl root 0 "a VM whose name has a space goes into quarantine" vm quarantine "my shop"
  expect_vailctl root 0 "vm quarantine succeeds again" vm quarantine "my shop"
  expect_match "the suggested command quotes the name for a shell" 'run: vailctl vm release "my shop"$' "$SAID"
  expect_vailctl root 0 "vm release takes a name with a space" vm release "my shop"
  expect_equal "the quarantines are lifted" "" "$(run_as root "${CTL[@]}" --no-legend vm quarantines)"
  expect_vailctl root 0 "vm release succeeds without a quarantine" vm release web
  expect_match "vm release says that nothing was done" "nothing was done, because web is not in quarantine" "$SAID"
  expect_equal "vm release says so with --json" '{"status":"STATUS_SUCCESS","changed":false}' \
    "$(run_as root "${CTL[@]}" --json vm release "${WEB^^}" 2>/dev/null)"
  expect_vailctl vail-alice 1 "vm release is refused to other users" vm release "$WEB"
  expect_vailctl root 0 "vm update succeeds without a setting" vm update web
  expect_match "vm update says that nothing was done" "nothing was done, because no setting is given" "$SAID"
  expect_vailctl root 0 "vm update succeeds with --pid alone" vm update web --pid "${SESSION_PID[web]}"
  expect_match "vm update says that --pid alone changes nothing" "nothing was done" "$SAID"
  expect_vailctl root 0 "vm update succeeds with a setting" vm update web --name web
  expect_equal "vm update is silent if it has changed the VM" "" "$SAID"
  expect_vailctl root 1 "vm update without a setting fails for an unknown VM" vm update "$GONE"
}

## Lists and help

check_lists() {
  local list

  expect_vailctl root 0 "list succeeds" list --json
  list=$(jq -c '[.virtualMachines[].virtualMachineGuid]' <<<"$SAID")
  expect_vailctl root 0 "vailctl without a command succeeds" --json
  expect_equal "vailctl without a command lists" "$list" "$(jq -c '[.virtualMachines[].virtualMachineGuid]' <<<"$SAID")"
  expect_vailctl root 2 "vailctl without a command takes no program" -- true
  expect_vailctl root 2 "an option of another command needs that command" --follow
  expect_vailctl root 0 "vm list succeeds" vm list --json
  expect_equal "vm list lists" "$list" "$(jq -c '[.virtualMachines[].virtualMachineGuid]' <<<"$SAID")"
  expect_vailctl root 0 "gpu list succeeds" gpu list
  expect_equal "gpu list shows the adapters" "$(run_as root "${CTL[@]}" adapters)" "$SAID"
  expect_vailctl root 0 "vgpu list succeeds" vgpu list --no-legend
  expect_match "vgpu list shows vGPU, VM, adapter and profile" "^[0-9a-f]{32}  $WEB  web +.*  small\$" "$SAID"
  expect_vailctl root 0 "vgpu list --json succeeds" vgpu list --json
  expect_equal "vgpu list --json has the same" "STATUS_SUCCESS $WEB web small" "$(jq -r \
    '[.status, (.virtualGpus[] | .virtualMachineGuid, .virtualMachineName, .profile)] | join(" ")' <<<"$SAID")"
  expect_vailctl vail-bob 0 "vgpu list succeeds without a VM" vgpu list
  expect_equal "vgpu list says that there is none" "No virtual GPUs that you may see." "$SAID"
}

check_help() {
  local widest

  expect_vailctl root 0 "help succeeds" help
  expect_equal "help is --help" "$(run_as root "${CTL[@]}" --help)" "$SAID"
  expect_vailctl root 0 "help of a command succeeds" help vm update
  expect_equal "help of a command is its --help" "$(run_as root "${CTL[@]}" vm update --help)" "$SAID"
  expect_vailctl root 0 "help of a group succeeds" help vgpu
  expect_match "help of a group shows its commands" "vgpu list.*vgpu assign.*vgpu remove" "$SAID"
  expect_equal "the group's --help is the same" "$SAID" "$(run_as root "${CTL[@]}" vgpu --help)"
  expect_vailctl root 2 "help of an unknown command is a usage error" help nonsense
  expect_vailctl root 2 "help takes no three words" help vm update it
  SAID=$("${CTL[@]}" help | sed -n '1,/^Options:/p')
  widest=$(wc -L <<<"$SAID")
  expect "the overview fits 80 columns" [ "$widest" -le 80 ]
  expect_match "the overview has sections" "Virtual machines:.*  vm add .*Virtual GPUs:.*  vgpu assign " "$SAID"
  expect_equal "the overview has no command twice" "" "$(grep -E 'like:|^  (describe|vm list|gpu list) ' <<<"$SAID")"
}

# suggests EXPECTED WORD...: checks the suggestion for a misspelt command line.
suggests() {
  local expected=$1
  shift
  expect_vailctl root 2 "vailctl $* is a usage error" "$@"
  expect_match "vailctl $* suggests $expected" "; did you mean $expected\?" "$SAID"
}

check_suggestions() {
  local line

  suggests "vailctl list" lst
  suggests "vailctl registrations" registratoins
  suggests "vailctl vm release" vm relase
  suggests "vailctl vm release" release
  suggests "vailctl gpu map" gpu mpa
  suggests "vailctl watch" help wacth
  suggests "vailctl revoke" unregister web
  suggests "vailctl vm remove" remove web
  suggests "vailctl vm remove" vm delete web
  suggests "vailctl vgpu remove" vgpu unassign web
  suggests "vailctl vm release" vm unquarantine web
  suggests "vailctl display close" close web
  suggests --json list --jsno
  suggests --name vm update web --nmae=x
  expect_vailctl root 2 "a word like no command is a usage error" nonsense
  expect_equal "nothing is suggested for it" "vailctl: nonsense is not a command; see vailctl --help" "$SAID"
  for line in "list --foo" "--foo list" "list --no-json"; do
    # shellcheck disable=SC2086 # the words of a command line
    expect_vailctl root 2 "vailctl $line is a usage error" $line
    expect_match "vailctl $line: no option is suggested that list does not take" \
      "^vailctl: --[a-z-]+ is not an option; see vailctl help list\$" "$SAID"
  done
  suggests --for wait web --foo
  suggests --user vm update web --client-usr joe
  expect_match "the message leads to the help that has the option" "see vailctl help vm update\$" "$SAID"
  suggests --json -json list
  suggests --json list -json=pretty
  suggests --timeout wait web -timeot 3
  expect_vailctl root 2 "an unknown letter is a usage error" list -x
  expect_equal "an unknown letter suggests nothing" "vailctl: -x is not an option; see vailctl help list" "$SAID"
  for line in "exec web |ls" "exec web |ls -l" "exec web |ls --all" "exec --context web |ls" "exec web |sleep 20" \
    "exec --json web |sleep 20" "exec web |ls --json"; do
    # shellcheck disable=SC2086
    expect_vailctl root 2 "vailctl $line is a usage error" ${line/|/}
    expect_match "vailctl $line: the message has the whole line" \
      "put -- before the command: vailctl --socket $SOCKET ${line/|/-- }(\"}.*)?$" "$SAID"
  done
  expect_vailctl root 2 "a program with spaces is a usage error" exec web sh -c 'echo "a  b"'
  expect_equal "the words of the line are quoted for the shell" \
    "vailctl: put -- before the command: vailctl --socket $SOCKET exec web -- sh -c 'echo \"a  b\"'" "$SAID"
  expect_vailctl root 2 "vm add without -- is a usage error" vm add "$GONE" --name x qemu -m 1
  expect_equal "vm add without --: the message has the right line" \
    "vailctl: put -- before the command: vailctl --socket $SOCKET vm add $GONE --name x -- qemu -m 1" "$SAID"
  expect_vailctl root 2 "the beginning of two options is a usage error" --no
  expect_match "the message says that several fit" "--no fits several options" "$SAID"
  SAID=$("$PRIVATE/build/vail-view" web --pgn x 2>&1) || true
  expect_match "vail-view suggests an option" "did you mean --png" "$SAID"
}

# Handles may be shortened as far as they fit one entity.
check_handles() {
  local adapter object gpu command

  adapter=$("${CTL[@]}" --json adapters | jq -r '.adapters[0].adapter')
  expect_vailctl root 0 "--adapter takes the beginning of a handle" \
    vgpu assign web --profile second --adapter "${adapter:0:8}"
  gpu=$SAID
  SAID=$(run_as root "${CTL[@]}" vgpu remove "${gpu:0:3}" 2>&1) || true
  expect_match "a very short beginning of a handle is refused" \
    "^vailctl: ${gpu:0:3}: the virtual GPU is named by .* at least 4 digits; .*vailctl vgpu list" "$SAID"
  expect_vailctl root 1 "gpu map needs a handle" gpu map 1
  expect_match "the message says where to find it" \
    "^vailctl: 1: the GPU process is named by its handle, .*: vailctl gpu processes" "$SAID"
  expect_vailctl root 0 "gpu processes succeeds" gpu processes
  expect_match "it names the system process" "none +\(system\)" "$SAID"
  expect_vailctl root 1 "save refuses the name of a VM" save web "$PRIVATE/web.png"
  expect_match "save says what to do instead" \
    '^vailctl: web names a VM, .*: vailctl objects web; .*: vail-view web --png FILE' "$SAID"
  expect_vailctl root 1 "save refuses the beginning of a GUID" save "${SHOP:0:11}" "$PRIVATE/web.png"
  expect_match "save says so" "^vailctl: ${SHOP:0:11} names a VM" "$SAID"
  expect_vailctl root 0 "a VM is named by digits" vm update "$SHOP" --name 100
  expect_vailctl root 1 "holders refuses a name of digits" holders 100
  expect_match "holders says what to do instead" "^vailctl: 100 names a VM" "$SAID"
  expect_vailctl root 0 "the VM gets its old name" vm update "$SHOP" --name "my shop"
  gpu=${gpu:0:16}
  expect_vailctl root 0 "vgpu remove takes the beginning of a handle, in capitals" vgpu remove "${gpu^^}"
  expect_vailctl root 1 "vgpu remove fails for the beginning of no handle" vgpu remove "$gpu"
  expect_match "the message says what to do" \
    "^vailctl: $gpu: no virtual GPU that you may see .*give the whole handle, .*with: vailctl vgpu list" "$SAID"
  session_ask web "mode 64 48"
  object=${REPLY#handle }
  object=${object:0:12}
  expect_vailctl root 0 "holders takes the beginning of a handle" holders "$object"
  exec_as root "${CTL[@]}" --json watch --object "$object" >"$PRIVATE/watch-object"  2>&1 &
  expect "watch --object takes the beginning of a handle" eventually_unless_gone $! \
    grep -q "\"kind\":\"shared\".*$object" "$PRIVATE/watch-object"
  kill_and_wait $!
  expect_vailctl vail-alice 0 "save takes the beginning for a registered process" \
    exec web -- "${CTL[@]}" save "$object" /dev/null
  expect_vailctl vail-alice 1 "save needs the whole handle from others" save "$object" /dev/null
  expect_match "the message says so" "give the whole handle" "$SAID"
  for command in "display close" "gpu map"; do
    # shellcheck disable=SC2086 # two words
    expect_vailctl root 1 "$command looks for the beginning of a handle" $command 1234abcd
    expect_match "$command says that there is none" "^vailctl: 1234abcd: no .* give the whole handle" "$SAID"
  done
}

check_socket() {
  # shellcheck disable=SC2016 # the program expands it
  expect_equal "exec --socket sets VAILD_SOCKET for the program" "$SOCKET" \
    "$(run_as vail-alice env -u VAILD_SOCKET "${CTL[@]}" exec web -- sh -c 'echo "$VAILD_SOCKET"')"
  # shellcheck disable=SC2016
  expect_equal "a relative socket is absolute for the program" "$SOCKET" \
    "$(cd "$PRIVATE/run" && run_as vail-alice "$PRIVATE/build/vailctl" --socket vaild.sock exec web -- \
      sh -c 'cd /; echo "$VAILD_SOCKET"')"
  # shellcheck disable=SC2016
  expect_equal "without --socket the environment stays" "$SOCKET none" \
    "$(VAILD_SOCKET=$SOCKET run_as vail-alice "$PRIVATE/build/vailctl" exec web -- \
      sh -c 'echo "$VAILD_SOCKET none"')"
}

## wait

# start_wait USER NAME ARGUMENT...: starts vailctl wait in the background. Sets WAITER to its pid. The
# files NAME and NAME.said get its output and its messages.
start_wait() {
  local user=$1 name=$2
  shift 2
  exec_as "$user" "${CTL[@]}" wait "$@" >"$PRIVATE/$name" 2>"$PRIVATE/$name.said" </dev/null &
  WAITER=$!
}

# shellcheck disable=SC2317 # called by eventually
watches_are() { [ "$(watches)" = "$1" ]; }

# Prints the number of watches.
# shellcheck disable=SC2317
watches() {
  ask root "$(call io.vaild.Monitor.GetMetrics)" | field .parameters.openMetrics |
    sed -n 's/^vaild_used{.*"watches".*} //p'
}

# Waits until only the waiter watches, so that what happens next is news to it.
waits() { eventually_unless_gone "$WAITER" watches_are 1; }

# expect_waited CHECK EXPECTED-EXIT NAME PATTERN: checks how the waiter ends, and its output. On a slow
# machine it has also said that it waits.
expect_waited() {
  local status=0
  wait "$WAITER" || status=$?
  expect_equal "$1" "$2" "$status"
  expect_match "$1: the output is right" "$4" \
    "$(cat "$PRIVATE/$3" "$PRIVATE/$3.said" | grep -v ' yet; waiting')"
}

# Starts vailctl register for the VM web. Sets REGISTERED to its pid.
register_in_background() {
  exec_as "$1" "${CTL[@]}" register web >"$PRIVATE/register-said" 2>&1 &
  REGISTERED=$!
  expect "register registers" eventually_unless_gone "$REGISTERED" \
    grep -q "^Process $REGISTERED is registered for VM web until" "$PRIVATE/register-said"
}

# expect_register_ended REASON: checks that vailctl register ends by itself, and says why.
expect_register_ended() {
  local status=0

  wait "$REGISTERED" || status=$?
  expect_equal "register fails when its registration ends: $1" 1 "$status"
  expect_match "register says why: $1" \
    "process $REGISTERED is no longer registered for VM web: $1; to see the VM, run: vailctl show web" \
    "$(cat "$PRIVATE/register-said")"
}

check_wait() {
  local handle

  expect_vailctl root 2 "wait for another goal is a usage error" wait web --for lunch
  expect_vailctl root 2 "wait needs a number of seconds" wait web --timeout soon
  expect_vailctl root 124 "wait exits with 124 after its time" wait web --for shared --timeout 1
  expect_match "wait says what it has waited for" "virtual machine web shares no object after 1 s.*STATUS_IO_TIMEOUT" "$SAID"
  expect_vailctl root 124 "wait for the end exits with 124 after its time" wait web --for ended --timeout 1

  start_wait root registered web
  expect "wait watches the VM" waits
  expect "wait says what it waits for" eventually grep -qx \
    "vailctl: virtual machine web has no registered process yet; waiting" "$PRIVATE/registered.said"
  expect_vailctl root 0 "the VM of a wait goes into quarantine" vm quarantine web
  expect "wait says that the VM is in quarantine" eventually grep -qx \
    "vailctl: virtual machine web is in quarantine, so it has no registered process; waiting until an operator lifts the quarantine with: vailctl vm release web" \
    "$PRIVATE/registered.said"
  expect_vailctl root 0 "the quarantine ends" vm release web
  exec_as vail-alice "${CTL[@]}" register web >"$PRIVATE/register-said" 2>&1 &
  REGISTERED=$!
  expect_waited "wait ends when a process is registered" 0 registered "^$REGISTERED"
  expect "register quotes the name" eventually grep -q "^Process $REGISTERED is registered for VM web until" \
    "$PRIVATE/register-said"
  expect_vailctl root 0 "wait ends at once if a process is registered" wait web --for registered
  expect_equal "wait prints its pid" "$REGISTERED" "$SAID"
  expect_vailctl vail-alice 1 "wait for a registration is refused to an unregistered process" wait web
  expect_vailctl root 0 "revoke takes a name" revoke web "$REGISTERED"
  expect_register_ended "the registration was revoked"
  register_in_background vail-alice
  expect_vailctl root 0 "the VM goes into quarantine" vm quarantine web
  expect_register_ended "the VM was put in quarantine"
  expect_vailctl root 0 "the quarantine is lifted" vm release web
  register_in_background vail-alice
  kill -INT "$REGISTERED"
  expect "register unregisters and succeeds when it is interrupted" wait "$REGISTERED"
  expect_equal "register says nothing then" 1 "$(wc -l <"$PRIVATE/register-said")"

  start_wait vail-alice shared --json web --for shared
  expect "a display client may wait for an object" waits
  session_ask web "mode 64 48"
  handle=${REPLY#handle }
  expect_waited "wait ends when an object is shared" 0 shared "\"handle\":\"$handle\""
  expect_vailctl root 0 "wait ends at once if an object is shared" wait a1a1a1a1-1 --for shared
  expect_equal "wait prints its handle" "$handle" "$SAID"
}

check_wait_for_arrival() {
  expect_vailctl vail-alice 1 "only operators and observers may wait for a VM that does not run" wait later
  expect_match "the message says so" "only operators and observers may wait for one that does not run yet" "$SAID"
  expect_vailctl root 1 "nobody may wait for the end of an unknown name" wait later --for ended
  expect_vailctl root 0 "a GUID that does not run has ended" wait "$LATER" --for ended
  start_wait root later later --timeout 1000000
  local by_name=$WAITER
  expect "wait by name watches everything" waits
  expect "wait says that the VM does not run" eventually grep -qx \
    "vailctl: no VM named later runs yet; waiting for it" "$PRIVATE/later.said"
  expect_vailctl root 124 "wait for an unknown name exits with 124" wait nosuch --timeout 1
  expect_match "wait does not speak as if the VM existed" \
    "no VM named nosuch has come within 1 s; to see the VMs that run, run: vailctl list" "$SAID"
  start_wait root later-guid "$LATER"
  expect "wait by GUID watches everything" eventually watches_are 2
  stop_daemon
  start_daemon
  expect "wait survives a restart of vaild" eventually watches_are 2
  expect "wait says that vaild is back" grep -q "vaild is back; waiting goes on" "$PRIVATE/later.said"
  start_vmm vail-vmm
  expect_vailctl root 0 "the VM comes" vm add "$LATER" --name other --pid "$VMM" --user vail-alice
  expect_vailctl root 0 "the VM gets a vGPU" vgpu assign "$LATER"
  exec_as vail-alice "${CTL[@]}" register "$LATER" >"$PRIVATE/register-later" 2>"$PRIVATE/register-later.said" &
  REGISTERED=$!
  expect_waited "wait by GUID ends when a process is registered" 0 later-guid "^$REGISTERED"
  expect_vailctl root 0 "the VM gets the name" vm update "$LATER" --name later
  WAITER=$by_name
  expect_waited "wait by name ends when a process is registered" 0 later "^$REGISTERED"
}

check_wait_for_end() {
  start_wait root ended later --for ended
  local operator=$WAITER
  # The process that is registered watches, too.
  expect "wait for the end watches the VM" eventually_unless_gone "$WAITER" watches_are 2
  start_wait vail-alice ended-alice later --for ended
  local alice=$WAITER
  expect "a display client may wait for the end" eventually watches_are 3
  start_wait root ended-shared later --for shared
  expect "another wait watches the VM" eventually watches_are 4
  expect_vailctl root 0 "the VM is removed" vm remove later
  expect_waited "wait for an object fails when the VM ends" 1 ended-shared \
    "virtual machine later shares no object, and has ended.*STATUS_NOT_FOUND"
  WAITER=$operator
  expect_waited "wait for the end ends when the VM has ended" 0 ended '^$'
  WAITER=$alice
  expect_waited "the wait of a display client ends, too" 0 ended-alice '^$'
  WAITER=$REGISTERED
  expect_waited "register ends with the VM" 1 register-later "no longer registered for VM $LATER: the VM was removed"
}

## logs

# A journalctl that prints its arguments.
fake_journalctl() {
  mkdir -p "$PRIVATE/bin"
  printf '%s\n' '#!/bin/sh' 'echo "$*"' 'exit 7' >"$PRIVATE/bin/journalctl"
  chmod 755 "$PRIVATE/bin/journalctl"
}

# logs CHECK EXPECTED ARGUMENT...: checks the arguments that journalctl gets, and that logs says that
# this vaild does not write to the journal.
logs() {
  local check=$1 expected=$2
  shift 2
  SAID=$(PATH=$PRIVATE/bin:$PATH "${CTL[@]}" "$@" 2>"$PRIVATE/logs-said") || true
  expect_equal "$check" "$expected" "$SAID"
  expect_match "$check: says where the log is" "^vailctl: this vaild was started by hand: .* not to the journal\$" \
    "$(cat "$PRIVATE/logs-said")"
}

# Gives the machine a journal that only root can read. Returns 1 if it has no machine id.
make_journal() {
  local id

  id=$(cat /etc/machine-id 2>/dev/null) || id=
  [ -n "$id" ] && [ -d /var/log ] || return 1
  mount -t tmpfs -o mode=755 tmpfs /var/log
  [ ! -d /run/log/journal ] || mount -t tmpfs tmpfs /run/log/journal
  mkdir -p "/var/log/journal/$id"
  install -m 640 /dev/null "/var/log/journal/$id/system.journal"
}

check_logs() {
  local status=0 user

  if ! make_journal; then
    skip "logs shows the journal" "this machine has no machine id or no /var/log"
    return
  fi
  fake_journalctl
  logs "logs shows the journal of the unit" "--unit=vaild.service --quiet" logs
  expect_match "logs names the file that gets the log" "writes its log to $LOG, and not" "$(cat "$PRIVATE/logs-said")"
  logs "logs takes a name" "--unit=vaild.service VAIL_VM=$WEB --quiet" logs web
  logs "logs takes a GUID that does not run" "--unit=vaild.service --lines=5 VAIL_VM=$GONE --quiet" logs "{${GONE^^}}" --lines 5
  logs "logs --follow begins with ten lines" "--unit=vaild.service --follow --lines=10 --quiet" logs --follow
  logs "logs takes the short options of journalctl" "--unit=vaild.service --follow --lines=3 --quiet" logs -f -n 3
  logs "logs takes a number in one word" "--unit=vaild.service --lines=7 --quiet" logs -n7
  expect_vailctl root 2 "logs -n needs a number" logs -n
  expect_match "the message says so" "-n needs a value" "$SAID"
  logs "logs --json prints JSON, without a pager" "--unit=vaild.service --output=json --quiet --no-pager --follow --lines=3 --quiet" \
    logs --json --no-pager --follow --lines 3
  PATH=$PRIVATE/bin:$PATH "${CTL[@]}" logs >/dev/null || status=$?
  expect_equal "logs exits with the status of journalctl" 7 "$status"
  expect_vailctl root 2 "logs needs a number of lines" logs --lines all
  expect_vailctl root 1 "logs fails for an unknown name" logs nobody
  mkdir -p "$PRIVATE/empty"
  SAID=$(PATH=$PRIVATE/empty "${CTL[@]}" logs 2>&1) || status=$?
  expect_equal "logs fails without journalctl" 1 "$status"
  expect_match "logs says that journalctl is missing" "journalctl is not installed" "$SAID"
  PATH=$PRIVATE/bin:$PATH expect_vailctl vail-alice 1 "logs is refused to a user who may not read the journal" logs
  expect_match "logs says where the log is, and who may read the journal" \
    "started by hand: it writes its log to .*, and you may not read the system's journal; .*systemd-journal" "$SAID"
  PATH=$PRIVATE/bin:$PATH expect_vailctl root 7 "root may read the journal" logs
  rm -r /var/log/journal
  for user in root vail-alice; do
    PATH=$PRIVATE/bin:$PATH expect_vailctl "$user" 1 "logs fails for $user without any journal" logs
    expect_match "logs says then where the log is" "started by hand: it writes its log to .*no journal that you may read" "$SAID"
  done
}

## vail-view

check_viewer() {
  local view=("$PRIVATE/build/vail-view" --socket "$SOCKET")

  SAID=$(run_as vail-alice "${view[@]}" web --png - | head -c 8 | od -A n -t x1)
  expect_match "vail-view takes a name" "89 50 4e 47" "$SAID"
  # The pipe is closed before vail-view starts, so that it cannot write even one byte.
  mkfifo "$PRIVATE/unread"
  exec {READER}<>"$PRIVATE/unread" {WRITER}>"$PRIVATE/unread"
  exec {READER}<&-
  expect_equal "vail-view ends silently when nobody reads the picture any more" "0 " \
    "$(said=$(run_as vail-alice "${view[@]}" web --png - 2>&1 1>&"$WRITER"); echo "$? $said")"
  exec {WRITER}>&-
  SAID=$(run_as vail-alice "${view[@]}" --png - -- a1a1a1a1-1 | head -c 8 | od -A n -t x1)
  expect_match "vail-view takes the beginning of a GUID" "89 50 4e 47" "$SAID"
  SAID=$(run_as vail-alice "${view[@]}" a1a1 --png "$PRIVATE/none" 2>&1) || true
  expect_match "vail-view shows both VMs that fit" "vail-view: \"a1a1\" fits 2 .*$WEB.*$SHOP" "$SAID"
  SAID=$(run_as vail-alice "${view[@]}" nobody --png "$PRIVATE/none" 2>&1) || true
  expect_match "vail-view quotes an unknown name" 'the name "nobody"' "$SAID"
  SAID=$(run_as vail-alice "$PRIVATE/build/vail-view" --socket /none web --png "$PRIVATE/none" 2>&1) || true
  expect_match "vail-view says that vaild cannot be reached" "STATUS_CONNECTION_REFUSED" "$SAID"
}

start_daemon
start_machines
check_names
check_refusals
check_cost
check_quarantines
check_lists
check_help
check_suggestions
check_socket
check_wait
check_handles
check_viewer
check_logs
check_wait_for_arrival
check_wait_for_end
expect_clean_stop
expect_vailctl root 1 "a name cannot be looked up without a daemon" show web
expect_match "the message says that vaild is not reachable" STATUS_CONNECTION_REFUSED "$SAID"
expect_vailctl root 1 "wait fails at once without a daemon" wait "$WEB"
finish
