# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # the script that sources this sets the variables
#
# Compares the consoles that vail-view shows with QEMU's own screenshots. To be sourced after
# qemu-guest.sh.

# save_console NUMBER FILE: saves a console with vail-view, run by the VM's display user.
save_console() {
  rm -f "$2"
  run_as vail-alice "${VIEW[@]}" "$GUID" --name "console $1" --png "$2" \
    2>"$PRIVATE/image.log" </dev/null
}

# are_equal FILE FILE: compares two images.
are_equal() { "$HELPERS/same-image" "$1" "$2" 2>"$PRIVATE/image.log"; }

# A stopped guest keeps showing its last frame.
stop_guest() { monitor '{"execute":"stop"}' >/dev/null; }
continue_guest() { monitor '{"execute":"cont"}' >/dev/null; }

# console_equals_screendump [NUMBER [DEVICE]]: compares a console with QEMU's own screenshot of the
# device.
console_equals_screendump() {
  screendump "$PRIVATE/guest/dump.png" "${2:-}"
  save_console "${1:-0}" "$PICTURES/saved.png" &&
    are_equal "$PICTURES/saved.png" "$PRIVATE/guest/dump.png"
}

# expect_console_shown CHECK [NUMBER [DEVICE]]: stops the guest, and checks that the console equals
# QEMU's screenshot.
expect_console_shown() {
  local check=$1
  shift

  stop_guest
  if eventually console_equals_screendump "$@"; then
    ok "$check"
  else
    not_ok "$check" "$(cat "$PRIVATE/image.log")"
  fi
  continue_guest
}

# console_has_width_near WIDTH: tests whether the guest has taken this width, for example that of a
# window. A virtual GPU's modes have widths that are multiples of 8.
console_has_width_near() {
  local width

  width=$(console .object.width)
  [[ $width =~ ^[0-9]+$ ]] && [ "$width" -le "$1" ] && [ "$width" -gt $(($1 - 8)) ]
}
