#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vail-view: its frames and pictures are exactly what a VM's console shows, through mode
# changes, hostile sharers, slow readers and restarts of vaild.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=23232323-2323-4323-8323-232323232323
SEED=${SEED:-$RANDOM}
PICTURES=$PRIVATE/pictures
VIEW=("$PRIVATE/build/vail-view" --socket "$SOCKET")

## The console

count_lines() { wc -l <"$1"; }

# console COMMAND: sends a command to share-console, and sets REPLY to its reply.
console() {
  session_ask console "$1"
  [ -n "$REPLY" ] || not_ok "console: $1" "no answer"
}

## The viewer

# view_as USER EXPECTED-EXIT CHECK ARGUMENT...: runs vail-view, and sets SAID to its output.
view_as() {
  local user=$1 expected=$2 check=$3 status=0
  shift 3
  SAID=$(run_as "$user" "${VIEW[@]}" "$@" 2>&1 </dev/null) || status=$?
  expect_equal "$check" "$expected" "$status"
}

# start_stream NAME ARGUMENT...: starts vail-view --raw with the arguments in the background, and
# check-console as the reader of its frames. Sets VIEWER and CHECKER to their pids. The file
# NAME.said gets the messages of vail-view, and NAME.frames a line for each frame.
start_stream() {
  local name=$1
  shift
  mkfifo "$PRIVATE/$name.stream"
  : >"$PRIVATE/$name.frames"
  : >"$PRIVATE/$name.said"
  "$HELPERS/check-console" "$FORMAT" <"$PRIVATE/$name.stream" >"$PRIVATE/$name.frames" 2>&1 &
  CHECKER=$!
  exec_as "$VIEWER_USER" "${VIEW[@]}" --raw "$GUID" "$@" >"$PRIVATE/$name.stream" \
    2>>"$PRIVATE/$name.said" </dev/null & # appends, so that the test can empty the file
  VIEWER=$!
}

FORMAT=XR24
VIEWER_USER=vail-alice

# said NAME: prints the messages of the stream's viewer, except for those that say what it waits for.
# They depend on the speed of the machine.
said() { grep -v "^vail-view: waiting: " "$PRIVATE/$1.said" || true; }

# frame_is NAME FRAME: tests whether check-console's last line is this frame.
frame_is() { [ "$(tail -n 1 "$PRIVATE/$1.frames")" = "frame $2" ]; }

# expect_frame CHECK NAME FRAME: waits until the stream's last frame is this one. FRAME has the
# columns of check-console: width, height, lowest and highest drawing, and pixels of the highest
# drawing.
expect_frame() {
  if eventually_unless_gone "$CHECKER" frame_is "$2" "$3"; then
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

## Checks

check_usage() {
  local wrong

  view_as vail-alice 2 "a missing GUID is a usage error" --raw
  expect_match "the message says that the GUID is missing" "no virtual machine is given" "$SAID"
  view_as vail-alice 2 "neither --png nor --raw is a usage error" "$GUID"
  view_as vail-alice 2 "--raw together with --png is a usage error" \
    "$GUID" --raw --png "$PICTURES/none.png"
  view_as vail-alice 2 "two GUIDs are a usage error" "$GUID" "$GUID" --raw
  for wrong in 0 -1 x 1x 4294967296 ''; do
    view_as vail-alice 2 "--frames '$wrong' is a usage error" "$GUID" --raw --frames "$wrong"
  done
  view_as vail-alice 2 "--timeout 1000001 is a usage error" "$GUID" --raw --timeout 1000001
  view_as vail-alice 2 "an unknown option is a usage error" "$GUID" --raw --colour
  expect_match "the message names the unknown option" "--colour is not an option" "$SAID"
  view_as vail-alice 2 "an option without its value is a usage error" "$GUID" --png
  expect_match "the message names the option without its value" "--png needs a value" "$SAID"
  view_as vail-alice 0 "--help succeeds" --help
  expect_match "--help prints the options" "--timeout SECONDS" "$SAID"
  view_as vail-alice 0 "--version succeeds" --version
  expect_match "--version prints the version" '^vail-view [0-9]' "$SAID"
  SAID=$(script -qec "${VIEW[*]} --raw $GUID" /dev/null 2>&1) && wrong=0 || wrong=$?
  expect_equal "--raw to a terminal is a usage error" 2 "$wrong"
  expect_match "the message says that --raw does not write to a terminal" \
    "no pictures to a terminal" "$SAID"
  SAID=$(run_as vail-alice "${VIEW[@]}" --raw "$GUID" 2>&1 >&-) && wrong=0 || wrong=$?
  expect_equal "a closed stdout is a usage error" 2 "$wrong"
}

check_nothing_shared() {
  view_as vail-alice 1 "vail-view fails after the timeout if nothing is shared" \
    "$GUID" --png "$PICTURES/none.png" --timeout 1
  expect_match "the message says that no frame came within the timeout" \
    "no frame came within 1 second: no picture is shared yet" "$SAID"
  expect "vail-view creates no file if nothing is shared" [ ! -e "$PICTURES/none.png" ]
  view_as vail-alice 1 "vail-view fails for an unknown VM" \
    99999999-9999-4999-8999-999999999999 --raw
  expect_match "the message for an unknown VM has the status" STATUS_NOT_FOUND "$SAID"
}

check_picture() {
  local handle group

  console "mode 99 50"
  handle=${REPLY#handle }
  view_as vail-alice 0 "--png succeeds" "$GUID" --png "$PICTURES/one.png"
  expect_equal "--png prints no messages" "" "$SAID"
  expect_equal "the PNG file has the size of the console" "99 50" "$(png_size "$PICTURES/one.png")"
  group=${GIDS[vail-alice]:-$(id -g vail-alice)}
  SAID=$(script -qec "setpriv --reuid vail-alice --regid $group --init-groups --inh-caps=-all -- \
    ${VIEW[*]} --png $PICTURES/one.png $GUID" /dev/null </dev/null 2>&1) || true
  expect_match "on a terminal, --png says what it has written" "wrote $PICTURES/one.png" "$SAID"
  expect_vailctl vail-alice 0 "vailctl save succeeds for the same object" \
    save "$handle" "$PICTURES/saved.png"
  expect "vail-view and vailctl save write the same file" \
    cmp "$PICTURES/one.png" "$PICTURES/saved.png"
  view_as vail-alice 1 "--png --frames 2 fails after the timeout if nothing changes" \
    "$GUID" --png "$PICTURES/one.png" --frames 2 --timeout 1
  expect_match "the message says that no further frame came within the timeout" \
    "no further frame came within 1 second: the picture has not changed" "$SAID"
  view_as vail-alice 1 "--png fails if the folder does not exist" \
    "$GUID" --png "$PICTURES/none/one.png"
  expect_match "the message names the file that cannot be written" \
    "cannot write .*/none/one.png: No such file" "$SAID"
  expect_equal "vail-view leaves no temporary files" \
    "one.png saved.png" "$(cd "$PICTURES" && echo *)"
  expect_equal "no process holds the object after vail-view has exited" 0 \
    "$("${CTL[@]}" --json objects | jq '[.sharedObjects[].holders[]] | length')"
}

# png_fits FILE: tests whether the file is a PNG of the console's size.
png_fits() { [ "$(png_size "$1")" = "1900 1100" ]; }

# write FILE: runs COMMAND, with its word DESTINATION replaced by FILE.
write() { run_as vail-alice "${COMMAND[@]/#DESTINATION/$1}" 2>&1; }

# check_destination NAME COMMAND...: checks where the command writes the picture. DESTINATION is a
# word in COMMAND for the name of the file.
check_destination() {
  local name=$1 folder=$PRIVATE/$1
  shift

  COMMAND=("$@")
  mkdir "$folder"
  (umask 077 && echo old >"$folder/private" && echo old >"$folder/protected")
  ln -s private "$folder/link"
  mkfifo "$folder/fifo"
  echo old >"$folder/mounted"
  mount --bind "$folder/mounted" "$folder/mounted"
  chown -R vail-alice "$folder"
  expect "$name follows a link" write "$folder/link"
  expect_equal "$name keeps the link and the mode of the file" "link 600" \
    "$([ ! -L "$folder/link" ] || echo link) $(stat -c %a "$folder/private")"
  expect "$name replaces the file of a link" png_fits "$folder/private"
  expect "$name overwrites a file that is a mount point" write "$folder/mounted"
  expect "$name writes the whole picture to a mount point" png_fits "$folder/mounted"
  cat "$folder/fifo" >"$folder/read" &
  expect "$name writes to a FIFO" write "$folder/fifo"
  wait $!
  expect "$name writes the whole picture to a FIFO" png_fits "$folder/read"
  write - >"$folder/stdout"
  expect "$name writes to stdout" png_fits "$folder/stdout"
  expect_match "$name reports a full device" "cannot write /dev/full: No space left" \
    "$(write /dev/full || true)"
  chmod 555 "$folder"
  expect "$name overwrites a file in a protected folder" write "$folder/protected"
  expect "$name writes the whole picture in a protected folder" png_fits "$folder/protected"
  check_full_disk "$name"
  umount "$folder/mounted"
}

# check_full_disk NAME: checks that the old file stays if the disk has no room for the picture.
check_full_disk() {
  local full=$PRIVATE/$1.full file

  mkdir "$full"
  mount -t tmpfs -o size=16k,mode=777 tmpfs "$full"
  echo old >"$full/file"
  echo old >"$full/one"
  ln "$full/one" "$full/two"
  chown vail-alice "$full"/*
  dd if=/dev/zero of="$full/filler" bs=4096 status=none 2>/dev/null || true
  for file in file one; do
    expect_match "$1 reports a full disk, $file" "No space left" "$(write "$full/$file" || true)"
    expect_equal "$1 leaves the old file on a full disk, $file" old "$(head -c 3 "$full/$file")"
  done
  expect_equal "$1 leaves no temporary file on a full disk" "file filler one two" \
    "$(find "$full" -type f -printf '%f\n' | sort | xargs)"
  umount "$full"
}

check_destinations() {
  console "mode 1900 1100" # as PNG files, larger than a page
  check_destination view "${VIEW[@]}" "$GUID" --png DESTINATION
  check_destination save "$PRIVATE/build/vailctl" --socket "$SOCKET" save "${REPLY#handle }" \
    DESTINATION
}

check_formats() {
  for FORMAT in AR24 XB24 AB24 XR24; do
    console "format $FORMAT"
    console "mode 31 17"
    expect_equal "--raw writes the pixels of format $FORMAT exactly" "frame 31 17 0 0 527
end 1 1" "$(run_as vail-alice "${VIEW[@]}" --raw --frames 1 "$GUID" 2>&1 |
      "$HELPERS/check-console" "$FORMAT" 2>&1)"
  done
}

# Compares the stream, which consists of BMP files, with the PNG file, both as ffmpeg reads them.
check_ffmpeg() {
  command -v ffmpeg >/dev/null || {
    skip "ffmpeg reads one whole frame from the stream" "ffmpeg is not installed"
    return
  }
  run_as vail-alice "${VIEW[@]}" --png "$PICTURES/two.png" "$GUID"
  run_as vail-alice "${VIEW[@]}" --raw --frames 1 "$GUID" |
    ffmpeg -loglevel error -f bmp_pipe -i - -f rawvideo -pix_fmt rgb24 -y "$PRIVATE/stream.rgb"
  ffmpeg -loglevel error -i "$PICTURES/two.png" -f rawvideo -pix_fmt rgb24 -y "$PRIVATE/png.rgb"
  expect_equal "ffmpeg reads one whole frame from the stream" \
    $((31 * 17 * 3)) "$(stat -c %s "$PRIVATE/stream.rgb")"
  expect "ffmpeg reads the same pixels from the stream and the PNG file" \
    cmp "$PRIVATE/stream.rgb" "$PRIVATE/png.rgb"
}

check_updates() {
  console "mode 99 50"
  start_stream updates
  expect_frame "the first frame has the whole screen" updates "99 50 0 0 4950"
  console "draw 1 2 3 4 2"
  expect_frame "only the pixels from the first to the last of an announced rectangle are read" \
    updates "99 50 0 1 103"
  console "draw 2"
  expect_frame "after a change without rectangles the whole screen is read again" \
    updates "99 50 2 2 4950"
  console "mode 40 30"
  expect_frame "a new mode gives a frame of its size" updates "40 30 0 0 1200"
  console "unshare"
  console "name console 1"
  console "mode 10 10"
  console "name console 0"
  console "format RG16"
  console "mode 20 20"
  expect "an unsupported format is reported" eventually \
    grep -q "console 0 is not shown: the object's format is RG16" "$PRIVATE/updates.said"
  console "format XR24"
  console "mode 1 1"
  expect_frame "the stream continues after another name and an unsupported format" \
    updates "1 1 0 0 1"
  # A slow viewer may notice twice that one picture has changed.
  expect_equal "the stream has no frames of other modes" "99 40 1" \
    "$(awk '{ print $2 }' "$PRIVATE/updates.frames" | uniq | paste -sd' ')"
  expect_equal "nothing else is reported" 1 "$(said updates | wc -l)"
  end_stream
}

check_name_option() {
  start_stream names --name "console 1"
  expect "--name: the viewer registers" eventually registered_pids_are "$VIEWER"
  console "mode 30 30"
  console "name console 1"
  console "mode 12 12"
  expect_frame "--name shows the object of this name" names "12 12 0 0 144"
  expect_equal "--name shows no other object" 1 "$(count_lines "$PRIVATE/names.frames")"
  end_stream
  console "name console 0 cursor"
  console "mode 16 16"
  view_as vail-alice 1 "a cursor is not the first image" \
    "$GUID" --png "$PICTURES/none.png" --timeout 1
  expect_match "the message names the cursor" "no picture can be shown; shared are: console 0 cursor" \
    "$SAID"
  view_as vail-alice 0 "--name shows a cursor" "$GUID" --png "$PICTURES/cursor.png" \
    --name "console 0 cursor"
  console "name console 0"
}

# check_waiting NAME MESSAGE ARGUMENT...: checks that a viewer says what it waits for.
check_waiting() {
  start_stream "$1" "${@:3}"
  expect "$1: the viewer says what it waits for" \
    eventually_unless_gone "$VIEWER" grep -qE "^vail-view: waiting: $2" "$PRIVATE/$1.said"
}

check_waits() {
  local handle

  console "unshare"
  check_waiting unbounded "no picture is shared yet; .*; to bound the wait, give --timeout SECONDS$"
  end_stream
  check_waiting bounded "no picture is shared yet; .* shares its screen$" --timeout 600
  end_stream
  check_waiting nothing "no picture is shared yet"
  console "mode 30 30"
  expect_frame "a viewer that has waited shows the next picture" nothing "30 30 0 0 900"
  console "unshare"
  expect "the viewer says that the picture is no longer shared" eventually \
    grep -q "^vail-view: waiting: the picture is no longer shared" "$PRIVATE/nothing.said"
  end_stream
  console "mode 30 30"
  check_waiting other-name 'no picture is shared as "console 7"; shared are: console 0' \
    --name "console 7"
  console "name console 7"
  console "mode 12 12"
  expect_frame "a viewer that has waited for a name shows it" other-name "12 12 0 0 144"
  end_stream
  console "name console 0"
  console "format RG16"
  console "mode 20 20"
  handle=${REPLY#handle }
  check_waiting format "no picture can be shown; shared are: console 0"
  expect_match "the viewer names the format that cannot be shown" "format is RG16 with 1 plane;" \
    "$(said format)"
  end_stream
  expect_vailctl vail-alice 1 "vailctl save fails for the format" \
    save "$handle" "$PICTURES/format.png"
  expect_match "vailctl save names the format" "format is RG16 with 1 plane;" "$SAID"
  console "format XR24"
}

check_shrinking_memory() {
  start_stream hostile
  console "loose 50 50"
  expect_frame "unsealed memory is shown" hostile "50 50 0 0 2500"
  console "shrink"
  expect "memory that has shrunk is reported" eventually \
    grep -q "console 0 cannot be read: the sharing process has shrunk" "$PRIVATE/hostile.said"
  console "mode 51 51"
  expect_frame "the stream continues with the next object after memory has shrunk" \
    hostile "51 51 0 0 2601"
  end_stream
}

# change_modes NAME CHECK COUNT running|stopped: changes the console's mode COUNT times while the
# stream's checker is running or stopped, and waits until the checker has read the last mode. The
# checker fails if a frame is not whole.
change_modes() {
  local width height

  console "dance $3 $SEED"
  expect_match "$2: share-console changes the modes" '^danced' "$REPLY"
  read -r width height <<<"${REPLY#danced }"
  [ "$4" != stopped ] || kill -CONT "$CHECKER"
  expect "$2: the stream reaches the last mode" eventually frame_has_size "$1" "$width" "$height"
  expect_equal "$2: vail-view reports no problem" "" "$(said "$1")"
}

# frame_has_size NAME WIDTH HEIGHT: tests the stream's last frame.
frame_has_size() {
  [[ $(tail -n 1 "$PRIVATE/$1.frames") == "frame $2 $3 "* ]]
}

check_quick_mode_changes() {
  local modes

  echo "# seed $SEED"
  start_stream rapid
  expect "quick mode changes: the viewer registers" eventually registered_pids_are "$VIEWER"
  change_modes rapid "400 modes in quick succession" 400 running
  modes=$(cut -d' ' -f2,3 "$PRIVATE/rapid.frames" | uniq | wc -l)
  echo "# $(count_lines "$PRIVATE/rapid.frames") frames of $modes modes"
  expect "the stream has more than 40 of 400 modes" [ "$modes" -gt 40 ]
  end_stream
}

# vail-view must receive events even while its reader is stopped, because vaild queues at most 1 MiB
# for a connection.
check_stopped_reader() {
  start_stream slow
  expect "stopped reader: the viewer registers" eventually registered_pids_are "$VIEWER"
  kill -STOP "$CHECKER"
  change_modes slow "800 modes while the reader is stopped" 800 stopped
  end_stream
}

check_exiting_reader() {
  local status=(0)

  console "mode 300 200"
  run_as vail-alice "${VIEW[@]}" --raw "$GUID" 2>"$PRIVATE/gone.said" | head -c 1000 >/dev/null ||
    status=("${PIPESTATUS[@]}")
  expect_equal "vail-view succeeds if its reader exits in the middle of a frame" "0" "${status[0]}"
  start_stream gone
  expect_frame "the reader gets the screen before it is killed" gone "300 200 0 0 60000"
  kill_and_wait "$CHECKER"
  expect_viewer_ends "vail-view succeeds if its reader is killed while nothing changes" 0 "$VIEWER"
  expect_equal "vail-view reports no problem if its reader is killed" \
    "" "$(said gone)"
}

check_refusals() {
  local before

  before=$(grep -c "allowed io.vaild.OpenSharedObject" "$LOG")
  view_as vail-bob 1 "vail-view fails for a user who is not a display client" \
    "$GUID" --png "$PICTURES/bob.png"
  expect_match "the message for a denied user has the status" STATUS_ACCESS_DENIED "$SAID"
  expect_equal "vail-view opens no object for a denied user" \
    "$before" "$(grep -c "allowed io.vaild.OpenSharedObject" "$LOG")"
  expect "vail-view creates no file for a denied user" [ ! -e "$PICTURES/bob.png" ]
  "${CTL[@]}" vm update "$GUID" --user vail-alice --user vail-carol
  check_revocation vail-carol # an operator, who gets the events of other users as well
  check_revocation vail-alice
  "${CTL[@]}" vm update "$GUID" --user vail-alice
}

# check_revocation USER: revokes the registration of this user's viewer. Before that, ends another
# registration for the same VM, which must not affect the viewer.
check_revocation() {
  local VIEWER_USER=$1

  session_open other vail-alice
  session_status other "$CONTEXT"
  session_status other "$(register "$GUID")"
  start_stream "$1"
  expect_frame "$1: the viewer shows the screen" "$1" "300 200 0 0 60000"
  session_kill other
  console "mode 9 9"
  expect_frame "$1: the viewer continues when another registration ends" "$1" "9 9 0 0 81"
  "${CTL[@]}" revoke "$GUID" "$VIEWER"
  expect_viewer_ends "$1: the viewer exits with status 1 when its registration is revoked" \
    1 "$VIEWER"
  expect_match "$1: the message has the reason" \
    "no longer registered for virtual machine .*: revoked \(STATUS_ACCESS_DENIED\)" "$(cat "$PRIVATE/$1.said")"
  console "mode 300 200"
}

# was_refused_with STATUS: tests whether the viewer's registration was refused with this status.
was_refused_with() {
  grep -q "denied io.vaild.RegisterVailProcess .*pid=$VIEWER .*status=$1" "$LOG"
}

# Kills and stops vaild. After each new start, registers the VM again and assigns a vGPU.
check_restarts() {
  local how

  start_stream restart
  expect_frame "restart: the viewer shows the screen before vaild ends" restart "300 200 0 0 60000"
  for how in kill stop; do
    if [ "$how" = stop ]; then stop_daemon; else kill_and_wait "$DAEMON"; fi
    expect "restart, $how: the viewer reports that vaild is lost" eventually \
      grep -q "the connection to vaild at $SOCKET is lost" "$PRIVATE/restart.said"
    start_daemon
    expect "restart, $how: the viewer retries before the VM is registered" \
      eventually was_refused_with STATUS_NOT_FOUND
    add_vm "$GUID" "$VMM" "$ALICE_CLIENT" >/dev/null
    expect "restart, $how: the viewer retries before the VM has a vGPU" eventually \
      was_refused_with STATUS_GRAPHICS_VAIL_STATE_CHANGED
    assign_gpu "$GUID" >/dev/null
    console "mode 70 20"
    expect_frame "restart, $how: the viewer continues when the VM has a vGPU" \
      restart "70 20 0 0 1400"
    expect_equal "restart, $how: the viewer reports nothing else" \
      1 "$(said restart | wc -l)"
    : >"$PRIVATE/restart.said"
    console "mode 300 200"
    expect_frame "restart, $how: the viewer shows the next mode as well" restart "300 200 0 0 60000"
  done
  end_stream
}

check_quarantine() {
  start_stream quarantine
  expect_frame "quarantine: the viewer shows the screen before the quarantine" \
    quarantine "300 200 0 0 60000"
  "${CTL[@]}" vm quarantine "$GUID"
  expect_viewer_ends "quarantine: the viewer exits with status 1" 1 "$VIEWER"
  expect_match "quarantine: the message has the reason" \
    "no longer registered for virtual machine .*: it is in quarantine \(STATUS_ACCESS_DENIED\)" \
    "$(cat "$PRIVATE/quarantine.said")"
  "${CTL[@]}" vm release "$GUID"
}

check_vm_end() {
  local forever

  console "mode 60 60"
  start_stream end
  forever=$VIEWER
  expect_frame "end of the VM: a viewer without --frames shows the screen" end "60 60 0 0 3600"
  start_stream short --frames 2
  expect_frame "end of the VM: a viewer with --frames 2 shows the screen" short "60 60 0 0 3600"
  kill_and_wait "$VMM"
  expect_viewer_ends "end of the VM: the viewer without --frames succeeds" 0 "$forever"
  expect_viewer_ends "end of the VM: the viewer with --frames 2 fails" 1 "$VIEWER"
  expect_match "end of the VM: the viewer without --frames reports it" \
    "the virtual machine $GUID has ended" "$(cat "$PRIVATE/end.said")"
  expect_match "end of the VM: the viewer with --frames 2 reports it" \
    "the virtual machine $GUID has ended" "$(cat "$PRIVATE/short.said")"
}

check_sanitizers() {
  expect_equal "the sanitizers print no reports for vail-view" "" \
    "$(grep -lE 'Sanitizer|runtime error' "$PRIVATE"/*.said || true)"
}

cp "$ROOT/build/sanitized/vail-view" "$PRIVATE/build/"
mkdir "$PICTURES"
chown vail-alice "$PICTURES"
start_daemon
session_open_with console vail-vmm "$HELPERS/share-console" "$SOCKET" "$GUID"
VMM=${SESSION_PID[console]}
expect_equal "the VM is registered" STATUS_SUCCESS "$(add_vm "$GUID" "$VMM" "$ALICE_CLIENT")"
assign_gpu "$GUID" >/dev/null
check_usage
check_nothing_shared
check_picture
check_destinations
check_formats
check_ffmpeg
check_updates
check_name_option
check_waits
check_shrinking_memory
check_quick_mode_changes
check_stopped_reader
check_exiting_reader
check_refusals
check_restarts
check_quarantine
check_vm_end
check_sanitizers
expect_clean_stop
finish
