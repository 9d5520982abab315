#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks vailctl logs with a real journal, and vailctl wait across restarts of vaild, under a real
# systemd.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

WEB=d4d4d4d4-1111-4111-8111-111111111111
CTL=(vailctl)

# Starts the VM web with a vGPU, and has vail-alice register for it once.
set_up() {
  box_session vmm vail-vmm share-object "$WEB"
  VMM=$PID
  expect_vailctl root 0 "the VM is added" vm add "$WEB" --name web --pid "$PID" --user vail-alice
  expect_vailctl root 0 "the VM gets a vGPU" vgpu assign web
  expect_vailctl vail-alice 0 "a process registers" exec web -- true
  expect "the journal has the registration" eventually log_has RegisterVailProcess
}

# shellcheck disable=SC2317 # called by eventually
has_forged_entry() {
  box journalctl --sync
  box journalctl --quiet "VAIL_VM=$WEB" MESSAGE=forged | grep forged >/dev/null
}

check_entries() {
  # Another program must not be able to add entries.
  exec_as vail-alice sh -c "printf 'MESSAGE=forged\nVAIL_VM=$WEB\n' | logger --journald" &
  wait $! || not_ok "logger writes a forged entry" "logger failed"
  expect "the forged entry is in the journal" eventually has_forged_entry
  expect_vailctl root 0 "logs succeeds" logs
  expect_match "logs shows the start of the daemon" "ready on" "$SAID"
  expect_vailctl root 0 "logs of a VM succeeds" logs web
  expect_match "logs of a VM shows the registration" "RegisterVailProcess vm=$WEB" "$SAID"
  expect_equal "logs of a VM shows nothing else" 0 "$(grep -cE 'ready on|forged' <<<"$SAID")"
  expect_vailctl root 0 "logs takes a number of lines" logs --lines 1 --json "$WEB"
  expect_equal "each line is a document with the fields" "$WEB" "$(jq -r .VAIL_VM <<<"$SAID")"
  expect_vailctl vail-alice 1 "logs is refused to a user who may not read the journal" logs
  expect_match "logs says who may read it" "you may not read the system's journal" "$SAID"
}

check_following() {
  exec_as root vailctl logs web --follow >"$PRIVATE/followed" 2>&1 &
  local follower=$!
  expect "logs --follow shows the last entries" eventually grep -q RegisterVailProcess "$PRIVATE/followed"
  expect_vailctl root 0 "the VM goes into quarantine" vm quarantine web
  expect "logs --follow shows the new entry" eventually grep -q SetQuarantine "$PRIVATE/followed"
  kill "$follower"
  expect_vailctl root 0 "the quarantine is lifted" vm release web
}

# start_wait NAME USER GOAL: starts vailctl wait for the VM. The files NAME and NAME.said get its
# output and its messages.
start_wait() {
  exec_as "$2" vailctl wait web --for "$3" >"$PRIVATE/$1" 2>"$PRIVATE/$1.said" &
}

# watches_are NUMBER: tests whether this number of watches is open.
# shellcheck disable=SC2317 # called by eventually
watches_are() { [ "$(box vailctl metrics | sed -n 's/^vaild_used{.*"watches".*} //p')" = "$1" ]; }

check_restart() {
  local operator alice end

  start_wait operator root shared
  operator=$!
  start_wait alice vail-alice shared
  alice=$!
  start_wait end root ended
  end=$!
  expect "three commands wait" eventually watches_are 3
  quietly box systemctl restart vaild.service
  expect "they watch again after a restart" eventually watches_are 3
  session_ask vmm "share read memory"
  expect "the wait of an operator ends" wait "$operator"
  expect "the wait of a display client ends" wait "$alice"
  expect_equal "both print the handle" "$(cut -d ' ' -f 2 <<<"$REPLY") $(cut -d ' ' -f 2 <<<"$REPLY")" \
    "$(cat "$PRIVATE/operator" "$PRIVATE/alice" | xargs)"
  expect_match "the wait of a display client reports the restart" "vaild is back; waiting goes on" \
    "$(cat "$PRIVATE/alice.said")"
  box kill -KILL "$VMM"
  expect "the wait for the end ends with the VMM" wait "$end"
}

trap box_stop EXIT
box_start
box_install
set_up
check_entries
check_following
check_restart
box_log_on_failure
finish
