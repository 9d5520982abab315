# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# A virtual X server, and windows of vail-view on it. To be sourced after system-test.sh, and before
# qemu-guest.sh, which makes the folder PICTURES.

VIEW=("$PRIVATE/build/vail-view" --socket "$SOCKET")
HOME_OF_ALICE=$PRIVATE/home

## The desktop

# SDL draws with the CPU, so that the leak check sees no graphics driver. What libdbus keeps for the
# life of a process is not a leak of vail-view.
WITH_DESKTOP=(env HOME="$HOME_OF_ALICE" SDL_RENDER_DRIVER=software SDL_FRAMEBUFFER_ACCELERATION=0
  LSAN_OPTIONS="suppressions=$PRIVATE/leaks:print_suppressions=0")

# Skips the whole test if a program is missing, or if vail-view has no window.
needs_desktop() {
  local program

  for program in Xvfb openbox xdotool import; do
    command -v "$program" >/dev/null && continue
    skip "$NAME" "$program is not installed"
    finish
  done
  [[ $(ldd "$ROOT/build/sanitized/vail-view") != *libSDL2* ]] || return 0
  skip "$NAME" "vail-view was built without a window"
  finish
}

# start_desktop [WIDTHxHEIGHT]: starts an X server and a window manager as vail-alice. Sets DISPLAY. The
# server does not repeat keys, because a key may stay down for long on a slow machine.
start_desktop() {
  mkdir -p /tmp/.X11-unix
  mount -t tmpfs -o mode=1777 tmpfs /tmp/.X11-unix
  mkdir "$HOME_OF_ALICE"
  chown vail-alice "$HOME_OF_ALICE"
  echo leak:libdbus >"$PRIVATE/leaks"
  exec_as vail-alice Xvfb -displayfd 3 -screen 0 "${1:-1280x1024}x24" -nolisten tcp -noreset -r \
    3>"$PRIVATE/display" 2>"$PRIVATE/xvfb.log" &
  expect "the X server starts" eventually_unless_gone $! test -s "$PRIVATE/display"
  DISPLAY=:$(<"$PRIVATE/display")
  export DISPLAY
  exec_as vail-alice env HOME="$HOME_OF_ALICE" openbox --sm-disable >"$PRIVATE/openbox.log" 2>&1 &
  expect "the window manager starts" eventually_unless_gone $! manages_windows
}
manages_windows() { xdotool get_num_desktops >/dev/null 2>&1; }

# start_window ARGUMENT...: starts vail-view as WINDOW_USER. Sets VIEWER to its pid, and WINDOW to its
# window.
WINDOW_USER=vail-alice
start_window() {
  : >"$PRIVATE/window.said"
  (cd "$HOME_OF_ALICE" && exec_as "$WINDOW_USER" "${WITH_DESKTOP[@]}" "${VIEW[@]}" "$@") \
    2>>"$PRIVATE/window.said" </dev/null &
  VIEWER=$!
  WINDOW=
  eventually_unless_gone "$VIEWER" window_is_open ||
    not_ok "vail-view opens a window: $*" "$(cat "$PRIVATE/window.said")"
}
window_is_open() { WINDOW=$(xdotool search --onlyvisible --pid "$VIEWER" 2>/dev/null) && [ -n "$WINDOW" ]; }

title() { xdotool getwindowname "$WINDOW"; }
title_matches() { [[ $(title) =~ $1 ]]; }

# expect_title CHECK PATTERN
expect_title() {
  eventually_unless_gone "$VIEWER" title_matches "$2" || true
  expect_match "$1" "$2" "$(title)"
}

# expect_notice CHECK PATTERN COMMAND...: runs the command, after which the window says a sentence for
# some seconds. Repeats that, because this test may be stopped for longer.
expect_notice() {
  eventually_unless_gone "$VIEWER" gives_notice "${@:2}" || true
  expect_match "$1" "$2" "$(title)"
}
gives_notice() {
  local before

  ! title_matches "$1" || return 0
  before=$(said "$1")
  "${@:2}"
  eventually_unless_gone "$VIEWER" said_again "$before" "$1"
  title_matches "$1"
}
# said PATTERN: prints how often the viewer has logged the sentence.
said() { grep -cE -- "$1" "$PRIVATE/window.said" || true; }
said_again() { [ "$(said "$2")" -gt "$1" ]; }

# Gives the window the focus, unless it has it. Activating it again could take the focus away shortly.
focus() {
  window_has_focus || xdotool windowactivate "$WINDOW"
  eventually_unless_gone "$VIEWER" window_has_focus
}
window_has_focus() { [ "$(xdotool getwindowfocus 2>/dev/null)" = "$WINDOW" ]; }

# key LETTER: presses it together with Ctrl and Alt in the window.
key() {
  focus
  xdotool key "ctrl+alt+$1"
}

# expect_ends CHECK EXPECTED-STATUS: waits for the end of vail-view.
expect_ends() {
  local status=0

  wait "$VIEWER" || status=$?
  expect_equal "$1" "$2" "$status"
  [ "$status" -eq "$2" ] || sed 's/^/# /' "$PRIVATE/window.said"
}

window_size() { xdotool getwindowgeometry --shell "$WINDOW" | sed -n 's/^\(WIDTH\|HEIGHT\)=//p' | xargs; }
window_has_size() { [ "$(window_size)" = "$1 $2" ]; }

## Pictures

# Saves what the window shows as window.png.
shoot() { import -silent -window "$WINDOW" "$PICTURES/window.png"; }

# are_same ONE OTHER: tests whether two pictures have the same size and the same colours, within FUZZ.
FUZZ=0
are_same() {
  [ "$(identify -format '%wx%h' "$1")" = "$(identify -format '%wx%h' "$2")" ] &&
    [ "$(compare -fuzz "$FUZZ" -metric AE "$1" "$2" null: 2>&1)" = 0 ]
}

# window_shows PICTURE
window_shows() { shoot && are_same "$PICTURES/window.png" "$1"; }

# expect_window CHECK PICTURE: waits until the window shows exactly this picture.
expect_window() {
  if eventually_unless_gone "$VIEWER" window_shows "$2"; then
    ok "$1"
  else
    not_ok "$1" "$(cat "$PRIVATE/window.said")"
  fi
}

## Idling

# activity PID...: prints how often threads of each process were woken or interrupted, and the time that
# it has run.
activity() {
  local pid

  for pid; do
    awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$pid/task/"*/status
    cut -d' ' -f14,15 "/proc/$pid/stat"
  done
}

# is_idle_for COUNT: tests whether the viewer does nothing while vaild serves COUNT other programs.
is_idle_for() {
  local before i

  before=$(activity "$VIEWER")
  for ((i = 0; i < $1; i++)); do
    "${CTL[@]}" --json list >/dev/null
  done
  [ "$(activity "$VIEWER")" = "$before" ]
}

# are_idle PID...: tests whether nothing wakes these processes for more than a second.
are_idle() {
  local before since=$SECONDS

  before=$(activity "$@")
  while [ $((SECONDS - since)) -lt 3 ]; do
    [ "$(activity "$@")" = "$before" ] || return
    pause_for 50
  done
}

# expect_idle CHECK: waits until nothing happens any more. A deadline of the window, for example for
# the guest's new size, may still wake it once before that.
expect_idle() {
  expect "$1" eventually is_idle_for 100
}
