#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The sound of a guest on display channels of vail-qemu, with a fake QEMU and viewers written with
# GDBus: every viewer with the right hears all, and one that does not listen delays nobody.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

VIEW=1
INPUT=2
CLIP=4
HEAR=8
AUDIO=/org/qemu/Display1/Audio
INVALID=org.freedesktop.DBus.Error.InvalidArgs

needs_gdbus "sound on display channels"

# sound METHOD TYPES VALUE...: QEMU calls its listener, which replies.
sound() {
  session_ask qemu "sound 0 $*"
  [[ $REPLY = ok* ]] || not_ok "fake-qemu: sound $*" "it said '$REPLY'"
}

# hears NAME CALL: the viewer's listener gets this call.
hears() { expect_reply "$1 hears: $2" "$2" "$1" sound; }

viewer() {
  session_open_with "$1" "$2" "$HELPERS/with-display" "$SOCKET" "$GUID" "$3" "$PRIVATE/gdbus-viewer"
}

display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$VIEW" true 2>/dev/null
}

grant() {
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,audioOutput \
    --user vail-bob:view,input,clipboard,audioOutput >/dev/null
}

start_vm() {
  start_qemu
  start_agent
  expect "vail-qemu registers the VM" eventually running_vms_are "$GUID"
  eventually grant
  expect "vail-qemu serves the guest's display" eventually display_opens
}

check_rights() {
  viewer poor vail-bob $((VIEW | INPUT | CLIP))
  expect_reply "without the right, a listener is denied" "$DENIED" poor hear
  expect_reply "without the right, there is no object" org.freedesktop.DBus.Error.UnknownObject \
    poor "interfaces $AUDIO"
  session_kill poor
  viewer alice vail-alice $((VIEW | HEAR))
  expect_reply "with the right, there is the interface" "$PREFIX.Audio" alice "interfaces $AUDIO"
  expect_reply "it has only the method for output" RegisterOutListener alice "members $AUDIO"
  expect_reply "input is denied" "$DENIED" alice "call $AUDIO $PREFIX.Audio RegisterInListener u 0"
  expect_reply "a listener is registered" ok alice hear
  expect_reply "another one is refused" "$INVALID" alice hear
}

check_sound() {
  sound Init tybbuyuub 7 16 1 0 44100 2 4 176400 0
  hears alice "init 7 16 44100"
  sound SetEnabled tb 7 1
  hears alice "enabled 7 True"
  sound SetVolume tbay 7 0 2
  hears alice "volume 7 False 0001"
  sound Write tay 7 1920
  hears alice "write 7 1920"
}

# A later viewer gets the streams that exist.
check_late_viewer() {
  sound Init tybbuyuub 8 8 0 0 8000 1 1 8000 0
  hears alice "init 8 8 8000"
  viewer bob vail-bob $((VIEW | HEAR))
  expect_reply "bob registers a listener" ok bob hear
  hears bob "init 7 16 44100"
  hears bob "volume 7 False 0001"
  hears bob "enabled 7 True"
  hears bob "init 8 8 8000"
  sound Write tay 8 100
  hears alice "write 8 100"
  hears bob "write 8 100"
  sound Fini t 8
  hears alice "fini 8"
  hears bob "fini 8"
  sound Write tay 8 100
  sound Write tay 7 64
  hears alice "write 7 64"
  hears bob "write 7 64"
}

# Bob's listener stands still while the guest plays more than his socket holds.
check_slow_viewer() {
  local heard=0

  kill -STOP "${SESSION_PID[bob]}"
  for _ in $(seq 100); do
    sound Write tay 7 20000
    session_ask alice sound
    [ "$REPLY" != "write 7 20000" ] || heard=$((heard + 1))
  done
  expect_equal "alice hears everything while bob's viewer is stopped" 100 "$heard"
  kill -CONT "${SESSION_PID[bob]}"
  hears bob "write 7 20000"
  session_kill bob
  sound Write tay 7 32
  hears alice "write 7 32"
}

check_restart() {
  session_kill alice
  kill_and_wait "$AGENT"
  start_agent
  expect "vail-qemu serves the display again" eventually display_opens
  viewer alice vail-alice $((VIEW | HEAR))
  expect_reply "a listener is registered again" ok alice hear
  sound Init tybbuyuub 9 16 1 0 48000 2 4 192000 0
  hears alice "init 9 16 48000"
}

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_vm
check_rights
check_sound
check_late_viewer
check_slow_viewer
check_restart
session_kill qemu
wait "$AGENT" || true
expect "vail-qemu has no memory errors" [ "$(grep -c Sanitizer "$PRIVATE/agent.log" || true)" = 0 ]
expect_clean_stop
finish
