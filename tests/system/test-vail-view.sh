#!/bin/bash
# SPDX-License-Identifier: MIT
#
# vail-view: what a VM's console shows is what a registered process of another user writes down,
# through changes of mode, hostile sharers, slow readers and restarts of vaild.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=23232323-2323-4323-8323-232323232323
SEED=${SEED:-$RANDOM}
PICTURES=$PRIVATE/pictures
VIEW=("$PRIVATE/build/vail-view" --socket "$SOCKET")

## The console

lines_of() { wc -l <"$1"; }

# console LINE: tells share-console, whose answer is in REPLY.
console() {
  session_ask console "$1"
  [ -n "$REPLY" ] || not_ok "console: $1" "no answer"
}

## The viewer

# view_as USER EXPECTED-EXIT CHECK ARGUMENT...: what it says is in SAID.
view_as() {
  local user=$1 expected=$2 check=$3 status=0
  shift 3
  SAID=$(run_as "$user" "${VIEW[@]}" "$@" 2>&1 </dev/null) || status=$?
  expect_equal "$check" "$expected" "$status"
}

# start_stream NAME ARGUMENT...: a viewer in the background, VIEWER, whose frames are checked by
# CHECKER, a line each in NAME.frames; what it says is in NAME.said.
start_stream() {
  local name=$1
  shift
  mkfifo "$PRIVATE/$name.stream"
  : >"$PRIVATE/$name.frames"
  "$HELPERS/check-console" "$FORMAT" <"$PRIVATE/$name.stream" >"$PRIVATE/$name.frames" 2>&1 &
  CHECKER=$!
  exec_as "$VIEWER_USER" "${VIEW[@]}" --raw "$GUID" "$@" >"$PRIVATE/$name.stream" \
    2>"$PRIVATE/$name.said" </dev/null &
  VIEWER=$!
}

FORMAT=XR24
VIEWER_USER=vail-alice

frame_is() { [ "$(tail -n 1 "$PRIVATE/$1.frames")" = "frame $2" ]; }

# expect_frame CHECK NAME FRAME: it is the last one.
expect_frame() {
  if while_runs "$CHECKER" frame_is "$2" "$3"; then
    ok "$1"
  else
    not_ok "$1" "expected 'frame $3', got '$(tail -n 1 "$PRIVATE/$2.frames")', $(cat "$PRIVATE/$2.said")"
  fi
}

# expect_viewer_ends CHECK EXPECTED-EXIT PID
expect_viewer_ends() {
  local status=0

  wait "$3" || status=$?
  expect_equal "$1" "$2" "$status"
}

end_stream() {
  kill -TERM "$VIEWER"
  wait "$VIEWER" "$CHECKER" || true
}

## What is tested

usage() {
  local wrong

  view_as vail-alice 2 "no GUID" --raw
  expect_match "is said" "no virtual machine is given" "$SAID"
  view_as vail-alice 2 "neither --png nor --raw" "$GUID"
  view_as vail-alice 2 "both" "$GUID" --raw --png "$PICTURES/none.png"
  view_as vail-alice 2 "two VMs" "$GUID" "$GUID" --raw
  for wrong in 0 -1 x 1x 4294967296 ''; do
    view_as vail-alice 2 "--frames '$wrong'" "$GUID" --raw --frames "$wrong"
  done
  view_as vail-alice 2 "--timeout 1000001" "$GUID" --raw --timeout 1000001
  view_as vail-alice 2 "an option that is none" "$GUID" --raw --colour
  expect_match "is named" "--colour is not an option" "$SAID"
  view_as vail-alice 2 "a value that is missing" "$GUID" --png
  expect_match "is asked for" "--png needs a value" "$SAID"
  view_as vail-alice 0 "--help" --help
  expect_match "shows the options" "--timeout SECONDS" "$SAID"
  view_as vail-alice 0 "--version" --version
  expect_match "shows it" '^vail-view [0-9]' "$SAID"
  SAID=$(script -qec "${VIEW[*]} --raw $GUID" /dev/null 2>&1) && wrong=0 || wrong=$?
  expect_equal "a terminal is refused" 2 "$wrong"
  expect_match "with a sentence" "no pictures to a terminal" "$SAID"
  SAID=$(run_as vail-alice "${VIEW[@]}" --raw "$GUID" 2>&1 >&-) && wrong=0 || wrong=$?
  expect_equal "as is stdout where it is closed" 2 "$wrong"
}

nothing_to_see() {
  view_as vail-alice 1 "nothing is shared: it fails in time" "$GUID" --png "$PICTURES/none.png" --timeout 1
  expect_match "and says so" "no frame came within 1 seconds" "$SAID"
  expect "there is no file" [ ! -e "$PICTURES/none.png" ]
  view_as vail-alice 1 "a VM that does not run" 99999999-9999-4999-8999-999999999999 --raw
  expect_match "is not found" STATUS_NOT_FOUND "$SAID"
}

one_picture() {
  local handle

  console "mode 99 50"
  handle=${REPLY#handle }
  view_as vail-alice 0 "one picture" "$GUID" --png "$PICTURES/one.png"
  expect_equal "without a word" "" "$SAID"
  expect_equal "of the console's size" "99 50" "$(png_size "$PICTURES/one.png")"
  ctl_as vail-alice 0 "vailctl saves the same" save "$handle" "$PICTURES/saved.png"
  expect "byte by byte" cmp "$PICTURES/one.png" "$PICTURES/saved.png"
  view_as vail-alice 1 "a second one is waited for" "$GUID" --png "$PICTURES/one.png" --frames 2 --timeout 1
  expect_match "as long as it was told" "no further frame came within 1 seconds" "$SAID"
  view_as vail-alice 1 "a folder that is not there" "$GUID" --png "$PICTURES/none/one.png"
  expect_match "is said" "cannot write .*/none/one.png: No such file" "$SAID"
  expect_equal "nothing else is left" "one.png saved.png" "$(cd "$PICTURES" && echo *)"
  expect_equal "nobody holds it now" 0 \
    "$("${CTL[@]}" --json objects | jq '[.sharedObjects[].holders[]] | length')"
}

each_format() {
  for FORMAT in AR24 XB24 AB24 XR24; do
    console "format $FORMAT"
    console "mode 31 17"
    expect_equal "$FORMAT as it is in memory" "frame 31 17 0 0 527
end 1 1" "$(run_as vail-alice "${VIEW[@]}" --raw --frames 1 "$GUID" 2>&1 |
      "$HELPERS/check-console" "$FORMAT" 2>&1)"
  done
}

# The other way round than BMP has it: ffmpeg's own idea of the file.
others_read_it() {
  command -v ffmpeg >/dev/null || {
    skip "ffmpeg reads the stream" "ffmpeg is not installed"
    return
  }
  run_as vail-alice "${VIEW[@]}" --png "$PICTURES/two.png" "$GUID"
  run_as vail-alice "${VIEW[@]}" --raw --frames 1 "$GUID" |
    ffmpeg -loglevel error -f bmp_pipe -i - -f rawvideo -pix_fmt rgb24 -y "$PRIVATE/stream.rgb"
  ffmpeg -loglevel error -i "$PICTURES/two.png" -f rawvideo -pix_fmt rgb24 -y "$PRIVATE/png.rgb"
  expect_equal "ffmpeg reads the stream: a frame" $((31 * 17 * 3)) "$(stat -c %s "$PRIVATE/stream.rgb")"
  expect "as it reads the PNG" cmp "$PRIVATE/stream.rgb" "$PRIVATE/png.rgb"
}

updates() {
  console "mode 99 50"
  start_stream updates
  expect_frame "what is there" updates "99 50 0 0 4950"
  console "draw 1 2 3 4 2"
  expect_frame "of what has changed it reads what it was told, from the first pixel to the last" \
    updates "99 50 0 1 103"
  console "draw 2"
  expect_frame "and all where that is not told" updates "99 50 2 2 4950"
  console "mode 40 30"
  expect_frame "another mode" updates "40 30 0 0 1200"
  console "unshare"
  console "name console 1"
  console "mode 10 10"
  console "name console 0"
  console "format RG16"
  console "mode 20 20"
  expect "a format that it does not know is said" eventually \
    grep -q "console 0 is not shown: the object's format is RG16" "$PRIVATE/updates.said"
  console "format XR24"
  console "mode 1 1"
  expect_frame "after another name and another format it goes on" updates "1 1 0 0 1"
  expect_equal "nothing else was a frame" "99 99 99 40 1" \
    "$(awk '{ print $2 }' "$PRIVATE/updates.frames" | paste -sd' ')"
  expect_equal "nothing else was said" 1 "$(lines_of "$PRIVATE/updates.said")"
  end_stream
}

names() {
  start_stream names --name "console 1"
  expect "it registers" eventually registered_are "$VIEWER"
  console "mode 30 30"
  console "name console 1"
  console "mode 12 12"
  expect_frame "the name that was asked for" names "12 12 0 0 144"
  expect_equal "alone" 1 "$(lines_of "$PRIVATE/names.frames")"
  end_stream
  console "name console 0"
}

# Who shares memory that can shrink.
hostile() {
  start_stream hostile
  console "loose 50 50"
  expect_frame "memory that is not sealed" hostile "50 50 0 0 2500"
  console "shrink"
  expect "what becomes of it when it shrinks is said" eventually \
    grep -q "console 0 cannot be read: the memory is smaller" "$PRIVATE/hostile.said"
  console "mode 51 51"
  expect_frame "and it goes on" hostile "51 51 0 0 2601"
  end_stream
}

# rapid NAME CHECK COUNT running|stopped: through so many modes, then with the checker running, which
# has found each frame whole.
rapid() {
  local width height

  console "dance $3 $SEED"
  expect_match "$2: the console lives" '^danced' "$REPLY"
  read -r width height <<<"${REPLY#danced }"
  [ "$4" != stopped ] || kill -CONT "$CHECKER"
  expect "$2: the last mode is shown" eventually frame_has_size "$1" "$width" "$height"
  expect_equal "$2: nothing was said" "" "$(cat "$PRIVATE/$1.said")"
}

frame_has_size() {
  [[ $(tail -n 1 "$PRIVATE/$1.frames") == "frame $2 $3 "* ]]
}

rapid_modes() {
  local modes

  echo "# seed $SEED"
  start_stream rapid
  expect "it registers" eventually registered_are "$VIEWER"
  rapid rapid "400 modes" 400 running
  modes=$(cut -d' ' -f2,3 "$PRIVATE/rapid.frames" | uniq | wc -l)
  echo "# $(lines_of "$PRIVATE/rapid.frames") frames of $modes modes"
  expect "many of them were seen" [ "$modes" -gt 40 ]
  end_stream
}

# While nobody reads, events are taken all the same: vaild has no more than a MiB for them.
slow_reader() {
  start_stream slow
  expect "it registers" eventually registered_are "$VIEWER"
  kill -STOP "$CHECKER"
  rapid slow "800 modes and a reader that sleeps" 800 stopped
  end_stream
}

reader_goes() {
  local status=(0)

  console "mode 300 200"
  run_as vail-alice "${VIEW[@]}" --raw "$GUID" 2>"$PRIVATE/gone.said" | head -c 1000 >/dev/null ||
    status=("${PIPESTATUS[@]}")
  expect_equal "a reader that goes in the middle of a frame" "0" "${status[0]}"
  start_stream gone
  expect_frame "one that goes" gone "300 200 0 0 60000"
  kill_hard "$CHECKER"
  expect_viewer_ends "while nothing changes" 0 "$VIEWER"
  expect_equal "is no trouble" "" "$(cat "$PRIVATE/gone.said")"
}

refusals() {
  local before

  before=$(grep -c "allowed io.vaild.OpenSharedObject" "$LOG")
  view_as vail-bob 1 "another user" "$GUID" --png "$PICTURES/bob.png"
  expect_match "is refused" STATUS_ACCESS_DENIED "$SAID"
  expect_equal "and opens nothing" "$before" "$(grep -c "allowed io.vaild.OpenSharedObject" "$LOG")"
  expect "there is no file" [ ! -e "$PICTURES/bob.png" ]
  "${CTL[@]}" vm update "$GUID" --user vail-alice --user vail-carol
  revocation vail-carol # an operator, who hears of others as well
  revocation vail-alice
  "${CTL[@]}" vm update "$GUID" --user vail-alice
}

# revocation USER: of this one's registration, and not of one beside it.
revocation() {
  local VIEWER_USER=$1

  session_open other vail-alice
  session_status other "$CONTEXT"
  session_status other "$(register "$GUID")"
  start_stream "$1"
  expect_frame "$1: who is registered" "$1" "300 200 0 0 60000"
  session_kill other
  console "mode 9 9"
  expect_frame "$1: goes on when another is not any more" "$1" "9 9 0 0 81"
  "${CTL[@]}" revoke "$GUID" "$VIEWER"
  expect_viewer_ends "$1: ends when that is revoked" 1 "$VIEWER"
  expect_match "$1: and says why" "registered .* no longer: revoked \(STATUS_ACCESS_DENIED\)" \
    "$(cat "$PRIVATE/$1.said")"
  console "mode 300 200"
}

refused_with() {
  grep -q "denied io.vaild.RegisterVailProcess .*pid=$VIEWER .*status=$1" "$LOG"
}

# vaild goes, by either way, and comes back, and with it the VM.
restarts() {
  local way

  start_stream restart
  expect_frame "before vaild goes" restart "300 200 0 0 60000"
  for way in kill_hard stop; do
    if [ "$way" = stop ]; then stop_daemon; else kill_hard "$DAEMON"; fi
    expect "$way: it says that vaild is gone" eventually \
      grep -q "the connection to vaild at $SOCKET is lost" "$PRIVATE/restart.said"
    start_daemon
    expect "$way: it asks before the VM is there" eventually refused_with STATUS_NOT_FOUND
    add_vm "$GUID" "$VMM" "$ALICE_CLIENT" >/dev/null
    expect "$way: and before the VM has a vGPU" eventually \
      refused_with STATUS_GRAPHICS_VAIL_STATE_CHANGED
    assign_gpu "$GUID" >/dev/null
    console "mode 70 20"
    expect_frame "$way: it goes on" restart "70 20 0 0 1400"
    expect_equal "$way: it has said one thing" 1 "$(lines_of "$PRIVATE/restart.said")"
    : >"$PRIVATE/restart.said"
    console "mode 300 200"
    expect_frame "$way: and on" restart "300 200 0 0 60000"
  done
  end_stream
}

quarantine() {
  start_stream quarantine
  expect_frame "before the quarantine" quarantine "300 200 0 0 60000"
  "${CTL[@]}" vm quarantine "$GUID"
  expect_viewer_ends "it ends with it" 1 "$VIEWER"
  expect_match "and says so" "no longer: quarantined \(STATUS_ACCESS_DENIED\)" \
    "$(cat "$PRIVATE/quarantine.said")"
  "${CTL[@]}" vm release "$GUID"
}

the_end() {
  local forever

  console "mode 60 60"
  start_stream end
  forever=$VIEWER
  expect_frame "a viewer without a number of frames" end "60 60 0 0 3600"
  start_stream short --frames 2
  expect_frame "and one that waits for a second" short "60 60 0 0 3600"
  kill_hard "$VMM"
  expect_viewer_ends "with the VM the one has done what it was for" 0 "$forever"
  expect_viewer_ends "the other has not" 1 "$VIEWER"
  expect_match "both say so" "the virtual machine $GUID has ended" "$(cat "$PRIVATE/end.said")"
  expect_match "the other, too" "the virtual machine $GUID has ended" "$(cat "$PRIVATE/short.said")"
}

no_reports() {
  expect_equal "the sanitizers had nothing to say" "" \
    "$(grep -lE 'Sanitizer|runtime error' "$PRIVATE"/*.said || true)"
}

cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
mkdir "$PICTURES"
chown vail-alice "$PICTURES"
start_daemon
session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$GUID"
VMM=${SESSION_PID[console]}
expect_equal "the VM" STATUS_SUCCESS "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")"
assign_gpu "$GUID" >/dev/null
usage
nothing_to_see
one_picture
each_format
others_read_it
updates
names
hostile
rapid_modes
slow_reader
reader_goes
refusals
restarts
quarantine
the_end
no_reports
expect_clean_stop
finish
