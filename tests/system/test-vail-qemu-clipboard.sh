#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The clipboard on display channels of vail-qemu, with a fake QEMU whose guest copies and pastes, and
# viewers written with GDBus: text passes in both directions for the viewer that had input last, and
# for nobody else. Invalid texts reach nobody, and a viewer that keeps silent delays nobody.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-guest.sh"

VIEW=1
INPUT=2
CLIP=4
CLIPBOARD=/org/qemu/Display1/Clipboard
CONSOLE=/org/qemu/Display1/Console_0
INVALID=org.freedesktop.DBus.Error.InvalidArgs
FAILED_CALL=org.freedesktop.DBus.Error.Failed
A_KEY=30

needs_gdbus "the clipboard on display channels"

# guest_pastes TEXT: tests whether the guest gets this text.
guest_pastes() {
  qemu "paste 0"
  [ "$REPLY" = "$1" ]
}
expect_paste() { expect "$1: the guest pastes $2" eventually guest_pastes "$2"; }

# client_did GRABS RELEASES: tests how often vail-qemu has grabbed and released QEMU's clipboard.
client_did() {
  qemu "clipboard 0"
  [ "$REPLY" = "$1 $2" ]
}

# is_asked NAME: vail-qemu asks the viewer for its text, and has handled the reply.
is_asked() {
  expect_reply "$1 is asked for its text" request "$1" event
  session_ask "$1" "get /org/qemu/Display1/VM $PREFIX.VM Name"
}

# viewer NAME USER RIGHTS: starts a viewer with a channel of these rights.
viewer() {
  session_open_with "$1" "$2" "$HELPERS/with-display" "$SOCKET" "$GUID" "$3" "$PRIVATE/gdbus-viewer"
}

# press NAME: the viewer presses and releases a key, so that it is the last one that had input.
press() {
  expect_reply "$1 presses a key" ok "$1" "call $CONSOLE $PREFIX.Keyboard Press u $A_KEY"
  expect_reply "$1 releases it" ok "$1" "call $CONSOLE $PREFIX.Keyboard Release u $A_KEY"
}

display_opens() {
  run_as vail-alice "$HELPERS/with-display" "$SOCKET" "$GUID" "$VIEW" true 2>/dev/null
}

grant() {
  "${CTL[@]}" vm update "$GUID" --user vail-alice:view,input,clipboard \
    --user vail-bob:view,input,clipboard >/dev/null
}

start_vm() {
  start_qemu
  start_agent
  expect "vail-qemu registers the VM" eventually running_vms_are "$GUID"
  eventually grant
  expect "vail-qemu serves the guest's display" eventually display_opens
}

check_rights() {
  viewer poor vail-bob $((VIEW | INPUT))
  expect_reply "without the right, a call is denied" "$DENIED" poor clipboard
  expect_reply "without the right, there is no object" org.freedesktop.DBus.Error.UnknownObject poor "interfaces $CLIPBOARD"
  expect_reply "without the right, a property is denied" "$DENIED" poor \
    "get $CLIPBOARD $PREFIX.Clipboard Interfaces"
  session_kill poor
  viewer alice vail-alice $((VIEW | INPUT | CLIP))
  expect_reply "with the right, there is the interface" "$PREFIX.Clipboard" alice \
    "interfaces $CLIPBOARD"
  expect_reply "before Register, a grab is refused" "$INVALID" alice "copy 0 early"
  expect_reply "before Register, a request is refused" "$INVALID" alice paste
  expect_reply "a viewer registers" ok alice clipboard
  expect_reply "it cannot register twice" "$INVALID" alice clipboard
  expect_reply "another selection is refused" "$INVALID" alice \
    "call $CLIPBOARD $PREFIX.Clipboard Release u 1"
}

check_copy_and_paste() {
  local did

  expect_paste "before a copy" nothing
  expect_reply "the viewer copies" ok alice "copy 0 first"
  expect_paste "copy" first
  expect_reply "vail-qemu has asked for the text" request alice event
  expect_reply "the viewer copies again" ok alice "copy 1 zweiter-Ä"
  expect_paste "second copy" zweiter-Ä
  expect_reply "vail-qemu has asked again" request alice event
  expect_reply "nothing of the guest can be requested" "$FAILED_CALL" alice paste
  qemu "copy 0 from-the-guest"
  expect_reply "the viewer is told that the guest has copied" "grab 2" alice event
  expect_reply "the viewer pastes" from-the-guest alice paste
  expect_paste "the viewer's text is void" nothing
  expect_reply "a grab that the guest's has overtaken is ignored" ok alice "copy 1 late"
  expect_reply "the guest's text is still there" from-the-guest alice paste
  qemu "uncopy 0"
  expect_reply "the viewer is told that the guest has released" release alice event
  expect_reply "then there is nothing" "$FAILED_CALL" alice paste
  qemu "reset 0"
  expect_reply "the viewer is told when serials begin again" register alice event
  expect_reply "the viewer copies" ok alice "copy 0 after"
  expect_paste "copy after a reset" after
  expect_reply "vail-qemu has asked for that text" request alice event
  qemu "clipboard 0"
  read -ra did <<<"$REPLY"
  qemu "reset 0"
  expect_reply "the viewer is told of the guest's next agent" register alice event
  expect "the next agent hears of the text that was copied before" eventually_unless_gone "$AGENT" \
    client_did $((did[0] + 1)) "${did[1]}"
  expect_paste "the text is the same" after
  expect_reply "the viewer releases" ok alice drop
  expect_paste "after a release" nothing
}

check_texts() {
  local serial=10 text

  qemu "clipboard 0"
  local before=$REPLY
  # Overlong, cut, a surrogate, beyond Unicode, NUL, and nothing.
  for text in hex=c0af hex=61c3 hex=eda080 hex=f4908080 hex=610062 hex=ff hex= big=65000 big=5000000; do
    serial=$((serial + 1))
    expect_reply "the viewer says that it has $text" ok alice "copy $serial $text"
    is_asked alice
    expect_paste "an invalid text" nothing
  done
  expect_reply "the channel lives on" "a guest" alice "get /org/qemu/Display1/VM $PREFIX.VM Name"
  expect "QEMU has not heard of them" client_did ${before}
  expect_reply "the viewer copies a long text" ok alice "copy 30 big=64000"
  expect_paste "a long text" "64000 bytes"
  qemu "copy 0 64000"
  session_ask alice events
  expect_reply "a long text of the guest arrives" "64000 bytes" alice paste
  qemu "copy 0 70000"
  expect_reply "a text of the guest that is too long is refused" "$FAILED_CALL" alice paste
  session_ask alice events
}

# Bob gets the clipboard with his first key, and alice gets it back with hers.
check_two_viewers() {
  viewer bob vail-bob $((VIEW | INPUT | CLIP))
  qemu "copy 0 for-alice"
  expect_reply "alice hears of the guest's text" "grab 33" alice event
  expect_reply "bob registers" ok bob clipboard
  expect_reply "bob hears nothing of it" none bob events
  expect_reply "bob cannot request it" "$FAILED_CALL" bob paste
  expect_reply "bob copies" ok bob "copy 0 of-bob"
  expect_reply "bob is asked for his text at once" request bob event
  expect_paste "bob has had no input" nothing
  press bob
  expect_reply "alice loses the guest's text" release alice event
  expect_reply "bob hears of it" "grab 1" bob event
  expect_reply "alice cannot request it any more" "$FAILED_CALL" alice paste
  expect_reply "bob can" for-alice bob paste
  expect_reply "bob copies again" ok bob "copy 1 of-bob"
  expect_paste "bob's text" of-bob
  expect_reply "alice copies" ok alice "copy 40 of-alice"
  expect_paste "alice has had no input since" of-bob
  press alice
  expect_paste "alice has had input" of-alice
  press bob
  expect_paste "bob has had input" of-bob
  session_kill bob
  expect_paste "bob has gone" of-alice
  expect_reply "alice has heard nothing of bob" "request" alice events
}

check_silent_viewer() {
  viewer bob vail-bob $((VIEW | INPUT | CLIP))
  expect_reply "bob registers" ok bob clipboard
  press bob
  expect_paste "bob has no text" nothing
  expect_reply "bob says that he has one, and keeps silent" ok bob "copy 0 hang"
  expect_reply "he was asked" request bob event
  qemu "paste 0"
  expect_equal "the guest does not wait for him" nothing "$REPLY"
  press alice
  expect_paste "alice has the clipboard while bob is asked" of-alice
  press bob
  kill -STOP "${SESSION_PID[bob]}"
  qemu "copy 0 other"
  expect_paste "the guest has its own text" nothing
  press alice
  expect_reply "alice hears of it although bob reads nothing" "grab 41" alice event
  expect_reply "alice pastes although bob reads nothing" other alice paste
  kill -CONT "${SESSION_PID[bob]}"
  session_kill bob
}

check_last_viewer() {
  expect_reply "alice copies" ok alice "copy 50 secret"
  expect_paste "alice's text" secret
  session_kill alice
  expect_paste "without viewers, the guest has no text" nothing
}

# QEMU keeps vail-qemu as its peer after its end, and the next one takes its place.
check_restart() {
  kill_and_wait "$AGENT"
  start_agent
  expect "vail-qemu serves the display again" eventually display_opens
  viewer alice vail-alice $((VIEW | INPUT | CLIP))
  expect_reply "a viewer registers again" ok alice clipboard
  expect_reply "it copies" ok alice "copy 0 again"
  expect_paste "after a restart of vail-qemu" again
  expect_reply "it is asked" request alice event
  expect_reply "it unregisters" ok alice "call $CLIPBOARD $PREFIX.Clipboard Unregister"
  expect_paste "after Unregister" nothing
  session_kill alice
}

mkdir -m 777 "$PRIVATE/guest"
cp "$ROOT/build/sanitized/vail-qemu" "$ROOT/tests/system/helpers/gdbus-viewer" "$PRIVATE/"
chmod 755 "$PRIVATE/gdbus-viewer"
start_daemon
start_vm
check_rights
check_copy_and_paste
check_texts
check_two_viewers
check_silent_viewer
check_last_viewer
check_restart
session_kill qemu
wait "$AGENT" || true
expect "vail-qemu has no memory errors" [ "$(grep -c Sanitizer "$PRIVATE/agent.log" || true)" = 0 ]
expect_clean_stop
finish
