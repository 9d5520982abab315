#!/bin/bash
# SPDX-License-Identifier: MIT
#
# vail-qemu before a QEMU that does what it is told (tools/fake-qemu.c): QEMU 10's display with its
# memory, several consoles, cursors, changes of mode, and what no QEMU should say.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=ffffffff-ffff-4fff-8fff-ffffffffffff
QMP=$PRIVATE/qmp

start_qemu() {
  session_open_with qemu root "${MAKE[@]}" "$HELPERS/fake-qemu" "$QMP" "a guest" "$GUID" Graphic Text Graphic
  eventually test -S "$QMP" || not_ok "$NAME: fake-qemu starts" "there is no monitor"
}

start_agent() {
  "$ROOT/build/sanitized/vail-qemu" --qmp "$QMP" --socket "$SOCKET" --user vail-alice \
    2>"$PRIVATE/agent.log" &
  AGENT=$!
}

# qemu LINE: what fake-qemu is told; what it answers is in REPLY.
qemu() {
  session_ask qemu "$1"
  [[ $REPLY = ok* ]] || not_ok "fake-qemu: $1" "it said '$REPLY'"
}

objects() { "${CTL[@]}" --json objects | jq -r ".sharedObjects[] | $1"; }
of() { objects "select(.object.name == \"$1\") | $2"; }
names() { objects .object.name | sort | paste -sd,; }
names_are() { [ "$(names)" = "$1" ]; }

# What stands in the list of objects about one of them.
description() {
  of "$1" '"\(.object.width)x\(.object.height) \(.object.format) \(.object.planes[0].stride) \(.memory.kind)"'
}

# expect_shared CHECK NAME DESCRIPTION INODE: as who opens it finds it.
expect_shared() {
  expect_equal "$1" "$3" "$(description "$2")"
  session_ask viewer "open $(of "$2" .handle)"
  expect_equal "$1: the memory itself, to be read" "STATUS_SUCCESS $4:read" "$REPLY"
  session_ask viewer close
}

# The events of that kind since forget_events, one a line, sorted: of what, and where.
events() {
  tail -n "+$FIRST_EVENT" "$PRIVATE/events" |
    jq -r --arg kind "$1" 'select(.kind == $kind) | .sharedObject.object.name +
      ([.damage // [] | .[] | " \(.x),\(.y),\(.width),\(.height)"] | join(""))' | sort
}
events_are() { [ "$(events "$1" | paste -sd';')" = "$2" ]; }
forget_events() { FIRST_EVENT=$(($(wc -l <"$PRIVATE/events") + 1)); }

# updated CHECK EVENTS LINE: what watchers hear of what fake-qemu is told, and that it is all.
updated() {
  forget_events
  qemu "$3"
  qemu "update 2 0 0 1 1" # comes behind it
  expect "$1" eventually events_are updated "${2:+$2;}console 2 0,0,1,1"
}

# How often vaild was told of changes.
updates() {
  "${CTL[@]}" metrics |
    sed -n 's/^vaild_requests_total{method="io.vaild.UpdateObject",status="STATUS_SUCCESS"} //p'
}

# The agent's descriptors of what somebody else has made.
foreign_descriptors() {
  readlink "/proc/$AGENT/fd/"* | grep -c '^/memfd:virtio-gpu res' || true
}

watch_objects() {
  : >"$PRIVATE/events"
  "${CTL[@]}" watch --json >"$PRIVATE/events" 2>/dev/null &
  eventually grep -q current "$PRIVATE/events"
  forget_events
}

shows_two_screens() {
  local first second
  start_qemu
  start_agent
  qemu "listen 0 1"
  qemu "listen 2 1"
  expect "nothing is shared before QEMU shows something" names_are ""
  watch_objects
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  eventually grep -q virtualGpuAssigned "$PRIVATE/events"
  session_ask viewer register
  qemu "map 0 64 48"
  first=${REPLY#ok }
  qemu "map 2 320 200"
  second=${REPLY#ok }
  expect "each graphic console is an object, a text console is none" \
    eventually names_are "console 0,console 2"
  expect_shared "the first screen" "console 0" "64x48 XR24 256 memfd" "$first"
  expect_shared "the other screen" "console 2" "320x200 XR24 1280 memfd" "$second"
  expect_equal "both were new to who watches" "console 0;console 2" "$(events shared | paste -sd';')"
}

tells_updates() {
  local before
  updated "what is drawn is told" "console 0 8,4,16,2" "update 0 8 4 16 2"
  updated "what reaches beyond the screen is cut" "console 0 60,40,4,8" "update 0 60 40 100 100"
  updated "and to the left of it" "console 0 0,0,2,1" "update 0 -2 -3 4 4"
  updated "a rectangle without width is none" "" "update 0 1 1 0 5"
  updated "nor is one of negative size" "" "update 0 1 1 5 -5"
  updated "nor one beside the screen" "" "update 0 64 0 1 1"
  updated "numbers at their ends overflow nothing" "console 0 0,0,64,48" \
    "update 0 -1 -1 2147483647 2147483647"
  updated "nor below" "" "update 0 -2147483648 -2147483648 -2147483648 -2147483648"

  before=$(updates)
  forget_events
  kill -STOP "$AGENT"
  for i in 1 2 3; do qemu "later update 0 $i $i $i 1"; done
  kill -CONT "$AGENT"
  qemu "wait 0"
  expect "what was drawn in one turn is one event" eventually \
    events_are updated "console 0 1,1,1,1 2,2,2,1 3,3,3,1"
  expect_equal "and one request" $((before + 1)) "$(updates)"
  forget_events
  kill -STOP "$AGENT"
  for i in {1..20}; do qemu "later update 0 $i $i 1 1"; done
  kill -CONT "$AGENT"
  qemu "wait 0"
  expect "however many rectangles" eventually events_are updated \
    "console 0 1,1,17,17 18,18,1,1 19,19,1,1 20,20,1,1"
  expect_equal "still one request" $((before + 2)) "$(updates)"
}

# vaild takes nothing, until so much waits that nothing more is sent: nothing of it is lost.
waits_for_vaild() {
  local far_apart="1 1 12 12 14 1 12 12 27 1 12 12 40 1 12 12 1 14 12 12 14 14 12 12 27 14 12 12"
  kill -STOP "$DAEMON"
  qemu "play 0 800 1200 $far_apart"
  qemu "update 0 50 40 3 3"
  kill -CONT "$DAEMON"
  expect "what could not be told is told later" eventually heard_of "console 0 .*50,40,3,3"
}

heard_of() { events updated | grep -q "$1"; }

changes_mode() {
  local handle inode
  handle=$(of "console 0" .handle)
  forget_events
  qemu "map 0 80 60"
  inode=${REPLY#ok }
  expect "a change of mode ends the old object" eventually events_are unshared "console 0"
  expect "and begins a new one" eventually events_are shared "console 0"
  expect_shared "the new mode" "console 0" "80x60 XR24 320 memfd" "$inode"
  session_ask viewer "open $handle"
  expect_equal "nobody opens the old one" "STATUS_INVALID_HANDLE" "$REPLY"
  updated "the new one is what is drawn to" "console 0 70,50,10,10" "update 0 70 50 10 10"
}

agent_descriptors() { find "/proc/$AGENT/fd" -mindepth 1 2>/dev/null | wc -l; }
agent_has_descriptors() { [ "$(agent_descriptors)" -eq "$1" ]; }

changes_mode_often() {
  local before before_daemon
  before=$(agent_descriptors)
  before_daemon=$(descriptors)
  for ((i = 0; i < 1000; i++)); do
    qemu "map 0 $((i % 64 + 16)) 16"
  done
  expect "after 1000 changes of mode the agent has as many descriptors" eventually \
    agent_has_descriptors "$before"
  expect_equal "of memory one for each screen" 2 "$(foreign_descriptors)"
  expect "and vaild as many as it had" eventually descriptors_are "$before_daemon"
  expect_equal "the last mode is shared" "55x16 XR24 220 memfd" "$(description "console 0")"
}

hides_a_screen() {
  qemu "call 0 Disable"
  expect "what is disabled is not shared" eventually names_are "console 2"
  expect_equal "nor kept" 1 "$(foreign_descriptors)"
  qemu "call 0 Disable"
  updated "nor updated" "" "call 0 UpdateMap iiii 0 0 1 1"
  qemu "map 0 64 48"
  expect "until it is shown again" eventually names_are "console 0,console 2"
}

# The five numbers behind the cursor's image, of 8 by 4 pixels: the memory is the agent's own.
cursor_place() {
  local descriptor
  for descriptor in "/proc/$AGENT/fd/"*; do
    [[ $(readlink "$descriptor") != "/memfd:console 0 cursor"* ]] ||
      od -An -td4 -j 128 -N 20 "$descriptor" | tr -s ' \n' ' '
  done
}
cursor_place_is() { [ "$(cursor_place)" = "$1" ]; }

follows_the_cursor() {
  qemu "call 0 MouseSet iii 5 6 1"
  qemu "call 0 CursorDefine iiiiay 8 4 3 2 128"
  expect "a cursor is an object" eventually names_are "console 0,console 0 cursor,console 2"
  expect_equal "of its own" "8x4 AR24 32 memfd" "$(description "console 0 cursor")"
  expect_equal "behind it stands where it is" " 5 6 1 3 2 " "$(cursor_place)"
  updated "when it moves its image is told as changed" "console 0 cursor 0,0,8,4" \
    "call 0 MouseSet iii -7 300 0"
  expect_equal "and the place is another" " -7 300 0 3 2 " "$(cursor_place)"
  updated "another image of that size stays in the same object" "console 0 cursor 0,0,8,4" \
    "call 0 CursorDefine iiiiay 8 4 1 1 128"
  expect_equal "with its own hot spot" " -7 300 0 1 1 " "$(cursor_place)"
  forget_events
  qemu "call 0 CursorDefine iiiiay 4 4 0 0 64"
  expect "one of another size is another object" eventually events_are shared "console 0 cursor"
  qemu "call 0 CursorDefine iiiiay 4 4 0 0 63"
  qemu "call 0 CursorDefine iiiiay 0 4 0 0 0"
  qemu "call 0 CursorDefine iiiiay -4 -4 0 0 64"
  qemu "call 0 CursorDefine iiiiay 32768 32768 0 0 64"
  expect_equal "what is no image changes nothing" "4x4 AR24 16 memfd" "$(description "console 0 cursor")"
}

# not_shared CHECK LINE: what cannot be shared ends what was, and nothing else.
not_shared() {
  qemu "map 0 64 48"
  eventually names_are "console 0,console 0 cursor,console 2" || not_ok "$1" "nothing was shared before"
  qemu "$2"
  expect "$1" eventually names_are "console 0 cursor,console 2"
}

hears_nonsense() {
  local xrgb=0x20020888 big=4294967295
  not_shared "a format that has no name" "call 0 ScanoutMap huuuuu memory=16384 0 64 64 256 0x12345678"
  not_shared "no format" "call 0 ScanoutMap huuuuu memory=16384 0 64 64 256 0"
  not_shared "memory that is too small" "call 0 ScanoutMap huuuuu memory=4096 0 64 64 256 $xrgb"
  not_shared "an offset beyond it" "call 0 ScanoutMap huuuuu memory=16384 4 64 64 256 $xrgb"
  not_shared "an offset beyond everything" "call 0 ScanoutMap huuuuu memory=16384 $big 64 64 256 $xrgb"
  not_shared "a stride that it does not have" "call 0 ScanoutMap huuuuu memory=16384 0 64 64 $big $xrgb"
  not_shared "no width" "call 0 ScanoutMap huuuuu memory=16384 0 0 64 256 $xrgb"
  not_shared "no height" "call 0 ScanoutMap huuuuu memory=16384 0 64 0 256 $xrgb"
  not_shared "all of it at its ends" "call 0 ScanoutMap huuuuu memory=16384 $big $big $big $big $xrgb"
  not_shared "no memory at all" "call 0 ScanoutMap huuuuu memory=0 0 64 64 256 $xrgb"
  not_shared "a pipe" "call 0 ScanoutMap huuuuu pipe 0 64 64 256 $xrgb"
  not_shared "a pipe for a dma-buf" "call 0 ScanoutDMABUF huuuutb pipe 64 64 256 0x34325258 0 1"
  not_shared "a format that is no fourcc" "call 0 ScanoutDMABUF huuuutb memory=16384 64 64 256 1 0 1"
  updated "nor is it updated" "" "call 0 UpdateMap iiii 0 0 1 1"
  expect_equal "what was refused is said, once each time" 2 \
    "$(grep -c 'console 0 cannot be shared: .*STATUS_OBJECT_TYPE_MISMATCH' "$PRIVATE/agent.log")"
  expect_reply "a call with too little in it is refused" "error 1" qemu "call 0 UpdateMap ii 1 2"
  expect_reply "one with too much" "error 1" qemu "call 0 Disable i 1"
  expect_reply "one of another kind" "error 1" qemu "call 0 ScanoutMap uuuuuu 3 0 64 64 256 $xrgb"
  expect_reply "one that is none" "error 1" qemu "call 0 Nothing"
  qemu "map 0 64 48"
  expect "none of it keeps it from going on" eventually names_are "console 0,console 0 cursor,console 2"
  expect_equal "nor leaves anything behind" 2 "$(foreign_descriptors)"
}

takes_dma_bufs() {
  local shown="64x64 XR24 256"
  qemu "call 0 ScanoutDMABUF huuuutb memory=16384 64 64 256 0x34325258 0 1"
  expect_equal "memory that comes as if it were a dma-buf" "$shown memfd" "$(description "console 0")"
  updated "is updated as one" "console 0 1,2,3,4" "call 0 UpdateDMABUF iiii 1 2 3 4"
  if "$HELPERS/make-fd" udmabuf true 2>/dev/null; then
    qemu "call 0 ScanoutDMABUF huuuutb 3 64 64 256 0x34325258 0 1"
    expect_equal "a dma-buf" "$shown dmabuf" "$(description "console 0")"
    updated "is updated, too" "console 0 1,2,3,4" "call 0 UpdateDMABUF iiii 1 2 3 4"
  else
    skip "a dma-buf" "this machine has no /dev/udmabuf"
  fi
}

copies_bytes() {
  local xrgb=0x20020888
  qemu "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  expect_equal "a screen that comes as bytes" "16x8 XR24 64 memfd" "$(description "console 0")"
  expect_equal "is sealed" true "$(of "console 0" .memory.sizeSealed)"
  updated "a part of it" "console 0 4,2,8,2" "call 0 Update iiiiuuay 4 2 8 2 32 $xrgb 64"
  updated "a part that lacks bytes" "" "call 0 Update iiiiuuay 4 2 8 2 32 $xrgb 63"
  updated "a part of negative size" "" "call 0 Update iiiiuuay 4 2 -8 -2 32 $xrgb 64"
  updated "all of it anew" "console 0 0,0,16,8" "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  updated "too few bytes for it" "" "call 0 Scanout uuuuay 16 8 64 $xrgb 511"
  updated "more than there can be" "" "call 0 Scanout uuuuay 4294967295 4294967295 64 $xrgb 512"
  qemu "call 0 Scanout uuuuay 16 8 64 0 512"
  expect "a format without bits is not shown" eventually names_are "console 0 cursor,console 2"
  qemu "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  qemu "call 0 Update iiiiuuay 12 2 8 2 32 $xrgb 64"
  listened=$((listened + 1))
  expect_reply "a part that reaches beyond the screen has it asked anew" ok qemu "listen 0 $listened"
  qemu "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  qemu "resize 0 32 8"
  listened=$((listened + 1))
  expect_reply "as has a size that no bytes came with" ok qemu "listen 0 $listened"
}

listens_again() {
  local inode
  qemu "map 0 64 48"
  inode=${REPLY#ok }
  qemu "close 0"
  listened=$((listened + 1))
  expect_reply "a listener that is let go is offered again" ok qemu "listen 0 $listened"
  expect_shared "and is shown the same" "console 0" "64x48 XR24 256 memfd" "$inode"
  qemu "refuse 0 3"
  qemu "close 0"
  listened=$((listened + 1))
  expect_reply "and again where it is refused" ok qemu "listen 0 $listened"
  qemu "break 0"
  listened=$((listened + 1))
  expect_reply "one that hears no D-Bus is another" ok qemu "listen 0 $listened"
  updated "and is told what is drawn" "console 0 1,1,1,1" "update 0 1 1 1 1"
  expect_equal "of memory there is still one for each screen" 2 "$(foreign_descriptors)"
}

# QEMU has ten seconds for its answer. Nothing else happens meanwhile that the agent could hear of.
offers_again_what_is_not_answered() {
  qemu "ignore 0 1"
  qemu "close 0"
  listened=$((listened + 1))
  qemu "listen 0 $listened"
  updated "an offer without an answer is made again" "console 0 2,2,1,1" "update 0 2 2 1 1"
}

# The sanitizers have nothing to say of the agent either.
ends_with_qemu() {
  local status=0
  session_kill qemu
  wait "$AGENT" || status=$?
  expect_equal "the agent ends with QEMU" 0 "$status"
  expect_match "and says nothing but that" 'QEMU has ended$' "$(cat "$PRIVATE/agent.log")"
  [ "$status" -eq 0 ] || sed 's/^/# agent: /' "$PRIVATE/agent.log"
}

# Both consoles' first listeners.
listened=1
MAKE=()
"$HELPERS/make-fd" udmabuf true 2>/dev/null && MAKE=("$HELPERS/make-fd" udmabuf)
start_daemon
shows_two_screens
tells_updates
waits_for_vaild
changes_mode
changes_mode_often
hides_a_screen
follows_the_cursor
hears_nonsense
takes_dma_bufs
copies_bytes
listens_again
offers_again_what_is_not_answered
ends_with_qemu
expect_clean_stop
finish
