#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Upgrades vaild to the next version, and downgrades it again, while it works: 1000 registrations,
# 1000 shared objects, a display channel, a guest's screen with its agent and a viewer, and clients
# that connect and ask without a pause. Nothing is lost, no connect fails, and no request is answered
# twice. A downgrade to a version that cannot read the records is refused before anything stops.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"

MANY=1000
VM=88888888-8888-4888-8888-888888888888
OTHER=99999999-9999-4999-8999-999999999999
GUEST=22222222-2222-4222-8222-222222222222
RIGHTS=3

# add_vm_of SESSION USER TOOL GUID CLIENT: registers a VM with a vGPU. Its VMM is the new session.
add_vm_of() {
  box_session "$1" "$2" "$3" "$4"
  expect_equal "the VM of the session $1 is registered" STATUS_SUCCESS "$(add_vm "$4" "$PID" "$5")"
  assign_gpu "$4" >/dev/null
}

set_up() {
  expect_install "this version installs" this
  add_vm_of sharer vail-vmm share-object "$VM" "$ALICE_CLIENT"
  expect_reply "a VMM shares $MANY objects" STATUS_SUCCESS sharer "share-many $MANY"
  box_session many vail-alice register-many "$VM"
  expect_reply "$MANY processes register" "$MANY" many "register $MANY"
  add_vm_of agent vail-vmm play-display "$OTHER" '{"user":"vail-alice","rights":["input"]}'
  box_session viewer vail-alice play-display "$OTHER"
  expect_reply "a viewer registers" STATUS_SUCCESS viewer register
  expect_reply "an agent serves a display" STATUS_SUCCESS agent serve
  expect_reply "the agent is told that it serves" begun agent next
  expect_reply "the viewer opens a channel" "STATUS_SUCCESS $RIGHTS" viewer "open 0"
  expect_reply "the agent gets it" "opened $RIGHTS" agent next
  start_guest "$GUEST"
  exec_as vail-alice vail-view "a guest" --raw >"$PRIVATE/frames" 2>"$PRIVATE/vail-view.log" &
  VIEW=$!
  # It has no end, and so no reply.
  printf "%s\n" "play 0 20 100000000 0 0 8 8" >&"${SESSION_IN[qemu]}"
  expect "vail-view shows the guest's screen" frames_come
}

# Tests whether vail-view has written something since the last call. Empties the file, so that it
# stays small.
frames_come() {
  truncate --size 0 "$PRIVATE/frames"
  eventually_unless_gone "$VIEW" test -s "$PRIVATE/frames"
}

# Prints all lists of the daemon, an item a line. Leaves out what the clients renew after a restart: the
# agent says that it serves, and vail-view opens the screen, which changes all the time.
lists() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Gpu.ListProcesses)" \
    "$(call io.vaild.Display.ListDisplays)" |
    jq -c '.parameters[] | arrays | .[] | del(.lastUpdate, .displayServerPid) |
      if .object.name? == "console 0" then del(.holders) else . end'
}

# Keeps the lists in a file, to compare them later. They must hold what the set-up has made.
note_lists() {
  lists >"$PRIVATE/before"
  expect "$MANY registrations are listed" test "$(grep -c '"openObjects":' "$PRIVATE/before")" -ge "$MANY"
  expect "$MANY objects are listed" test "$(grep -c '"sharedByPid":' "$PRIVATE/before")" -ge "$MANY"
}

# start_load NAME: starts a client that counts answers.
start_load() {
  session_open_with "$1" vail-bob /usr/local/lib/helpers/count-answers "$SOCKET"
  read -r -u "${SESSION_OUT[$1]}" REPLY
  expect_equal "the load $1 starts" started "$REPLY"
}

# stop_load NAME: stops the client, and sets REPLY to its counts.
stop_load() {
  session_ask "$1" end
}

# Prints what must not change when vaild is upgraded: the start of the socket, and the agent's pid.
bystanders() {
  echo "$(property ActiveEnterTimestampMonotonic vaild.socket) $(property MainPID vail-qemu@run-guest.qmp)"
}

# expect_event CHECK EXPECTED: checks an event for which the agent waits since before the change.
expect_event() {
  read -r -u "${SESSION_OUT[agent]}" REPLY
  expect_equal "$1" "$2" "$REPLY"
}

# check_change HOW VERSION: changes the version of vaild under load.
check_change() {
  local how=$1 bystanders

  DAEMON=$(property MainPID)
  note_lists
  bystanders=$(bystanders)
  expect_match "socket and agent run" '^[1-9][0-9]* [1-9][0-9]*$' "$bystanders"
  start_load "$how"
  # vaild keeps channels for 30 seconds until their agent serves again, but this script can be slower.
  printf '%s\n' next next >&"${SESSION_IN[agent]}"
  expect_install "$how: apt succeeds" "$2"
  expect "$how: the daemon runs again" eventually has_restarted
  expect_event "$how: the agent notices the interruption" interrupted
  expect_event "$how: the agent serves again" begun
  lists >"$PRIVATE/after"
  stop_load "$how"
  expect_match "$how: no connect fails, no request is answered twice, and at most 2 are cut off" \
    '^refused 0 interrupted [012] twice 0$' "$REPLY"
  expect "$how: the lists are the same" quietly diff "$PRIVATE/before" "$PRIVATE/after"
  expect_equal "$how: socket and agent were not restarted" "$bystanders" "$(bystanders)"
  expect "$how: the screen reaches vail-view" frames_come
  expect_reply "$how: the viewer says a word" said viewer "say key"
  expect_reply "$how: the agent hears it" key agent hear
}

# Tests the version that the daemon tells against that of the package.
expect_version() {
  expect_equal "$1: the new daemon runs" "$(version_of_vaild | sed 's/-.*//')" \
    "$(ask root "$(call io.vaild.Monitor.GetStatus)" | field .parameters.version)"
}

# Makes a package of an older version that reads only records before those of this version.
make_too_old() {
  local folder=$PRIVATE/too-old

  dpkg-deb -R "$THIS"/vaild_*.deb "$folder"
  sed -i 's/^Version: .*/Version: 0.0.1-0vaild1/' "$folder/DEBIAN/control"
  sed -i 's/^newest=.*/newest=0/' "$folder/DEBIAN/preinst"
  dpkg-deb -b "$folder" "$BOX_ROOT/packages/too-old.deb" >/dev/null
}

check_refused_downgrade() {
  local before

  make_too_old
  DAEMON=$(property MainPID)
  note_lists
  before=$(version_of_vaild)
  expect "a downgrade to a version that cannot read the records fails" not apt install \
    --allow-downgrades /packages/too-old.deb
  expect "it says so, and how to go on" grep -q "cannot read the records" "$PRIVATE/apt"
  expect_equal "the version stays" "install ok installed $before" \
    "$(box dpkg-query -W -f '${Status} ${Version}' vaild)"
  lists >"$PRIVATE/after"
  expect "everything stays" quietly diff "$PRIVATE/before" "$PRIVATE/after"
  expect "the screen reaches vail-view" frames_come
  box systemctl stop vaild.socket vaild.service
  expect_apt "after systemctl stop, the downgrade succeeds" install --allow-downgrades \
    /packages/too-old.deb
}

trap box_stop EXIT
start_debian
set_up
check_change upgrade next
expect_version upgrade
check_change downgrade this
expect_version downgrade
check_refused_downgrade
box_log_on_failure
finish
