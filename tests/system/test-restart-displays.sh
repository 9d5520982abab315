#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks under a real systemd that a display channel survives a restart and a kill of the daemon,
# and that the new daemon can still end it at both ends.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

GUID=88888888-8888-4888-8888-888888888888
RIGHTS=3

set_up() {
  box_session agent vail-vmm play-display "$GUID"
  expect_equal "the VM is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$PID" '{"user":"vail-alice","rights":["input"]}')"
  assign_gpu "$GUID" >/dev/null
  box_session viewer vail-alice play-display "$GUID"
  VIEWER=$PID
  expect_reply "the viewer registers" STATUS_SUCCESS viewer register
  expect_reply "the agent serves" STATUS_SUCCESS agent serve
  expect_reply "the agent is told that it serves" begun agent next
  expect_reply "the viewer opens a display" "STATUS_SUCCESS $RIGHTS" viewer "open 0"
  expect_reply "the agent gets it" "opened $RIGHTS" agent next
}

displays() { ask root "$(call io.vaild.Display.ListDisplays)"; }

# check_restart HOW COMMAND...: restarts the daemon, and expects that words still pass.
check_restart() {
  local how=$1 before
  shift
  DAEMON=$(property MainPID)
  before=$(displays)
  expect "$how: the command succeeds" quietly "$@"
  expect "$how: the daemon starts again" eventually has_restarted
  expect_equal "$how: the list is the same" "$before" "$(displays)"
  expect_reply "$how: the viewer says a word" said viewer "say key"
  expect_reply "$how: the agent hears it" key agent hear
  expect_reply "$how: the agent notices the interruption" interrupted agent next
  expect_reply "$how: the agent serves again, and gets no channel twice" begun agent next
  expect_reply "$how: the agent says a word" said agent "say picture"
  expect_reply "$how: the viewer hears it" picture viewer hear
  reset_start_limits
}

check_revocation() {
  expect_equal "after the restarts the registration is revoked" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.RevokeRegistration \
      "{\"virtualMachineGuid\":\"$GUID\",\"pid\":$VIEWER}")" | statuses)"
  expect_reply "after the restarts the viewer sees the end" end viewer hear
  expect_reply "after the restarts the agent sees the end" end agent hear
  expect_reply "after the restarts the agent cannot write" broken agent "say picture"
  expect_reply "after the restarts vaild tells the agent" "closed revoked" agent next
}

# A viewer that exits while the daemon does not run loses its channel at the next start.
check_exit_during_restart() {
  expect_reply "the viewer registers again" STATUS_SUCCESS viewer register
  expect_reply "the viewer opens another display" "STATUS_SUCCESS $RIGHTS" viewer "open 0"
  expect_reply "the agent gets that, too" "opened $RIGHTS" agent next
  DAEMON=$(property MainPID)
  expect "exit during a restart: the daemon is stopped" quietly \
    box systemctl kill --signal STOP vaild.service
  box kill -KILL "$VIEWER"
  expect "exit during a restart: the daemon is killed" quietly \
    box systemctl kill --signal KILL vaild.service
  expect "exit during a restart: the daemon starts again" eventually has_restarted
  expect_reply "exit during a restart: the agent sees the end" end agent hear
  expect_reply "exit during a restart: the agent notices the interruption" interrupted agent next
  expect_reply "exit during a restart: the agent serves again" begun agent next
  expect_reply "exit during a restart: vaild tells the agent" "closed daemonStopped" agent next
  expect_equal "exit during a restart: no channel is left" 0 "$(displays | field '.parameters.displays | length')"
  reset_start_limits
}

trap box_stop EXIT
box_start
box_install
set_up
check_restart "systemctl restart" box systemctl restart vaild.service
check_restart "SIGKILL" box systemctl kill --signal KILL vaild.service
check_revocation
check_exit_during_restart
box_log_on_failure
finish
