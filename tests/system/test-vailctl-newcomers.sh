#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the sentences of vailctl for people who are new to it: if a command changes nothing, if no event
# can come, if words are no command, and the names of users in place of uids.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10

# says CHECK PATTERN USER STATUS ARGUMENT...: checks what vailctl says as this user, and its exit status.
says() {
  local check=$1 pattern=$2 user=$3 status=$4
  shift 4
  expect_vailctl "$user" "$status" "$check: exit status" "$@"
  expect_match "$check" "$pattern" "$SAID"
}

# quiet CHECK ARGUMENT...: checks that the command succeeds and prints nothing.
quiet() {
  local check=$1
  shift
  expect_vailctl root 0 "$check" "$@"
  expect_equal "$check: prints nothing" "" "$SAID"
}

nothing_is_changed() {
  local add=(vm add "$GUID" --pid "$VMM" --name desk --user vail-alice)

  quiet "vm add adds a VM" "${add[@]}"
  says "vm add of a VM that runs says that nothing was done" \
    "nothing was done, because $GUID runs already, with process $VMM as its VMM; .*vm update $GUID" \
    root 0 "${add[@]}"
  says "vm add with other settings changes none, and says so" "nothing was done.*vm update ${GUID^^}" \
    root 0 vm add "${GUID^^}" --pid "$VMM" --name other
  says "vm add --json says it in the document" '"changed":false' root 0 --json "${add[@]}"
  quiet "vm update changes a setting" vm update desk --user vail-alice:input
  says "vm update says that --user root permits hardly a program of root" \
    "^vailctl: --user root permits only processes without capabilities, .* give --client-pid \\$\\$ instead$" \
    root 0 vm update desk --user root
  quiet "vm update for another user" vm update desk --user vail-alice:input
  quiet "vm quarantine" vm quarantine desk --reason "GPU hang"
  says "vm quarantine again says that nothing was done" \
    "nothing was done, because desk is in quarantine already for the reason \"GPU hang\", .*vm release desk" root 0 \
    vm quarantine desk --reason "GPU hang"
  says "vm quarantine again without a reason says that the earlier one stays" \
    "nothing was done, because desk is in quarantine already for the reason \"GPU hang\", which --reason replaces; .*vm release desk" \
    root 0 vm quarantine desk
  quiet "vm quarantine for another reason changes it" vm quarantine desk --reason other
  quiet "vm release" vm release desk
}

# The second QEMU of a VM is something new, and so is a VM that takes the place of a user's.
something_is_changed() {
  local first=$VMM former

  start_vmm vail-vmm
  former=$VMM
  says "vm add of an incoming VMM says when it takes over" \
    "^vailctl: VM $GUID runs already; process $former is its incoming VMM now, and takes over when process $first exits; to call that off, end process $former, or name another one\$" \
    root 0 vm add "$GUID" --pid "$former"
  start_vmm vail-vmm
  says "vm add of another incoming VMM says whose place it takes, and what is not used" \
    "process $VMM is its incoming VMM now in place of process $former, .*; the name is not used; .*vm update $GUID\$" \
    root 0 vm add "$GUID" --pid "$VMM" --name other
  expect_vailctl root 0 "vm add --json of an incoming VMM" --json vm add "$GUID" --pid "$former" --user vail-bob
  expect_equal "vm add --json prints only the document" '{"status":"STATUS_SUCCESS"}' "$SAID"
  kill_and_wait "$former"
  says "the same incoming VMM again changes nothing" "nothing was done" root 0 \
    vm add "$GUID" --pid "$first"
  kill_and_wait "$VMM"
  VMM=$first
}

# waiting NAME USER ARGUMENT...: starts vailctl, with what it prints in the file NAME.
waiting() {
  local name=$1 user=$2
  shift 2
  : >"$PRIVATE/$name"
  exec_as "$user" "${CTL[@]}" "$@" >"$PRIVATE/$name" 2>&1 &
}
has_said() { grep -qE -- "$2" "$PRIVATE/$1"; }

nothing_can_come() {
  waiting stranger vail-bob watch
  expect "watch says to a user without a VM why nothing comes" eventually has_said stranger \
    'you may watch no virtual machine now; .* vailctl exec VM -- vailctl watch; .*only operators and observers see all'
  waiting document vail-bob --json watch
  expect "watch --json says so, too" eventually has_said document 'you may watch no virtual machine now'
  waiting operator root watch --kind current,virtualMachineAdded
  expect "watch of an operator begins" eventually has_said operator 'current state'
  expect_equal "watch says nothing to somebody who sees a VM" 0 \
    "$(grep -c 'virtual machine' "$PRIVATE/operator")"
  says "an empty list says whose it is" '^No virtual machines that you may see\.$' vail-bob 0 list
  says "no registrations says whose are shown" '^No registrations of this process; operators see all\.$' \
    vail-bob 0 registrations
  says "no objects says whose are shown" \
    '^No shared objects that this process shares or may open; operators see all\.$' vail-bob 0 objects
  says "no display channels says whose are shown" \
    '^No display channels of this process or of VMs that you added; operators see all\.$' vail-bob 0 displays
  says "an empty list of an operator is empty" '^No display channels\.$' root 0 displays
  expect_vailctl vail-bob 0 "an empty list without a legend" --no-legend list
  expect_equal "prints nothing without a legend" "" "$SAID"
}

# complains_of WORD...: runs vailctl with words that are no command. Sets SAID to its message. vailctl
# gives vaild half a second to say whether a word is a VM, so a slow machine needs several attempts.
complains_of() {
  local attempt

  for ((attempt = 0; attempt < 200; attempt++)); do
    SAID=$("${CTL[@]}" "$@" 2>&1 </dev/null) && return 1
    [[ $SAID != *"did you mean"* ]] || return 0
  done
}

# suggests EXPECTED WORD...: checks the whole message.
suggests() {
  local expected=$1
  shift
  expect "vailctl $* fails" complains_of "$@"
  expect_match "vailctl $* suggests $expected" \
    "^vailctl: .*; did you mean vailctl $expected\? see vailctl --help$" "$SAID"
}

words_are_no_command() {
  suggests --version version
  suggests --version vm version
  suggests "show desk" desk
  suggests "show desk" desk show
  suggests "vm remove desk" desk remove
  suggests "show desk" vm desk
  suggests "show desk" vm show desk
  suggests "show desk" vgpu desk
  suggests "status" vm status
  suggests "help vm" vm help
  suggests "list" vms
  suggests "vgpu list" vgpu show
  suggests "vgpu assign" vm assign desk
  says "the second words are named" \
    "^vailctl: vgpu needs a subcommand, one of: list, assign, remove; see vailctl help vgpu$" root 2 vgpu
  expect "vailctl vm desk fails" complains_of vm desk
  expect_match "a VM is called one" "^vailctl: vm desk is not a command, but desk is a VM; " "$SAID"
  says "nobody learns of a VM that he may not see" "^vailctl: desk is not a command; see vailctl --help$" \
    vail-bob 2 desk
  SAID=$("${CTL[@]}" --socket /nonexistent desk 2>&1) || true
  expect_equal "without vaild, nothing is said of VMs" \
    "vailctl: desk is not a command; see vailctl --help" "$SAID"
}

uids_have_names() {
  assign_gpu "$GUID" >/dev/null
  "${CTL[@]}" vm update desk --user vail-alice
  : >"$PRIVATE/registered"
  exec_as vail-alice "${CTL[@]}" register desk >"$PRIVATE/registered" 2>&1 &
  expect "a process is registered" eventually has_said registered registered
  says "show names the users" 'Added by:  root \(uid 0\).*Registered:  pid [0-9]+, vail-alice \(uid 47001\), ' \
    root 0 show desk
  says "show says in words who may register and share" \
    "Agent:  none; only the VMM may share objects.*Shared objects:  0, 0 B.*Display channels:  0, served by nobody" \
    root 0 show desk
  says "registrations names the users" "PID +USER .* vail-alice +through" root 0 registrations
  says "limits names the users" "registrationsPerUid +1 .* user vail-alice" root 0 limits
  says "limits names the user for whose account they are" $'registrationsPerUid +1 [^\n]* user vail-alice *(\n|$)' \
    vail-alice 0 limits --used
  says "limits names no user of what nobody uses" $'registrationsPerUid +0 [^\n]* - *(\n|$)' vail-bob 0 limits
  says "the help of limits names those that are no keys" \
    "except maxVirtualGpus,.closesUnderWay and virtualGpusPerMachine, which cannot be changed" root 0 help limits
  says "the help of limits explains its columns" "FOR USERS is the part of MAXIMUM" root 0 help limits
  says "the help of limits says whose use an adapter's is" \
    "except.that maxVirtualGpus counts the virtual GPUs of all VMs on one adapter" root 0 help limits
  says "the help of vgpu list explains SOURCE and FUNCTION" "SOURCE api .* has FUNCTION open" root 0 vgpu list --help
  says "the help of fleet where explains SINCE" "SINCE is when the host got the VM, in UTC" root 0 fleet where --help
  says "the help of fleet vms explains SINCE" "SINCE is when the VM was added on that host, in UTC" root 0 fleet vms --help
  says "the help of fleet quarantines explains SINCE" "SINCE is when the quarantine was imposed" root 0 \
    fleet quarantines --help
  says "a user by whom nothing can be recognized is refused, without a pun on his name" \
    "--user nobody has 65534 .*ids, by which no process can be recognized, so name another " root 1 \
    vm update desk --user nobody
  says "status says what it counts" "Counts below:  of all users" root 0 status
  says "status says what it counts for others" "Counts below:  of your user only" vail-bob 0 status
  waiting registrations root watch --kind registered
  expect "watch names the user" eventually has_said registrations 'registered, user vail-alice'
}

# Prints how many requests vaild has refused.
denials() { grep -c denied "$LOG" || true; }

refused_once() {
  local before command

  for command in "vm quarantine $GUID" "vm add $GUID --pid $VMM" "vm update $GUID --name x"; do
    before=$(denials)
    # shellcheck disable=SC2086 # the words of a command line
    expect_vailctl vail-bob 1 "vailctl $command is refused" $command
    expect_equal "vailctl $command is logged once" $((before + 1)) "$(denials)"
  done
  says "a watch that is refused says how it can be permitted" \
    "call as root, or, without a shell in between, run: vailctl exec desk -- vailctl watch desk " \
    vail-alice 1 watch desk
  says "the help of exec says what is not registered" "Processes that COMMAND starts are not registered" \
    root 0 help exec
  says "so does a watch that a shell has started, which is not registered" \
    "without a shell in between, run: vailctl exec desk -- vailctl watch desk " vail-alice 3 \
    exec desk -- sh -c '"$@"; exit 3' sh "${CTL[@]}" watch desk
  says "a wait for a registration, which would find its own under exec, says who may wait" \
    "only operators, observers, .* may watch the VM; call as one of them, such as a member of the group [^;]*$" \
    vail-alice 1 wait desk
  says "another wait, which registers itself, says why it may not" \
    "another user than the VM's display client; call as that user [^;]*$" vail-bob 1 wait "$GUID" --for shared
}

# Two VMs may have one name, but few people want it.
doubles_are_noticed() {
  local other=2c5e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10

  quiet "a VM gets a name that no other has" vm update "$GUID" --name twin
  says "vm add notices a name that another VM has" \
    "^vailctl: this is done, but VM $GUID has the name \"twin\", too; to name one of the two, give its GUID" \
    root 0 vm add "$other" --pid "$VMM" --name twin --user vail-alice
  says "vm update notices it as well" "^vailctl: this is done, but VM $other has the name \"twin\", too; " \
    root 0 vm update "$GUID" --name twin
  quiet "the other VM is removed" vm remove "$other"
  says "vm add with a command notices it" "^vailctl: this is done, but VM $GUID has the name \"twin\", too; " \
    root 3 vm add "$other" --name twin -- sh -c 'exit 3'
  says "vm add says with which status the command has ended" \
    "^vailctl: virtual machine $other has ended, because sh ended with exit status 3$" \
    root 3 vm add "$other" -- sh -c 'exit 3'
  says "vm add says only once that there is no such command" "^vailctl: cannot run $PRIVATE/none: No such file or directory$" \
    root 127 vm add "$other" -- "$PRIVATE/none"
}

# A quarantine may follow the end of a VM, and watch shows it with the VM's name.
names_outlive_vms() {
  local other=3c5e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10

  "${CTL[@]}" vm add "$other" --pid "$VMM" --name leaving --user vail-alice
  "${CTL[@]}" vgpu assign "$other" >/dev/null
  waiting ends root watch
  expect "watch has begun" eventually has_said ends 'current state'
  quiet "the VM is removed" vm remove "$other"
  quiet "its GUID goes into quarantine" vm quarantine "$other"
  quiet "the quarantine of the GUID ends" vm release "$other"
  quiet "the other VM changes" vm update "$GUID" --name after
  expect "watch shows a later change" eventually has_said ends 'name changed'
  expect_equal "watch names the VM after its end, and never by its GUID" 0 "$(grep -c "$other  " "$PRIVATE/ends")"
  expect_match "watch says once that the VM was removed" "leaving +VM removed
" "$(cat "$PRIVATE/ends")"
}

one_is_singular() {
  expect_vailctl root 0 "a GUID is put in quarantine" vm quarantine "$GUID"
  expect_clean_stop
  start_daemon
  expect "the log counts one quarantine" grep -q 'restored 1 quarantine$' "$LOG"
  says "status counts one record" 'Restored: +1 record of ' root 0 status
}

start_daemon
start_vmm vail-vmm
nothing_is_changed
something_is_changed
nothing_can_come
words_are_no_command
uids_have_names
expect_equal "nothing that vailctl asks for a message is refused and logged" 0 "$(denials)"
refused_once
doubles_are_noticed
names_outlive_vms
one_is_singular
expect_clean_stop
finish
