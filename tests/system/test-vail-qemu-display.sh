#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vail-qemu with the helper fake-qemu, which behaves like the display of QEMU 10: shared
# screen memory, several consoles, cursors, mode changes, and invalid messages.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/fake-qemu.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/fake-qemu.sh"

GUID=ffffffff-ffff-4fff-8fff-ffffffffffff
QMP=$PRIVATE/qmp

start_qemu() {
  session_open_with qemu root "${MAKE[@]}" "$HELPERS/fake-qemu" "$QMP" "a guest" "$GUID" Graphic Text Graphic
  eventually test -S "$QMP" || not_ok "$NAME: fake-qemu starts" "there is no monitor"
}

start_agent() {
  : >"$PRIVATE/agent.log"
  "$ROOT/build/sanitized/vail-qemu" --qmp "$QMP" --socket "$SOCKET" --user vail-alice \
    2>"$PRIVATE/agent.log" &
  AGENT=$!
}

# object_field NAME FIELD: prints a field of the shared object of this name.
object_field() {
  "${CTL[@]}" --json objects | jq -r ".sharedObjects[] | select(.object.name == \"$1\") | $2"
}

# object_names_are NAMES: tests whether objects of exactly these names are shared, separated by commas.
object_names_are() {
  local names
  names=$("${CTL[@]}" --json objects | jq -r '.sharedObjects[].object.name' | sort -u | paste -sd,)
  [ "$names" = "$1" ]
}

# description NAME: prints the size, format, stride and kind of memory of the shared object.
description() {
  object_field "$1" '"\(.object.width)x\(.object.height) \(.object.format) \(.object.planes[0].stride) \(.memory.kind)"'
}

# expect_shared CHECK NAME DESCRIPTION INODE: expects the object to be listed like this. The viewer
# must get the memory of this inode when it opens the object.
expect_shared() {
  expect_equal "$1 is listed as shared" "$3" "$(description "$2")"
  session_ask viewer "open $(object_field "$2" .handle)"
  expect_equal "$1 is shared as QEMU's own memory, read-only" "STATUS_SUCCESS $4:read" "$REPLY"
  session_ask viewer close
}

# events KIND: prints the events of this kind since forget_events, sorted and one a line. Each line
# has the name of the object and the damaged rectangles.
events() {
  tail -n "+$FIRST_EVENT" "$PRIVATE/events" |
    jq -r --arg kind "$1" 'select(.kind == $kind) | .sharedObject.object.name +
      ([.damage // [] | .[] | " \(.x),\(.y),\(.width),\(.height)"] | join(""))' | sort
}
events_are() { [ "$(events "$1" | paste -sd';')" = "$2" ]; }
forget_events() { FIRST_EVENT=$(($(wc -l <"$PRIVATE/events") + 1)); }

# expect_updates CHECK EVENTS COMMAND: expects the command of fake-qemu to cause exactly these
# updates.
expect_updates() {
  forget_events
  qemu "$3"
  qemu "update 2 0 0 1 1" # marks the end of the updates
  expect "$1" eventually events_are updated "${2:+$2;}console 2 0,0,1,1"
}

# Prints how many calls of UpdateObject have succeeded.
update_calls() {
  "${CTL[@]}" metrics |
    sed -n 's/^vaild_requests_total{method="io.vaild.UpdateObject",status="STATUS_SUCCESS"} //p'
}

# Prints how many fds of the agent refer to screen memory of fake-qemu.
screen_fds() {
  readlink "/proc/$AGENT/fd/"* | grep -c '^/memfd:virtio-gpu res' || true
}

watch_objects() {
  : >"$PRIVATE/events"
  "${CTL[@]}" watch --json >"$PRIVATE/events" 2>/dev/null &
  eventually grep -q current "$PRIVATE/events"
  forget_events
}

check_two_screens() {
  local first second
  start_qemu
  start_agent
  qemu "listen 0 1"
  qemu "listen 2 1"
  expect "nothing is shared before QEMU shows a screen" object_names_are ""
  watch_objects
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  eventually grep -q virtualGpuAssigned "$PRIVATE/events"
  session_ask viewer register
  qemu "map 0 64 48"
  first=${REPLY#ok }
  qemu "map 2 320 200"
  second=${REPLY#ok }
  expect "each graphic console is shared as an object, but the text console is not" \
    eventually object_names_are "console 0,console 2"
  expect_shared "the first screen" "console 0" "64x48 XR24 256 memfd" "$first"
  expect_shared "the other screen" "console 2" "320x200 XR24 1280 memfd" "$second"
  expect_equal "a watcher is notified of both objects" "console 0;console 2" \
    "$(events shared | paste -sd';')"
}

check_updates() {
  local before
  expect_updates "a drawn rectangle is reported" "console 0 8,4,16,2" "update 0 8 4 16 2"
  expect_updates "a rectangle is clipped at the right and bottom edge" \
    "console 0 60,40,4,8" "update 0 60 40 100 100"
  expect_updates "a rectangle is clipped at the left and top edge" \
    "console 0 0,0,2,1" "update 0 -2 -3 4 4"
  expect_updates "a rectangle of width 0 is ignored" "" "update 0 1 1 0 5"
  expect_updates "a rectangle of negative height is ignored" "" "update 0 1 1 5 -5"
  expect_updates "a rectangle outside the screen is ignored" "" "update 0 64 0 1 1"
  expect_updates "a rectangle with the largest sizes is clipped to the screen" \
    "console 0 0,0,64,48" "update 0 -1 -1 2147483647 2147483647"
  expect_updates "a rectangle with the smallest numbers is ignored" \
    "" "update 0 -2147483648 -2147483648 -2147483648 -2147483648"

  before=$(update_calls)
  forget_events
  kill -STOP "$AGENT"
  for i in 1 2 3; do qemu "later update 0 $i $i $i 1"; done
  kill -CONT "$AGENT"
  qemu "wait 0"
  expect "rectangles that are drawn together are reported in one event" eventually \
    events_are updated "console 0 1,1,1,1 2,2,2,1 3,3,3,1"
  expect_equal "rectangles that are drawn together need one call of UpdateObject" \
    $((before + 1)) "$(update_calls)"
  forget_events
  kill -STOP "$AGENT"
  for i in {1..20}; do qemu "later update 0 $i $i 1 1"; done
  kill -CONT "$AGENT"
  qemu "wait 0"
  expect "many rectangles that are drawn together are merged and reported in one event" \
    eventually events_are updated "console 0 1,1,17,17 18,18,1,1 19,19,1,1 20,20,1,1"
  expect_equal "many rectangles that are drawn together need one call of UpdateObject" \
    $((before + 2)) "$(update_calls)"
}

# An idle firmware redraws its whole screen, and then the cell of its cursor.
check_idle_redraws() {
  local i
  forget_events
  for ((i = 0; i < 33; i++)); do qemu "call 0 UpdateMap iiii 0 0 64 48"; done
  expect_updates "33 redraws that change nothing are not reported" "" "call 0 UpdateMap iiii 0 0 64 48"
  qemu "draw 0 16 16 8 2"
  expect_updates "a blinking cursor is reported as its cell only" \
    "console 0 16,16,8,2" "call 0 UpdateMap iiii 0 0 64 48"
}

# current_pixel: prints the first byte of the picture that vail-view shows. A BMP file has 122 bytes
# of header. The top row comes first.
current_pixel() {
  run_as vail-alice "$ROOT/build/sanitized/vail-view" "$GUID" --timeout 60 --socket "$SOCKET" --raw --frames 1 \
    --name "console 0" 2>>"$PRIVATE/view.log" | od -An -tu1 -j 122 -N 1 | tr -d ' '
}

show_kept() { qemu "call 0 ScanoutDMABUF huuuutb kept=$1 64 64 256 0x34324241 0 ${2:-0}"; }

# Flips between the memfds 1 and 2, whose pixels are 1 and 2.
check_flips() {
  local first second i
  show_kept 1
  first=$(object_field "console 0" .handle)
  forget_events
  for ((i = 0; i < 10; i++)); do show_kept $((i % 2 + 1)); done
  expect "a flip between two buffers shares the second one" eventually events_are shared "console 0"
  second=$(object_field "console 0" .handle | grep -v "$first")
  expect_equal "ten flips unshare nothing" "" "$(events unshared)"
  expect_equal "both buffers stay shared under their handles" "$(printf '%s\n' "$first" "$second" | sort)" \
    "$(object_field "console 0" .handle | sort)"
  expect_equal "a viewer shows the buffer that was shown last" 2 "$(current_pixel)"
  expect_updates "a flip back is an update of all of the buffer" "console 0 0,0,64,64" \
    "call 0 ScanoutDMABUF huuuutb kept=1 64 64 256 0x34324241 0 0"
  expect_equal "a viewer that starts after a flip back shows that buffer" 1 "$(current_pixel)"
  expect_equal "a screen is shared in the opaque form of its format" "XB24" \
    "$(object_field "console 0" .object.format | sort -u)"
  check_view_of_flips
  show_kept 1
  show_kept 2
  qemu "call 0 Disable"
  expect_equal "a screen stays when QEMU releases the buffer before it" 2 "$(current_pixel)"
  qemu "map 0 64 48"
  expect "buffers of the former mode are unshared" eventually object_names_are "console 0,console 2"
}

# A viewer that shows both buffers in turn keeps them open, or each frame would be two audit records.
check_view_of_flips() {
  local i=0 pid before

  before=$(opened_by_viewers)
  run_as vail-alice "$ROOT/build/sanitized/vail-view" "$GUID" --timeout 60 --socket "$SOCKET" --raw --frames 12 \
    --name "console 0" 2>>"$PRIVATE/view.log" >"$PRIVATE/flips" &
  pid=$!
  until is_gone_or_zombie "$pid"; do
    show_kept $((++i % 2 + 1))
  done
  expect "a viewer shows twelve frames while the guest flips" wait "$pid"
  expect_equal "it opens each buffer once" 2 "$(($(opened_by_viewers) - before))"
}
opened_by_viewers() { grep -c 'allowed io.vaild.OpenSharedObject .*exe=[^ ]*/vail-view ' "$LOG" || true; }

# The memory has a bottom row of other pixels, which comes first.
check_rows_from_the_bottom() {
  show_kept 0 1
  expect_equal "the order of the rows is shared" bottom "$(object_field "console 0" .object.firstRow)"
  qemu "fill 0 9"
  expect_updates "damage of such a screen is in pixels of the picture" "console 0 1,2,3,4" \
    "call 0 UpdateDMABUF iiii 1 2 3 4"
  show_kept 0 0
  expect_equal "the other order is another object" null "$(object_field "console 0" .object.firstRow)"
  qemu "map 0 64 48"
  eventually object_names_are "console 0,console 2"
}

# Draws until the socket's buffer is full, because vaild is stopped.
check_stopped_daemon() {
  local far_apart="1 1 12 12 14 1 12 12 27 1 12 12 40 1 12 12 1 14 12 12 14 14 12 12 27 14 12 12"
  kill -STOP "$DAEMON"
  qemu "play 0 800 1200 $far_apart"
  qemu "update 0 50 40 3 3"
  kill -CONT "$DAEMON"
  expect "updates during a stop of vaild are reported later" eventually \
    has_update "console 0 .*50,40,3,3"
}

# has_update PATTERN: tests whether an update event since forget_events matches.
has_update() { events updated | grep -q "$1"; }

check_mode_change() {
  local handle inode
  handle=$(object_field "console 0" .handle)
  forget_events
  qemu "map 0 80 60"
  inode=${REPLY#ok }
  expect "a mode change unshares the old object" eventually events_are unshared "console 0"
  expect "a mode change shares a new object" eventually events_are shared "console 0"
  expect_shared "the screen in its new mode" "console 0" "80x60 XR24 320 memfd" "$inode"
  session_ask viewer "open $handle"
  expect_equal "the old object cannot be opened any more" "STATUS_INVALID_HANDLE" "$REPLY"
  expect_updates "drawing is reported for the new object" \
    "console 0 70,50,10,10" "update 0 70 50 10 10"
}

agent_fds() { find "/proc/$AGENT/fd" -mindepth 1 2>/dev/null | wc -l; }
agent_has_fds() { [ "$(agent_fds)" -eq "$1" ]; }

check_many_mode_changes() {
  local before before_daemon
  before=$(agent_fds)
  before_daemon=$(descriptors)
  for ((i = 0; i < 1000; i++)); do
    qemu "map 0 $((i % 64 + 16)) 16"
  done
  expect "1000 mode changes leave the agent with as many fds as before" eventually \
    agent_has_fds "$before"
  expect_equal "1000 mode changes leave the agent with one fd of memory for each screen" \
    2 "$(screen_fds)"
  expect "1000 mode changes leave vaild with as many fds as before" \
    eventually open_fds_are "$before_daemon"
  expect_equal "the last of 1000 modes is shared" \
    "55x16 XR24 220 memfd" "$(description "console 0")"
}

check_disabled_screen() {
  qemu "call 0 Disable"
  expect "a disabled screen is not shared" eventually object_names_are "console 2"
  expect_equal "the memory of a disabled screen is closed" 1 "$(screen_fds)"
  qemu "call 0 Disable"
  expect_updates "updates of a disabled screen are not reported" "" "call 0 UpdateMap iiii 0 0 1 1"
  qemu "map 0 64 48"
  expect "a disabled screen is shared again when QEMU shows it" \
    eventually object_names_are "console 0,console 2"
}

# Prints the five numbers behind the cursor's image of 8 by 4 pixels: X, Y, visibility and hot spot.
# They are in memory of the agent.
cursor_position() {
  local fd
  for fd in "/proc/$AGENT/fd/"*; do
    [[ $(readlink "$fd") != "/memfd:console 0 cursor"* ]] ||
      od -An -td4 -j 128 -N 20 "$fd" | tr -s ' \n' ' '
  done
}

check_cursor() {
  qemu "call 0 MouseSet iii 5 6 1"
  qemu "call 0 CursorDefine iiiiay 8 4 3 2 128"
  expect "a defined cursor is shared as an object" \
    eventually object_names_are "console 0,console 0 cursor,console 2"
  expect_equal "the cursor's object has the size of its image" \
    "8x4 AR24 32 memfd" "$(description "console 0 cursor")"
  expect_equal "the cursor's memory has its position, visibility and hot spot" \
    " 5 6 1 3 2 " "$(cursor_position)"
  expect_updates "a move of the cursor is reported as an update of its whole image" \
    "console 0 cursor 0,0,8,4" "call 0 MouseSet iii -7 300 0"
  expect_equal "the cursor's memory has its new position" " -7 300 0 3 2 " "$(cursor_position)"
  expect_updates "a cursor image of the same size is an update of the same object" \
    "console 0 cursor 0,0,8,4" "call 0 CursorDefine iiiiay 8 4 1 1 128"
  expect_equal "the cursor's memory has the hot spot of the new image" \
    " -7 300 0 1 1 " "$(cursor_position)"
  forget_events
  qemu "call 0 CursorDefine iiiiay 4 4 0 0 64"
  expect "a cursor image of another size is shared as a new object" \
    eventually events_are shared "console 0 cursor"
  qemu "call 0 CursorDefine iiiiay 4 4 0 0 63"
  qemu "call 0 CursorDefine iiiiay 0 4 0 0 0"
  qemu "call 0 CursorDefine iiiiay -4 -4 0 0 64"
  qemu "call 0 CursorDefine iiiiay 32768 32768 0 0 64"
  expect_equal "invalid cursor images are ignored" \
    "4x4 AR24 16 memfd" "$(description "console 0 cursor")"
}

# expect_not_shared CHECK COMMAND: expects console 0 to be unshared by the command of fake-qemu,
# which shows something that cannot be shared. Other objects must stay.
expect_not_shared() {
  qemu "map 0 64 48"
  eventually object_names_are "console 0,console 0 cursor,console 2" ||
    not_ok "$1" "console 0 is not shared before the command"
  qemu "$2"
  expect "$1" eventually object_names_are "console 0 cursor,console 2"
}

check_invalid_messages() {
  local xrgb=0x20020888 big=4294967295
  expect_not_shared "a format without a DRM name is not shared" \
    "call 0 ScanoutMap huuuuu memory=16384 0 64 64 256 0x12345678"
  expect_not_shared "format 0 is not shared" "call 0 ScanoutMap huuuuu memory=16384 0 64 64 256 0"
  expect_not_shared "memory smaller than the screen is not shared" \
    "call 0 ScanoutMap huuuuu memory=4096 0 64 64 256 $xrgb"
  expect_not_shared "an offset that makes the screen exceed the memory is not shared" \
    "call 0 ScanoutMap huuuuu memory=16384 4 64 64 256 $xrgb"
  expect_not_shared "the largest offset is not shared" \
    "call 0 ScanoutMap huuuuu memory=16384 $big 64 64 256 $xrgb"
  expect_not_shared "a stride that makes the screen exceed the memory is not shared" \
    "call 0 ScanoutMap huuuuu memory=16384 0 64 64 $big $xrgb"
  expect_not_shared "a screen of width 0 is not shared" \
    "call 0 ScanoutMap huuuuu memory=16384 0 0 64 256 $xrgb"
  expect_not_shared "a screen of height 0 is not shared" \
    "call 0 ScanoutMap huuuuu memory=16384 0 64 0 256 $xrgb"
  expect_not_shared "a screen with the largest numbers is not shared" \
    "call 0 ScanoutMap huuuuu memory=16384 $big $big $big $big $xrgb"
  expect_not_shared "empty memory is not shared" \
    "call 0 ScanoutMap huuuuu memory=0 0 64 64 256 $xrgb"
  expect_not_shared "a pipe instead of memory is not shared" \
    "call 0 ScanoutMap huuuuu pipe 0 64 64 256 $xrgb"
  expect_not_shared "a pipe instead of a dma-buf is not shared" \
    "call 0 ScanoutDMABUF huuuutb pipe 64 64 256 0x34325258 0 1"
  expect_not_shared "a dma-buf with an invalid fourcc is not shared" \
    "call 0 ScanoutDMABUF huuuutb memory=16384 64 64 256 1 0 1"
  expect_updates "updates of a screen that is not shared are not reported" \
    "" "call 0 UpdateMap iiii 0 0 1 1"
  expect_equal "each refusal by vaild is logged once" 2 \
    "$(grep -c 'console 0 cannot be shared: .*STATUS_OBJECT_TYPE_MISMATCH' "$PRIVATE/agent.log")"
  expect_reply "a call with too few arguments gets an error" \
    "error 1" qemu "call 0 UpdateMap ii 1 2"
  expect_reply "a call with too many arguments gets an error" "error 1" qemu "call 0 Disable i 1"
  expect_reply "a call with arguments of other types gets an error" \
    "error 1" qemu "call 0 ScanoutMap uuuuuu 3 0 64 64 256 $xrgb"
  expect_reply "a call of an unknown method gets an error" "error 1" qemu "call 0 Nothing"
  qemu "map 0 64 48"
  expect "a valid screen is shared after the invalid messages" \
    eventually object_names_are "console 0,console 0 cursor,console 2"
  expect_equal "the invalid messages leave no fds behind" 2 "$(screen_fds)"
}

check_dma_bufs() {
  local shown="64x64 XR24 256" redraw
  qemu "call 0 ScanoutDMABUF huuuutb memory=16384 64 64 256 0x34325258 0 1"
  expect_equal "a memfd in place of a dma-buf is shared as a memfd" \
    "$shown memfd" "$(description "console 0")"
  expect_updates "a redraw of a memfd in place of a dma-buf that changes nothing is not reported" \
    "" "call 0 UpdateDMABUF iiii 1 2 3 4"
  if "$HELPERS/make-fd" udmabuf true 2>/dev/null; then
    qemu "call 0 ScanoutDMABUF huuuutb 3 64 64 256 0x34325258 0 1"
    # The memfd stays, as a buffer that the guest may flip to.
    expect_equal "a dma-buf is shared as a dma-buf" "$shown dmabuf" \
      "$(description "console 0" | grep -v ' memfd$')"
    # The kernel has no read() for dma-bufs, so that nothing can be compared.
    for redraw in first second third; do
      expect_updates "the $redraw redraw of a dma-buf is reported as it is" \
        "console 0 1,2,3,4" "call 0 UpdateDMABUF iiii 1 2 3 4"
    done
    qemu "call 0 ScanoutDMABUF huuuutb 3 64 64 256 0x34325258 1 1"
    expect_equal "a tiled dma-buf is shared with its modifier" 0x1 "$(object_field "console 0" .object.modifier)"
    for redraw in first second third; do
      expect_updates "the $redraw redraw of a tiled dma-buf is reported as it is" \
        "console 0 5,6,7,8" "call 0 UpdateDMABUF iiii 5 6 7 8"
    done
  else
    skip "a dma-buf is shared as a dma-buf" "this machine has no /dev/udmabuf"
  fi
}

check_copied_screens() {
  local xrgb=0x20020888
  qemu "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  expect_equal "a screen that arrives as bytes is copied into a memfd" \
    "16x8 XR24 64 memfd" "$(description "console 0")"
  expect_equal "the memfd with the copy is sealed" \
    true "$(object_field "console 0" .memory.sizeSealed)"
  expect_updates "bytes of a part of the screen are reported as an update" \
    "console 0 4,2,8,2" "call 0 Update iiiiuuay 4 2 8 2 32 $xrgb 64"
  expect_updates "a part with too few bytes is ignored" \
    "" "call 0 Update iiiiuuay 4 2 8 2 32 $xrgb 63"
  expect_updates "a part of negative size is ignored" \
    "" "call 0 Update iiiiuuay 4 2 -8 -2 32 $xrgb 64"
  expect_updates "the same bytes again are not reported" \
    "" "call 0 Update iiiiuuay 4 2 8 2 32 $xrgb 64"
  expect_updates "bytes of the whole screen in the same size are an update of what differs" \
    "console 0 4,2,8,2" "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  expect_updates "a whole screen with too few bytes is ignored" \
    "" "call 0 Scanout uuuuay 16 8 64 $xrgb 511"
  expect_updates "a whole screen of the largest size is ignored" \
    "" "call 0 Scanout uuuuay 4294967295 4294967295 64 $xrgb 512"
  qemu "call 0 Scanout uuuuay 16 8 64 0 512"
  expect "a screen in format 0 is not shared" \
    eventually object_names_are "console 0 cursor,console 2"
  qemu "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  qemu "call 0 Update iiiiuuay 12 2 8 2 32 $xrgb 64"
  listeners=$((listeners + 1))
  expect_reply "a part beyond the edge of the screen makes the agent register a new listener" \
    ok qemu "listen 0 $listeners"
  qemu "call 0 Scanout uuuuay 16 8 64 $xrgb 512"
  qemu "resize 0 32 8"
  listeners=$((listeners + 1))
  expect_reply "a new size without bytes makes the agent register a new listener" \
    ok qemu "listen 0 $listeners"
}

check_lost_listener() {
  local inode
  qemu "map 0 96 48"
  inode=${REPLY#ok }
  qemu "close 0"
  listeners=$((listeners + 1))
  expect_reply "the agent registers a new listener when QEMU closes the connection" \
    ok qemu "listen 0 $listeners"
  expect_shared "the screen after QEMU has closed the connection" \
    "console 0" "96x48 XR24 384 memfd" "$inode"
  qemu "refuse 0 3"
  qemu "close 0"
  listeners=$((listeners + 1))
  expect_reply "the agent registers again when QEMU refuses the listener" \
    ok qemu "listen 0 $listeners"
  qemu "break 0"
  listeners=$((listeners + 1))
  expect_reply "the agent registers a new listener after an invalid D-Bus message" \
    ok qemu "listen 0 $listeners"
  expect_updates "the new listener reports what is drawn" "console 0 1,1,1,1" "update 0 1 1 1 1"
  expect_equal "lost listeners leave the agent with one fd of memory for each screen" \
    2 "$(screen_fds)"
}

# QEMU has ten seconds to reply. No other event reaches the agent in that time.
check_missing_reply() {
  qemu "ignore 0 1"
  qemu "close 0"
  listeners=$((listeners + 1))
  qemu "listen 0 $listeners"
  expect_updates "the agent registers again when QEMU does not reply" \
    "console 0 2,2,1,1" "update 0 2 2 1 1"
}

# object_count_is NAME COUNT: tests whether as many objects of this name are shared.
object_count_is() { [ "$(object_field "$1" .handle | wc -l)" -eq "$2" ]; }

# Without systemd, vaild forgets the objects. Only the current buffer is shared again.
check_flips_and_a_restart() {
  show_kept 1
  show_kept 2
  show_kept 1
  expect "two buffers are shared before vaild is killed" eventually object_count_is "console 0" 2
  kill_and_wait "$DAEMON"
  start_daemon
  expect "only the current buffer is shared when vaild starts again" \
    eventually object_count_is "console 0" 1
  expect_equal "the picture after the start is that of the current buffer" 1 "$(current_pixel)"
  show_kept 2
  expect_equal "the other buffer is shared when the guest flips to it" 2 "$(current_pixel)"
}

# Two objects per VM, one of which is the cursor, leave no room for a second buffer.
check_flips_at_the_limit() {
  qemu "call 2 Disable"
  qemu "call 0 Disable"
  kill_and_wait "$DAEMON"
  echo '{"limits":{"objectsPerMachine":2}}' >"$CONFIG/vaild.json"
  start_daemon
  show_kept 1
  expect "the first buffer is shared at the limit" eventually object_count_is "console 0" 1
  show_kept 2
  expect_equal "a flip at the limit shares the other buffer instead" "1 2" \
    "$(object_field "console 0" .handle | wc -l) $(current_pixel)"
}

# The sanitizers would print reports to the agent's log as well.
check_end() {
  local status=0
  session_kill qemu
  wait "$AGENT" || status=$?
  expect_equal "the agent exits with status 0 when QEMU ends" 0 "$status"
  expect_match "the agent's last message is that QEMU has ended" \
    'QEMU has ended$' "$(cat "$PRIVATE/agent.log")"
  [ "$status" -eq 0 ] || sed 's/^/# agent: /' "$PRIVATE/agent.log"
}

listeners=1 # registered so far for console 0
MAKE=()
"$HELPERS/make-fd" udmabuf true 2>/dev/null && MAKE=("$HELPERS/make-fd" udmabuf)
start_daemon
check_two_screens
check_updates
check_idle_redraws
check_flips
check_rows_from_the_bottom
check_stopped_daemon
check_mode_change
check_many_mode_changes
check_disabled_screen
check_cursor
check_invalid_messages
check_dma_bufs
check_copied_screens
check_lost_listener
check_missing_reply
check_flips_and_a_restart
check_flips_at_the_limit
check_end
expect_clean_stop
finish
