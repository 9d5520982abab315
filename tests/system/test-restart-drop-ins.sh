#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks under a real systemd that a registration by a drop-in survives restarts of the daemon, also
# with a mistake in the configuration and nothing kept, and that a start ends it if the drop-in is
# gone.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=dadadada-dada-4ada-8ada-dadadadadada
FOLDER=/etc/vaild/machines.d

# write FILE TEXT: writes a file of the configuration in the box.
write() {
  box mkdir -p "$FOLDER"
  printf '%s\n' "$2" | box tee "$1" >/dev/null
}

set_up() {
  write "$FOLDER/one.json" "{ \"virtualMachineGuid\": \"$GUID\",
    \"displayClients\": [ { \"user\": \"vail-alice\" } ] }"
  expect "systemctl reload reads the drop-in inside of the sandbox" quietly \
    box systemctl reload vaild.service
  box_session vmm vail-vmm share-object "$GUID"
  expect_equal "a VM without display clients is registered" STATUS_SUCCESS "$(add_vm "$GUID" "$PID")"
  assign_gpu "$GUID" >/dev/null
  box_session viewer vail-alice open-object "$GUID"
  VIEWER=$PID
  expect_reply "the user of the drop-in registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
}

# restart HOW: restarts the daemon, and expects it to run again.
restart() {
  DAEMON=$(property MainPID)
  expect "$1: the daemon is restarted" quietly box systemctl restart vaild.service
  expect "$1: it runs again" eventually has_restarted
  reset_start_limits
}

check_restarts() {
  restart "unchanged drop-in"
  expect_equal "unchanged drop-in: the registration survives" "$VIEWER" "$(registered_pids)"
  write "$FOLDER/two.json" '{'
  restart "mistake"
  expect_equal "mistake: the registration survives with the drop-ins that were kept" "$VIEWER" \
    "$(registered_pids)"
  box rm /var/lib/vaild/configuration.json
  restart "mistake and nothing kept"
  expect_equal "mistake and nothing kept: the registration survives" "$VIEWER" "$(registered_pids)"
  box rm "$FOLDER/two.json"
  expect "the corrected configuration is reloaded" quietly box systemctl reload vaild.service
  expect_equal "the registration survives that, too" "$VIEWER" "$(registered_pids)"
  box rm "$FOLDER/one.json"
  restart "removed drop-in"
  expect "removed drop-in: the registration ends" eventually registered_pids_are ""
}

trap box_stop EXIT
box_start
box_install
set_up
check_restarts
box_log_on_failure
finish
