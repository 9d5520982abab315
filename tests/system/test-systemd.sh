#!/bin/bash
# SPDX-License-Identifier: MIT
#
# At home under a real systemd: what make install puts there is started, stopped, restarted,
# reloaded, started by its socket and killed by the watchdog; the daemon runs under its unit's own
# user and sandbox.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

READY=11111111-1111-4111-8111-111111111111
BARE=22222222-2222-4222-8222-222222222222
UNKNOWN=33333333-3333-4333-8333-333333333333

UNITS=/usr/lib/systemd/system

# Its pid is the box's.
start_vmm() {
  # shellcheck disable=SC2016
  VMM=$(box sh -c 'setpriv --reuid "$0" --regid "$0" --init-groups --inh-caps=-all -- \
    sleep infinity >/dev/null & echo $!' "$1")
  eventually box_runs_as "$VMM" "$(id -u "$1")"
}

box_runs_as() {
  box grep -qE "^Uid:	$2	$2	$2	$2\$" "/proc/$1/status" 2>/dev/null &&
    [ "$(box cat "/proc/$1/comm")" = sleep ]
}

# journal MESSAGE-NAME FIELD...: of the last record of that kind, as JSON values in one line.
journal() {
  local id fields=()

  id=$(message_id "$1")
  shift
  fields=("${@/#/.}")
  box journalctl --sync
  box journalctl --quiet --no-pager -o json --lines 1 "MESSAGE_ID=$id" |
    jq -r "[$(IFS=, && echo "${fields[*]}")] | join(\" \")"
}

message_id() {
  sed -n "s/^#define MESSAGE_$1 *\"\([0-9a-f]*\)\"/\1/p" "$ROOT/daemon/host/log/catalog-ids.h"
}

## Checks

installing() {
  expect "make install" quietly make -s -C "$ROOT" install DESTDIR="$BOX_ROOT" prefix=/usr
  expect_equal "the units are sound, says systemd-analyze" "" \
    "$(box systemd-analyze verify "$UNITS"/vaild{.socket,.service,-metrics.service,-metrics.timer} \
      "$UNITS/vail-qemu@.service" 2>&1)"
  for unit in vaild vaild-metrics vail-qemu@; do
    expect "$unit.service is tightly closed, says systemd-analyze" quietly \
      systemd-analyze security --offline=true --threshold=15 "$BOX_ROOT$UNITS/$unit.service"
  done
  expect "systemd-sysusers makes the user" quietly box systemd-sysusers vaild.conf
  expect "systemd-tmpfiles makes the folder" quietly box systemd-tmpfiles --create vaild.conf
  expect "the catalogue is taken" quietly box journalctl --update-catalog
  cp "$HELPERS/send-fds" "$BOX_ROOT/usr/local/bin/"
  sed -i 's/^vaild:.*/&vail-carol/' "$BOX_ROOT/etc/group"
  box systemctl daemon-reload
}

starting() {
  # In the box /dev/zero has the number of a KFD device, so that there is something to look at.
  box mount -t tmpfs tmpfs /sys/class
  box sh -c 'mkdir -p /sys/class/kfd/kfd && echo 1:5 >/sys/class/kfd/kfd/dev'
  expect "systemctl start" quietly box systemctl start vaild.service
  expect_equal "it is active once that returns" active "$(property ActiveState)"
  expect_equal "and its socket" active "$(property ActiveState vaild.socket)"
  expect_equal "systemd has room for all that the daemon stores" \
    "$(grep -rhoP '^#define STORE_ENTRIES_MAX \K\d+' "$ROOT/daemon")" \
    "$(property FileDescriptorStoreMax)"
  DAEMON=$(property MainPID)
  expect_equal "it is its own user, which may ptrace and nothing else" \
    "vaild vaild 0000000000080000 0000000000080000 0000000000080000 1 2" \
    "$(box stat -c '%U %G' "/proc/$DAEMON") $(box sed -nE \
      's/^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):\t//p' "/proc/$DAEMON/status" | paste -sd' ')"
  expect_equal "the folders are closed, the socket is open" \
    "root 755, vaild 700, vaild 700, root 666" \
    "$(box stat -c '%U %a' /run/vaild /run/vaild/state /var/lib/vaild "$SOCKET" | paste -sd, | sed 's/,/, /g')"
  expect_match "the journal knows when it started" '^6 vaild .*ready' \
    "$(journal STARTED PRIORITY _COMM MESSAGE)"
}

# last CHECK EXPECTED USER REQUEST...: the last answer's status.
last() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" "$(ask "$@" | tail -n 1 | statuses)"
}

six_statuses() {
  ready_vm "$READY" "$ALICE_CLIENT"
  add_vm "$BARE" "$VMM" "$ALICE_CLIENT" >/dev/null
  last "a malformed GUID" STATUS_INVALID_PARAMETER vail-alice "$CONTEXT" "$(register nonsense)"
  last "no VM of that GUID" STATUS_NOT_FOUND vail-alice "$CONTEXT" "$(register "$UNKNOWN")"
  last "another uid" STATUS_ACCESS_DENIED vail-bob "$CONTEXT" "$(register "$READY")"
  last "root" STATUS_ACCESS_DENIED root "$CONTEXT" "$(register "$READY")"
  last "no vGPU" STATUS_GRAPHICS_VAIL_STATE_CHANGED vail-alice "$CONTEXT" "$(register "$BARE")"
  last "no context" STATUS_INVALID_DISPOSITION vail-alice "$(register "$READY")"
  last "all well" STATUS_SUCCESS vail-alice "$CONTEXT" "$(register "$READY")"
  expect_equal "all well, with a device that another uid has open" "STATUS_SUCCESS kfd" \
    "$(register "$READY" | run_as vail-alice sh -c 'exec socat -t 1000000 - "UNIX-CONNECT:$0" 9</dev/zero' \
      "$SOCKET" | field '.parameters | "\(.status) \(.registration.graphicsContext)"')"
}

operators() {
  local quarantines

  quarantines=$(call io.vaild.Machine.ListQuarantines)
  last "the unit's group is the operators'" STATUS_SUCCESS vail-carol "$quarantines"
  last "others are none" STATUS_ACCESS_DENIED vail-bob "$quarantines"
}

# viewer_starts: alice is registered; her process is in VIEWER, as the box counts.
viewer_starts() {
  session_open viewer vail-alice
  session_ask viewer "$CONTEXT"
  session_ask viewer "$(register "$READY")"
  VIEWER=$(field .parameters.registration.pid <<<"$REPLY")
}

viewer_exits() {
  box kill -KILL "$VIEWER"
  session_kill viewer
  eventually registered_are ""
}

status_line() {
  expect "the status says what is going on" eventually property_is StatusText \
    "2 VMs, 0 registrations, 0 connections"
  expect_match "systemctl status shows it" 'Status: "2 VMs, 0 registrations, 0 connections"' \
    "$(box systemctl status --no-pager vaild.service)"
  viewer_starts
  expect "and follows" eventually property_is StatusText "2 VMs, 1 registration, 1 connection"
  expect "systemd has the pidfds of VMM and viewer" eventually property_is NFileDescriptorStore 2
  viewer_exits
  expect "and lets go of the viewer's" eventually property_is NFileDescriptorStore 1
}

# What one may see of a registration that was refused, one that was allowed, and their ends.
journal_records() {
  viewer_starts
  expect_equal "the journal: allowed" \
    "6 $READY $VIEWER $ALICE $ALICE /usr/bin/socat io.vaild.RegisterVailProcess STATUS_SUCCESS" \
    "$(journal ALLOWED PRIORITY VAIL_{VM,PID,UID,GID,EXE,METHOD,STATUS})"
  viewer_exits
  expect_equal "the journal: a registration ended" "6 $READY $VIEWER $ALICE processExited" \
    "$(journal REGISTRATION_ENDED PRIORITY VAIL_{VM,PID,UID,REASON})"
  ask vail-bob "$(register "$READY")" >/dev/null
  expect_equal "the journal: denied, and why" \
    "5 $READY $BOB io.vaild.RegisterVailProcess STATUS_ACCESS_DENIED uid" \
    "$(journal DENIED PRIORITY VAIL_{VM,UID,METHOD,STATUS,REASON})"
  expect "the journal: denies are summed up" eventually denies_are_summed_up
  box kill "$VMM"
  expect "the journal: a VM ended" eventually vm_has_ended
  expect_equal "each message has its explanation" "" "$(unexplained)"
}

# How many of the requests one second is enough for depends on the machine. test-records counts them.
denies_are_summed_up() {
  # shellcheck disable=SC2046
  ask vail-bob $(for _ in {1..40}; do register "$READY" && echo; done) >/dev/null
  [[ $(journal DENIES_SUMMARISED PRIORITY VAIL_UID VAIL_DENIED) =~ ^5\ $BOB\ [1-9][0-9]*$ ]]
}

vm_has_ended() {
  [[ $(journal VM_ENDED PRIORITY VAIL_VM VAIL_PID VAIL_REASON) =~ ^6\ .*\ $VMM\ vmmExited$ ]]
}

# The messages of the header that the catalogue does not explain.
unexplained() {
  local id

  for id in $(sed -nE 's/^#define MESSAGE_.*"([0-9a-f]{32})".*/\1/p' "$ROOT/daemon/host/log/catalog-ids.h"); do
    box journalctl --dump-catalog "$id" 2>/dev/null | grep -q '^Subject: ' || echo "$id"
  done
}

reloading() {
  forget_starts
  box sh -c 'echo "{\"limits\":{\"contextsPerUid\":2}}" >/etc/vaild/vaild.json'
  expect "systemctl reload" quietly box systemctl reload vaild.service
  expect_equal "what the file says counts" 2 "$(limit_of_contexts)"
  expect_equal "the journal: reloaded" 6 "$(journal RELOADED PRIORITY)"
  box sh -c 'echo "{\"limits\":{\"contextsPerUid\":3,\"pears\":1}}" >/etc/vaild/vaild.json'
  expect "a mistake fails the reload" fails box systemctl reload vaild.service
  expect_equal "and the old one stays in force" "2 active $DAEMON" \
    "$(limit_of_contexts) $(property ActiveState) $(property MainPID)"
  expect_match "the journal: refused, with file and key" '^4 .*/etc/vaild/vaild.json: limits.pears' \
    "$(journal RELOAD_REFUSED PRIORITY MESSAGE)"
  expect "who reloaded reads it, too" log_has '^vailctl: .*limits\.pears'
  # Whoever is an operator by the file, root reloads.
  box sh -c 'echo "{\"operatorGroup\":\"vail-video\"}" >/etc/vaild/vaild.json'
  expect "another group for operators" quietly box systemctl reload vaild.service
  box rm /etc/vaild/vaild.json
  expect "and back" quietly box systemctl reload vaild.service
}

fails() { ! "$@" >/dev/null 2>&1; }

limit_of_contexts() {
  ask vail-alice "$CONTEXT" "$CONTEXT" "$CONTEXT" "$CONTEXT" |
    jq -r 'select(.error) | .parameters.maximum' | head -n 1
}

restarting() {
  forget_starts
  local inode
  inode=$(box stat -c %i "$SOCKET")
  expect "systemctl restart" quietly box systemctl restart vaild.service
  expect_equal "the socket is the same, and serves" "$inode STATUS_SUCCESS" \
    "$(box stat -c %i "$SOCKET") $(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
  expect "the daemon is another" [ "$(property MainPID)" != "$DAEMON" ]
  expect "what nothing asks for is let go" eventually property_is NFileDescriptorStore 0
  DAEMON=$(property MainPID)
}

stopping() {
  forget_starts
  expect "systemctl stop" quietly box systemctl stop vaild.service
  expect_equal "it ends well" "inactive success" "$(property ActiveState) $(property Result)"
  expect_equal "what belongs to a run goes, the socket stays" "no socket" \
    "$(box sh -c '[ -d /run/vaild/state ] && echo state || echo no; [ -S /run/vaild/vaild.sock ] && echo socket' | paste -sd' ')"
}

# What is sent before the daemon runs is told apart as well; descriptors that came along included.
starting_by_socket() {
  expect_equal "a connection starts it" STATUS_SUCCESS \
    "$(ask vail-alice "$CONTEXT" | statuses)"
  expect_equal "and it is up" active "$(property ActiveState)"
  box systemctl stop vaild.service 2>/dev/null
  expect_equal "an operator is one from the first byte on" STATUS_SUCCESS \
    "$(ask vail-carol "$(call io.vaild.Machine.ListQuarantines)" | statuses)"
  expect "stopping the socket stops both" quietly box systemctl stop vaild.socket vaild.service
  expect "and removes it" fails box test -e "$SOCKET"
  forget_starts
  expect "starting the socket does not start the daemon" quietly box systemctl start vaild.socket
  expect_equal "before somebody connects" inactive "$(property ActiveState)"
  ask vail-alice "$CONTEXT" >/dev/null
  DAEMON=$(property MainPID)
}

# Systemd's listener takes descriptors, and closing these never returns: the connection that they
# came with is one too many, so that it is closed with them in it.
descriptors_from_before() {
  box systemctl stop vaild.service vaild.socket
  forget_starts
  box rm -f /run/go
  override "ExecStartPre=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.05; done'"
  box sh -c 'echo "{\"limits\":{\"connectionsPerUid\":1}}" >/etc/vaild/vaild.json'
  box systemctl start vaild.socket
  session_open viewer vail-alice
  eventually somebody_waits || true
  : >"$PRIVATE/sent"
  (exec_as vail-alice /usr/local/bin/send-fds "$SOCKET" 4 linger \
    < <(exec sleep infinity) >"$PRIVATE/sent") &
  expect "descriptors are sent before it runs" eventually grep -q sent "$PRIVATE/sent"
  box touch /run/go
  expect_equal "they do not keep it from others" STATUS_SUCCESS \
    "$(ask vail-bob "$(call io.vaild.ListRegistrations)" | statuses)"
  session_status viewer "$CONTEXT"
  expect_equal "nor who came first" STATUS_SUCCESS "$STATUS"
  box pkill -x -u vail-alice 'socat|send-fds'
  session_kill viewer
  box rm /etc/vaild/vaild.json
  override
  box systemctl restart vaild.service
}

# The listener, and a connection that nobody has accepted yet.
somebody_waits() { [ "$(box grep -c " $SOCKET\$" /proc/net/unix)" -eq 2 ]; }

watchdog() {
  forget_starts
  override WatchdogSec=2s LimitCORE=0
  box systemctl restart vaild.service
  expect "it pets the watchdog" eventually has_petted
  override LimitCORE=0
  box systemctl restart vaild.service
  DAEMON=$(property MainPID)
  get_stuck
  expect "one that is stuck is killed, and started anew" eventually is_another_and_up
  expect_equal "by the watchdog" 1 "$(property NRestarts)"
  expect "which the log tells" log_has 'atchdog timeout'
  DAEMON=$(property MainPID)
}

# Whether the same daemon has told the watchdog that it lives since this was asked last. A start sets
# the time as well, and on a busy machine the watchdog may kill a daemon that was not at fault.
has_petted() {
  local before=${PETTED:-}
  PETTED="$(property MainPID) $(property WatchdogTimestampMonotonic)"
  [ -n "$before" ] && [ "${PETTED% *}" = "${before% *}" ] && [ "$PETTED" != "$before" ]
}

in_a_user_namespace() {
  expect "in a user namespace it does not start" fails box systemd-run --quiet --wait --pipe \
    -p PrivateUsers=yes -p User=vaild /usr/sbin/vaild --socket /tmp/vaild.sock
  expect_match "and says so" 'initial user namespace' \
    "$(box systemd-run --quiet --wait --pipe -p PrivateUsers=yes -p User=vaild \
      /usr/sbin/vaild --socket /tmp/vaild.sock 2>&1)"
}

metrics() {
  local folder=/var/lib/prometheus/node-exporter

  expect_equal "metrics are written when that is asked for alone" disabled \
    "$(box systemctl is-enabled vaild-metrics.timer)"
  if ! box vailctl metrics >/dev/null 2>&1; then
    skip "metrics for node exporter" "vailctl has no command metrics"
    return
  fi
  box mkdir -p "$folder"
  expect "they are written" quietly box systemctl start vaild-metrics.service
  expect_equal "whole, for everybody to read" "644 vaild.prom" \
    "$(box sh -c "cd $folder && stat -c '%a %n' *")"
  expect "with families named as their samples" box grep -q \
    '^# TYPE vaild_requests_total counter$' "$folder/vaild.prom"
  expect "in the older format alone" fails box grep -E '^# (EOF|UNIT)| info$' "$folder/vaild.prom"
  if command -v promtool >/dev/null; then
    expect "promtool has nothing to say" quietly promtool check metrics <"$BOX_ROOT$folder/vaild.prom"
  else
    skip "promtool check metrics" "there is no promtool"
  fi
}

# The agent of a guest, in its unit's own sandbox, for a QEMU of another user's.
guest_screen() {
  local guest=/run/guest unit=vail-qemu@run-guest-qmp.service

  box install -d -o vail-vmm -m 700 "$guest"
  box systemd-run --quiet --unit guest -p User=vail-vmm qemu-system-x86_64 -accel tcg -nodefaults \
    -vga none -device virtio-vga -display dbus,p2p=yes -uuid "$UNKNOWN" \
    -qmp "unix:$guest/qmp,server=on,wait=off"
  expect "QEMU has a monitor" eventually box test -S "$guest/qmp"
  expect_match "without a display client it says that it wants one" 'name the user whose viewer' \
    "$(box vail-qemu --qmp "$guest/qmp" 2>&1)"
  box mkdir -p "/run/systemd/system/vail-qemu@.service.d"
  printf '[Service]\nEnvironment="VAIL_QEMU_OPTIONS=--user vail-alice"\n' |
    box tee "/run/systemd/system/vail-qemu@.service.d/user.conf" >/dev/null
  box systemctl daemon-reload
  expect "vail-qemu@.service starts" quietly box systemctl start "$unit"
  expect "the guest's screen is shared" eventually box_shares "console 0"
  box systemctl kill --signal KILL guest.service
  expect "with QEMU it ends" eventually has_ended "$unit"
  expect_equal "well" success "$(property Result "$unit")"
}

box_shares() {
  [ "$(box vailctl --json objects | jq -r '.sharedObjects[].object.name')" = "$1" ]
}

has_ended() { [ "$(property ActiveState "$1")" = inactive ]; }

# Nothing that systemd or the daemon had to complain of, but what was provoked.
no_complaints() {
  box journalctl --sync
  expect_equal "nothing else to complain of" "" \
    "$(box journalctl --quiet --no-pager -o cat -p warning --unit vaild.service --unit vaild.socket |
      grep -vE 'pears|atchdog|Main process exited|Killing process|Control process exited|Reload failed' || true)"
}

trap box_stop EXIT
box_start
installing
starting
six_statuses
operators
status_line
journal_records
reloading
restarting
stopping
starting_by_socket
descriptors_from_before
watchdog
in_a_user_namespace
metrics
guest_screen
no_complaints
box_log_on_failure
finish
