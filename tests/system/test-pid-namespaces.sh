#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Clients in containers, the daemon outside: processes have other pids there. Requests contain the
# numbers of the caller's pid namespace, and replies those of their reader. A real QEMU, vail-qemu
# and vail-view run in a container: they register, show a picture, are revoked, and end.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/vm/qemu-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/qemu-guest.sh"

OTHER=ffffffff-ffff-4fff-8fff-ffffffffffff
mkdir -m 777 "$PRIVATE/boxes"

## Boxes: pid namespaces with their own /proc, and no other namespace that matters

declare -A BOXES # the first process of each, with its number here

# make_box NAME [WRAPPER...]: starts a box. WRAPPER executes a command in the box around it.
make_box() {
  local name=$1
  shift
  rm -f "$PRIVATE/boxes/$name"
  # shellcheck disable=SC2016
  "$@" unshare --pid --fork --kill-child --mount-proc bash -c \
    'echo ready >"$1"; exec sleep infinity' box "$PRIVATE/boxes/$name" 2>"$PRIVATE/boxes/$name.log" &
  eventually test -s "$PRIVATE/boxes/$name"
  BOXES[$name]=$(innermost_child $!)
}

# innermost_child PID: prints the last of the descendants, each of which has one child.
innermost_child() {
  local pid=$1 child

  while child=$(pgrep -P "$pid"); do
    pid=$child
  done
  echo "$pid"
}

# enter NAME: the command that executes its arguments in the box.
enter() {
  echo nsenter --target "${BOXES[$1]}" --mount --pid --
}

# run_in BOX COMMAND...: runs the command as root in the box.
run_in() {
  local box=$1
  shift
  # shellcheck disable=SC2046
  $(enter "$box") "$@"
}

# start_in BOX NAME COMMAND...: starts the command in the box. INSIDE[NAME] gets its number there,
# and OUTSIDE[NAME] its number here.
declare -A INSIDE OUTSIDE
start_in() {
  local box=$1 name=$2 file=$PRIVATE/boxes/$2.pid
  shift 2
  rm -f "$file"
  # shellcheck disable=SC2016,SC2046
  $(enter "$box") bash -c 'echo $$ >"$1"; shift; exec "$@"' start "$file" "$@" &
  eventually test -s "$file"
  INSIDE[$name]=$(<"$file")
  OUTSIDE[$name]=$(innermost_child $!)
}

# ctl_in BOX ARGUMENT...: runs vailctl as root in the box.
ctl_in() {
  local box=$1
  shift
  run_in "$box" "${CTL[@]}" "$@"
}

# told COMMAND...: prints the output of a command that may fail, its messages included.
told() { "$@" 2>&1 || true; }

# shown EXPRESSION VAILCTL...: prints a jq expression of the VM, as the command shows it.
shown() {
  local expression=$1
  shift
  "$@" --json describe "$OTHER" | jq -r ".virtualMachine | $expression"
}

## Checks

# Numbers of the box mean other processes here. The lowest ones are always in use.
check_numbers() {
  make_box first
  make_box sibling
  start_in first vmm sleep infinity
  start_in sibling same sleep infinity
  start_in first agent sleep infinity
  # shellcheck disable=SC2046
  make_box nested $(enter first)
  start_in nested deep sleep infinity
  expect_equal "$1: two boxes have processes of one number" "${INSIDE[vmm]}" "${INSIDE[same]}"

  expect_equal "$1: a VM is added in the box" "" \
    "$(told ctl_in first vm add "$OTHER" --pid "${INSIDE[vmm]}" --client-pid "${INSIDE[agent]}" \
      --agent-pid "${INSIDE[agent]}" | grep -v "$OTHER")"
  expect_equal "$1: outside it has the outside numbers" \
    "${OUTSIDE[vmm]} ${OUTSIDE[agent]} ${OUTSIDE[agent]}" \
    "$(shown '"\(.vmmPid) \(.agent.pid) \(.displayClients[0].pid)"' "${CTL[@]}")"
  expect_equal "$1: in the box it has the numbers of the box" \
    "${INSIDE[vmm]} ${INSIDE[agent]} ${INSIDE[agent]}" \
    "$(shown '"\(.vmmPid) \(.agent.pid) \(.displayClients[0].pid)"' ctl_in first)"
  expect_equal "$1: in other boxes its processes have the number 0" "0 0 0 0" \
    "$(shown '"\(.vmmPid) \(.agent.pid)"' ctl_in sibling) $(shown '"\(.vmmPid) \(.agent.pid)"' ctl_in nested)"
  expect_match "$1: vailctl says that it cannot see them" 'VMM: +not visible here' \
    "$(ctl_in sibling describe "$OTHER")"
  expect_match "$1: a number that means nothing in the box is refused" \
    '--pid [0-9]+ is not the pid of a live process in your pid namespace' \
    "$(told ctl_in first vm add "$GUID" --pid "${OUTSIDE[vmm]}")"
  kill "${OUTSIDE[vmm]}"
  expect "$1: the VM ends with its VMM" eventually running_vms_are ""
}

# A box in a box: the outer one sees the processes of the inner one.
check_nested() {
  local pid

  pid=$(awk '/^NSpid:/ {print $(NF - 1)}' "/proc/${OUTSIDE[deep]}/status")
  expect_equal "$1: the outer box adds a VM of the inner one" "" \
    "$(told ctl_in first vm add "$OTHER" --pid "$pid" | grep -v "$OTHER")"
  expect_equal "$1: each place has its own number for the VMM" \
    "${OUTSIDE[deep]} $pid ${INSIDE[deep]} 0" \
    "$(shown .vmmPid "${CTL[@]}") $(shown .vmmPid ctl_in first) $(shown .vmmPid ctl_in nested) $(shown .vmmPid ctl_in sibling)"
  ctl_in nested vm remove "$OTHER" >/dev/null
  expect_equal "$1: the inner box adds it with its own number" "" \
    "$(told ctl_in nested vm add "$OTHER" --pid "${INSIDE[deep]}" | grep -v "$OTHER")"
  expect_equal "$1: and that is the same process" "${OUTSIDE[deep]} $pid" \
    "$(shown .vmmPid "${CTL[@]}") $(shown .vmmPid ctl_in first)"
  kill "${OUTSIDE[deep]}"
  expect "$1: that VM ends with its VMM" eventually running_vms_are ""
}

end_boxes() {
  local name

  for name in nested first sibling; do
    kill -KILL "${BOXES[$name]}"
  done
}

# registered VAILCTL...: prints the numbers of the registered processes, as the command shows them.
registered() { "$@" --json registrations | jq -r '[.registrations[].pid] | join(" ")'; }

# start_viewer: starts vail-view as alice in the box, and waits for its first frame.
start_viewer() {
  : >"$PRIVATE/boxes/frames"
  chmod 666 "$PRIVATE/boxes/frames"
  # shellcheck disable=SC2016
  start_in guest viewer setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all \
    bash -c 'exec "$@" >>"$0" 2>"$0.said"' "$PRIVATE/boxes/frames" \
    "$PRIVATE/vail-view" --socket "$SOCKET" "$GUID" --raw --name "console 0"
  VIEWER=$!
  expect "the viewer in the box is registered under its own number" \
    eventually registered_pids_are "${OUTSIDE[viewer]}"
  expect "the viewer in the box shows a picture" eventually test -s "$PRIVATE/boxes/frames"
}

# viewer_ends CHECK: checks that vail-view notices the end of its registration.
viewer_ends() {
  process_ends "$1" "$VIEWER" 1 'is no longer registered for .*: revoked' \
    "$PRIVATE/boxes/frames.said"
}

check_guest() {
  make_box guest
  start_in guest qemu qemu-system-x86_64 -accel tcg -m 64 -nodefaults -no-user-config -vga none \
    -qmp "unix:$QMP,server=on,wait=off" "${WITH_DISPLAY[@]}" "${WITH_DISK[@]}"
  QEMU=${OUTSIDE[qemu]}
  eventually qemu_answers_or_is_gone
  start_in guest agent "$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" --user vail-alice
  AGENT=$!
  expect "vail-qemu in the box shares the guest's screen" eventually console_is 720x400
  expect_equal "the VMM is QEMU, and the agent vail-qemu" "${OUTSIDE[qemu]} ${OUTSIDE[agent]}" \
    "$("${CTL[@]}" --json describe "$GUID" | jq -r '.virtualMachine | "\(.vmmPid) \(.agent.pid)"')"
  expect_equal "vailctl in the box shows them as ps does there" "${INSIDE[qemu]} ${INSIDE[agent]}" \
    "$(ctl_in guest --json describe "$GUID" | jq -r '.virtualMachine | "\(.vmmPid) \(.agent.pid)"')"
  start_viewer
  expect_equal "in the box, the viewer has its number there" "${INSIDE[viewer]}" \
    "$(registered ctl_in guest)"
  "${CTL[@]}" revoke "$GUID" "${OUTSIDE[viewer]}" >/dev/null
  viewer_ends "the viewer is revoked outside"
  start_viewer
  expect_equal "the number of the host cannot be revoked in the box" 1 \
    "$(ctl_in guest revoke "$GUID" "${OUTSIDE[viewer]}" 2>&1 | grep -c 'no process with this pid')"
  ctl_in guest revoke "$GUID" "${INSIDE[viewer]}" >/dev/null
  viewer_ends "the viewer is revoked in the box"
  start_viewer
  run_in guest kill "${INSIDE[qemu]}"
  expect "the VM ends with QEMU" eventually running_vms_are ""
  wait "$VIEWER" || true
  expect_match "the viewer says that the VM has ended" 'ended|no longer' \
    "$(cat "$PRIVATE/boxes/frames.said")"
  wait "$AGENT" || true
  expect_equal "vail-qemu ends with QEMU" "" "$(pgrep -f "$VAIL_QEMU" || true)"
}

check_log() {
  expect_match "the log has the host's number of the agent" "pid=${OUTSIDE[agent]} " "$(<"$LOG")"
}

cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/vail-view"
make_changing_disk
start_daemon
check_numbers "ioctl"
check_nested "ioctl"
end_boxes
check_guest
check_log
expect_clean_stop
start_daemon "$HELPERS/without-kernel-feature" pidns
check_numbers "search"
check_nested "search"
end_boxes
expect_clean_stop
finish
