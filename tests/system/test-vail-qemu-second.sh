#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that a vail-qemu that cannot share a screen leaves QEMU's display to the one that does: a
# second vail-qemu on a QEMU, one with wrong options, and one without vaild.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-qemu.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-qemu.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
QMP=$PRIVATE/guest/qmp
VAIL_QEMU=$PRIVATE/vail-qemu

# Starts a fake QEMU, which shows nothing yet.
start_qemu() {
  rm -f "$QMP"
  session_open_with qemu root "$HELPERS/fake-qemu" "$QMP" "a guest" "$GUID" Graphic
  eventually test -S "$QMP"
  chmod 777 "$QMP"
}

# start_first [OPTION...]: starts a vail-qemu that works. Sets FIRST to its pid.
start_first() {
  : >"$PRIVATE/first.log" # otherwise a check would find the messages of an earlier one
  "$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" "$@" 2>>"$PRIVATE/first.log" &
  FIRST=$!
}

end_qemu() {
  session_kill qemu
  wait "$FIRST" 2>/dev/null || true
  eventually running_vms_are ""
}

shared_by() { "${CTL[@]}" --json objects | jq -r '.sharedObjects[].sharedByPid'; }
is_shared_by_first() { [ "$(shared_by)" = "$FIRST" ]; }

server() { "${CTL[@]}" --json list | jq -r '.virtualMachines[].displayServerPid'; }
is_served_by_first() { [ "$(server)" = "$FIRST" ]; }

# either_is_gone PID: tests whether this vail-qemu has exited, or the first one, which loses QEMU's
# display if another joins it.
either_is_gone() { is_gone_or_zombie "$1" || is_gone_or_zombie "$FIRST"; }

# expect_harmless CHECK PATTERN USER [OPTION...]: runs another vail-qemu, which must fail with the
# message. The first one must still see what QEMU draws.
expect_harmless() {
  local check=$1 pattern=$2 user=$3 status=0 second
  shift 3

  : >"$PRIVATE/second.log"
  exec_as "$user" "$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" "$@" 2>>"$PRIVATE/second.log" &
  second=$!
  eventually either_is_gone "$second"
  if is_gone_or_zombie "$FIRST"; then
    not_ok "$check" "it took the display away: $(cat "$PRIVATE/second.log")"
    exit 1
  fi
  wait "$second" || status=$?
  expect_equal "$check: exit status" 1 "$status"
  expect_match "$check: message" "$pattern" "$(cat "$PRIVATE/second.log")"
  SIZE=$((SIZE + 16))
  qemu "map 0 $SIZE 48"
  expect "$check: the first vail-qemu goes on sharing" eventually screen_is "${SIZE}x48 $FIRST"
}

screen_is() {
  [ "$("${CTL[@]}" --json objects |
    jq -r '.sharedObjects[] | "\(.object.width)x\(.object.height) \(.sharedByPid)"')" = "$1" ]
}

check_second() {
  SIZE=64
  start_qemu
  start_first --user vail-alice
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "the first vail-qemu shares the screen" eventually is_shared_by_first
  expect "vaild names the process that serves the display" eventually is_served_by_first
  expect_match "vailctl show names it, too" "Display channels: +0, served by pid $FIRST" \
    "$("${CTL[@]}" show "$GUID")"
  expect_harmless "a second vail-qemu names the first" \
    "process $FIRST \(vail-qemu\) shares the screen of this QEMU already" root
  expect_harmless "a second vail-qemu with a wrong user" "shares the screen|no-such-user" \
    root --user no-such-user
  expect_harmless "a user who is no operator" "not its agent; have an operator run: vailctl vm update $GUID --agent-user" vail-bob
  kill_and_wait "$FIRST"
  start_first --user vail-alice
  qemu "listen 0 2"
  qemu "map 0 64 48"
  expect "a vail-qemu takes over as soon as the first has ended" eventually is_shared_by_first
  end_qemu
}

# A refused vail-qemu, with nobody whose display it could take away.
check_wrong_options() {
  local said status=0
  start_qemu
  said=$("$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" --label "web 1" --user no-such-user 2>&1) || status=$?
  expect_equal "an unknown user is refused" 1 "$status"
  expect_match "the refusal quotes the user" "user no-such-user" "$said"
  expect_match "messages begin with the label" '^vail-qemu: web 1: [^:]' "$said"
  qemu "joins 0"
  expect_equal "QEMU's display is not joined by a vail-qemu that is refused" 0 "$REPLY"
  expect_equal "and no VM is left in vaild" "" "$(running_vms)"
  FIRST=$$ end_qemu
}

says_waiting() { grep -q 'vaild is not reachable.*waiting for it' "$PRIVATE/first.log"; }

check_without_vaild() {
  start_qemu
  kill_and_wait "$DAEMON"
  start_first
  expect "a vail-qemu without vaild says that it waits" eventually says_waiting
  qemu "joins 0"
  expect_equal "and does not join QEMU's display" 0 "$REPLY"
  start_daemon
  qemu "listen 0 1"
  qemu "map 0 64 48"
  expect "it shares the screen as soon as vaild runs" eventually is_shared_by_first
  end_qemu
  start_qemu
  kill_and_wait "$DAEMON"
  start_first
  eventually says_waiting
  session_kill qemu
  STATUS=0
  wait "$FIRST" || STATUS=$?
  expect_equal "a vail-qemu that waits for vaild ends with QEMU" 0 "$STATUS"
  expect_match "and says so" 'QEMU has ended$' "$(cat "$PRIVATE/first.log")"
  start_daemon
}

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$VAIL_QEMU"
start_daemon
check_second
check_wrong_options
check_without_vaild
expect_clean_stop
finish
