#!/bin/bash
# SPDX-License-Identifier: MIT
#
# vaild learns from udev's database that a GPU device comes or goes. If it cannot watch that folder,
# the log and `vailctl status` say so, and what to do instead.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

DATABASE=/run/udev/data
REMARK="are not watched, because $DATABASE cannot be: Permission denied"

vailctl() { "$PRIVATE/build/vailctl" --socket "$SOCKET" "$@"; }

# Prints the remarks of vailctl status about GPU devices.
remarks() { vailctl --json status | field '[.remarks[] | select(.subject | test("GPU")) | .subject + " " + .message] | join("; ")'; }

test_unwatched() {
  expect_match "status says that devices are not watched" "GPU devices of the host $REMARK" "$(remarks)"
  vailctl reload
  expect_equal "the log says it once" 1 "$(grep -c "$REMARK" "$LOG")"
}

test_watched_later() {
  chmod 755 "$DATABASE"
  vailctl reload
  expect_equal "a reload watches them, and the remark goes" "" "$(remarks)"
  chmod 700 "$DATABASE"
  vailctl reload
  expect_equal "they are still watched after a reload" "" "$(remarks)"
  expect_clean_stop
}

test_without_udev() {
  rm -r /run/udev
  start_daemon
  expect_equal "a host without udev has no remark about it" "" "$(remarks)"
}

mount -t tmpfs tmpfs /run
mkdir -p "$DATABASE"
chmod 700 "$DATABASE"
start_daemon
test_unwatched
test_watched_later
test_without_udev
expect_clean_stop
finish
