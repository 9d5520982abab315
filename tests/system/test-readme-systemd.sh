#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the README's section on a host under systemd, as it would be pasted into a shell of such a
# host: install, a VM, a reload, metrics and uninstall.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"
# shellcheck source=tests/system/lib/readme.sh
. "$ROOT/tests/system/lib/readme.sh"

# Prints the installed files of vaild that are in the box.
installed_files() {
  sed -e '/^#/d' -e 's|PREFIX|usr|' -e 's/ -> .*//' "$ROOT/tests/system/installed-files" |
    while read -r _ path; do
      if [ -e "$BOX_ROOT/$path" ]; then echo "$path"; fi
    done
}

metrics_are_written() { grep -qs '^vaild_' "$BOX_ROOT/var/lib/prometheus/node-exporter/vaild.prom"; }

# limit_of_connections: prints connectionsPerUid, as the daemon uses it.
limit_of_connections() {
  box vailctl --json limits | jq '.limits[] | select(.name == "connectionsPerUid") | .maximum'
}

check_host() {
  expect_equal "the guest and its agent run as units" "active active" \
    "$(property ActiveState guest.service) $(property ActiveState vail-qemu@run-guest.qmp.service)"
  expect_equal "vail-view writes the guest's screen" 1 "$(said '^[0-9]{3,}$')"
  expect_equal "the daemon uses the configuration after the reload" 512 "$(limit_of_connections)"
  expect "the timer writes the metrics" eventually metrics_are_written
}

check_removal() {
  rm -r "$BOX_ROOT/var/lib/prometheus"
  expect_equal "make uninstall leaves no file" "" "$(installed_files)"
  expect_equal "no unit is left that runs" "inactive inactive" \
    "$(property ActiveState vaild.service) $(property ActiveState vaild-metrics.timer)"
}

# run_section USER
run_section() {
  open_shell "$1"
  paste_file "$1: installing works as pasted" "$PRIVATE/install"
  check_host
  paste_file "$1: removing works as pasted" "$PRIVATE/remove"
  check_removal
  close_shell
}

needs_readme
examples "A host under systemd" >"$PRIVATE/section"
sed '/systemctl stop guest/,$d' "$PRIVATE/section" >"$PRIVATE/install"
sed -n '/systemctl stop guest/,$p' "$PRIVATE/section" >"$PRIVATE/remove"
expect "the section installs and removes" [ "$(wc -l <"$PRIVATE/remove")" -gt 3 ]
box_start
for_readers run_section "$BOX_ROOT/etc"
box_log_on_failure
box_stop
finish
