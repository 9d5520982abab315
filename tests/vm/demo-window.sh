# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# The window of the demo: shows the guest, and types a sentence into it. To be sourced after
# qemu-guest.sh, with PICTURE set.

# Lower case letters and spaces only, which are single keys.
SENTENCE="this sentence was typed into a window and crossed through vaild"

## The desktop

# Sets DESKTOP_USER to the user whose desktop can show a window, or leaves it empty. Without PICTURE,
# only a person at a terminal can close the window.
find_desktop() {
  DESKTOP_USER=
  [ -n "$PICTURE" ] || [ -t 1 ] || return 0
  [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || return 0
  # grep -q would end ldd early, which would count as a failure.
  [[ $(ldd "$ROOT/build/vail-view") = *libSDL2* ]] || return 0
  DESKTOP_USER=${SUDO_USER:-}
  [ "$DESKTOP_USER" != root ] || DESKTOP_USER=
  DESKTOP_USER=${DESKTOP_USER:-vail-alice}
}

# Sets DISPLAY_USERS to the options for the users that may see the guest. The user of the desktop may
# also type.
allow_display_users() {
  DISPLAY_USERS=(--user vail-alice)
  [ -n "$DESKTOP_USER" ] || return 0
  [ "$DESKTOP_USER" != vail-alice ] || DISPLAY_USERS=()
  DISPLAY_USERS+=(--user "$DESKTOP_USER:view,input")
}

# on_desktop COMMAND...: executes a program as the user of the desktop.
on_desktop() {
  exec_as "$DESKTOP_USER" env HOME="$(getent passwd "$DESKTOP_USER" | cut -d: -f6)" \
    XDG_RUNTIME_DIR="/run/user/$(id -u "$DESKTOP_USER")" "$@"
}

## Typing

# Only X lets a program type, and into this window alone, because the user may work in another one.
can_type() { [ -n "${DISPLAY:-}" ] && command -v xdotool >/dev/null; }

# key_of CHARACTER: prints the number that X gives to the key at its place on a keyboard of the US. The
# guest has such a keyboard, whatever the desktop has. No character means Return.
key_of() {
  local row keys before

  for row in 24:qwertyuiop 38:asdfghjkl 52:zxcvbnm 65:" "; do
    keys=${row#*:}
    before=${keys%%"${1:-?}"*}
    [ "$before" = "$keys" ] || echo $((${row%%:*} + ${#before}))
  done
  [ -n "$1" ] || echo 36
}

# press CHARACTER: presses its key in the window, or else lets QEMU do so.
press() {
  local code=${1:-ret}

  if can_type; then
    (on_desktop xdotool key --window "$WINDOW" "$(key_of "$1")")
  else
    [ "$code" != " " ] || code=spc
    monitor '{"execute":"send-key","arguments":{"keys":[{"type":"qcode","data":"'"$code"'"}]}}' >/dev/null
  fi
}

# has_typed TEXT: tests whether this part of the line has reached the guest. It writes each character
# that is typed to its serial port.
has_typed() { [ "$(tail -n 1 "$SERIAL")" = "$1" ]; }
has_done() { [ "$(tr -d '\r' <"$SERIAL" | tail -n 2)" = "echo $1"$'\n'done ]; }

# Tests whether keys reach the guest, with empty lines.
keys_arrive() { [ "$(wc -l <"$SERIAL")" -gt 1 ] || { press "" && false; }; }

# Types the sentence, each key after the guest has got the one before, because QEMU drops keys if the
# guest is slow. Returns whether the guest has got it.
type_sentence() {
  local text="echo $SENTENCE" i

  eventually_unless_gone "$VIEWER" keys_arrive || return
  for ((i = 0; i < ${#text}; i++)); do
    press "${text:i:1}" || return
    eventually_unless_gone "$VIEWER" has_typed "${text:0:i+1}" || return
  done
  press ""
  eventually_unless_gone "$VIEWER" has_done "$SENTENCE"
}

## Showing

window_is_open() {
  WINDOW=$(on_desktop xdotool search --onlyvisible --pid "$VIEWER" 2>/dev/null) && [ -n "$WINDOW" ]
}

# Starts vail-view. Sets VIEWER to its pid, and WINDOW to its window if that can be found.
open_window() {
  on_desktop "${VIEW[@]}" "$GUID" 2>"$PRIVATE/window.log" </dev/null &
  VIEWER=$!
  ! can_type || eventually_unless_gone "$VIEWER" window_is_open
}

# Types into the window. Says what came of it, as a step, unless a person has closed the window meanwhile,
# or it could not be opened.
fill_window() {
  local result=typed name="a sentence is typed into the window, and reaches the guest"

  if ! can_type; then
    SENTENCE="this sentence was typed by qemu"
    name="QEMU types a sentence, because this desktop lets no program type"
  fi
  type_sentence || result="not typed"
  if [ "$result" = typed ] || [ -n "$PICTURE" ]; then
    step "$name" typed "$result"
  else
    progress "The window was closed before that. $(tail -n 1 "$PRIVATE/window.log")"
    echo
  fi
}

# Saves the window with its frame, as soon as it has the size of the guest's screen, and closes it.
take_picture() {
  eventually_unless_gone "$VIEWER" window_is_drawn
  (on_desktop import -silent -frame -window "$WINDOW" png:-) |
    convert png:- -strip -define png:exclude-chunks=date,time "PNG8:$PICTURE"
  kill_and_wait "$VIEWER"
}

# Tests whether the window shows the screen that vail-view saves.
window_is_drawn() {
  monitor '{"execute":"stop"}' >/dev/null
  view_as "$DESKTOP_USER" "$PICTURES/typed.png" >/dev/null
  (on_desktop import -silent -window "$WINDOW" png:-) |
    compare -metric AE - "$PICTURES/typed.png" null: >/dev/null 2>&1 && return
  monitor '{"execute":"cont"}' >/dev/null
  return 1
}

# Shows the guest in a window, and waits until that is closed.
show_window() {
  [ -n "$DESKTOP_USER" ] || return 0
  monitor '{"execute":"cont"}' >/dev/null
  progress "A window opens, and a sentence is typed into it."
  if ! open_window; then
    progress "The window could not be opened: $(tail -n 1 "$PRIVATE/window.log")"
    echo
    return
  fi
  fill_window
  if [ -n "$PICTURE" ]; then
    take_picture
  else
    progress "The window shows the guest. You may type, too. Close it to end the demo."
    wait "$VIEWER" || true
  fi
}
