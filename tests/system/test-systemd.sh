#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the installed units under a real systemd: make install, start, stop, restart, reload,
# socket activation, the watchdog, the journal, metrics and vail-qemu@.service. The daemon runs as
# its own user in the sandbox of its unit.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

# READY has a vGPU, BARE has none, and UNKNOWN is not registered.
READY=11111111-1111-4111-8111-111111111111
BARE=22222222-2222-4222-8222-222222222222
UNKNOWN=33333333-3333-4333-8333-333333333333

UNITS=/usr/lib/systemd/system

# start_vmm USER: replaces the function of system-test.sh. Starts the process in the box, and sets
# VMM to its pid there.
start_vmm() {
  # shellcheck disable=SC2016
  VMM=$(box sh -c 'setpriv --reuid "$0" --regid "$0" --init-groups --inh-caps=-all -- \
    sleep infinity >/dev/null & echo $!' "$1")
  eventually box_runs_as "$VMM" "$(id -u "$1")"
}

# box_runs_as PID UID: tests whether the process executes sleep as this user.
box_runs_as() {
  box grep -qE "^Uid:	$2	$2	$2	$2\$" "/proc/$1/status" 2>/dev/null &&
    [ "$(box cat "/proc/$1/comm")" = sleep ]
}

# journal MESSAGE-NAME FIELD...: prints these fields of the last journal entry with this message id,
# on one line.
journal() {
  local id fields=()

  id=$(message_id "$1")
  shift
  fields=("${@/#/.}")
  box journalctl --sync
  box journalctl --quiet --no-pager -o json --lines 1 "MESSAGE_ID=$id" |
    jq -r "[$(IFS=, && echo "${fields[*]}")] | join(\" \")"
}

# message_id MESSAGE-NAME: prints the id of MESSAGE_... in catalog-ids.h.
message_id() {
  sed -n "s/^#define MESSAGE_$1 *\"\([0-9a-f]*\)\"/\1/p" "$ROOT/daemon/host/log/catalog-ids.h"
}

## Checks

# expect_exposure UNIT TENTHS: checks the rating of systemd-analyze security, from 0 to 100 tenths.
expect_exposure() {
  expect "systemd-analyze security rates the exposure of $1.service as $2 tenths at most" quietly \
    systemd-analyze security --offline=true "--threshold=$2" "$BOX_ROOT$UNITS/$1.service"
}

check_installation() {
  expect "make install succeeds" quietly make -s -C "$ROOT" install DESTDIR="$BOX_ROOT" prefix=/usr
  expect_equal "systemd-analyze verify reports no error in the units" "" \
    "$(box systemd-analyze verify "$UNITS"/vaild{.socket,.service,-metrics.service,-metrics.timer} \
      "$UNITS/vail-qemu@.service" 2>&1)"
  expect_exposure vaild 12 # it would be 10 without capset, by which the daemon loses its capability
  expect_exposure vaild-metrics 9
  expect_exposure vail-qemu@ 15
  expect "systemd-sysusers creates the user" quietly box systemd-sysusers vaild.conf
  expect "systemd-tmpfiles creates the folder" quietly box systemd-tmpfiles --create vaild.conf
  expect "journalctl accepts the message catalogue" quietly box journalctl --update-catalog
  cp "$HELPERS/send-fds" "$BOX_ROOT/usr/local/bin/"
  sed -i 's/^vaild:.*/&vail-carol/' "$BOX_ROOT/etc/group"
  box systemctl daemon-reload
}

check_start() {
  # Gives /dev/zero the role of a KFD device, so that the daemon has a GPU device to look for.
  box mount -t tmpfs tmpfs /sys/class
  box sh -c 'mkdir -p /sys/class/kfd/kfd && echo 1:5 >/sys/class/kfd/kfd/dev'
  expect "systemctl start succeeds" quietly box systemctl start vaild.service
  expect_equal "the service is active when systemctl start returns" active "$(property ActiveState)"
  expect_equal "the socket is active as well" active "$(property ActiveState vaild.socket)"
  expect_equal "systemd's fd store has the capacity that the daemon expects" \
    "$(grep -rhoP '^#define STORE_ENTRIES_MAX \K\d+' "$ROOT/daemon")" \
    "$(property FileDescriptorStoreMax)"
  DAEMON=$(property MainPID)
  expect_equal "the daemon is vaild, with no capability, NoNewPrivs and a seccomp filter" \
    "vaild vaild 0000000000000000 0000000000000000 0000000000080000 1 2" \
    "$(box stat -c '%U %G' "/proc/$DAEMON") $(box sed -nE \
      's/^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):\t//p' "/proc/$DAEMON/status" | paste -sd' ')"
  expect_equal "only vaild can enter the state folders, and every user can connect to the socket" \
    "root 755, vaild 700, vaild 700, root 666" \
    "$(box stat -c '%U %a' /run/vaild /run/vaild/state /var/lib/vaild "$SOCKET" | paste -sd, | sed 's/,/, /g')"
  expect_match "the journal has an entry of the start" '^6 vaild .*ready' \
    "$(journal STARTED PRIORITY _COMM MESSAGE)"
}

# expect_last_status CHECK EXPECTED USER REQUEST...: sends the requests on one connection, and
# expects the last reply to have this status.
expect_last_status() {
  local check=$1 expected=$2
  shift 2
  expect_equal "$check" "$expected" "$(ask "$@" | tail -n 1 | statuses)"
}

check_each_status() {
  ready_vm "$READY" "$ALICE_CLIENT"
  add_vm "$BARE" "$VMM" "$ALICE_CLIENT" >/dev/null
  expect_last_status "a malformed GUID is an invalid parameter" STATUS_INVALID_PARAMETER \
    vail-alice "$CONTEXT" "$(register nonsense)"
  expect_last_status "an unknown VM is not found" STATUS_NOT_FOUND \
    vail-alice "$CONTEXT" "$(register "$UNKNOWN")"
  expect_last_status "a user who is not a display client is denied" STATUS_ACCESS_DENIED \
    vail-bob "$CONTEXT" "$(register "$READY")"
  expect_last_status "root is denied as well" STATUS_ACCESS_DENIED \
    root "$CONTEXT" "$(register "$READY")"
  expect_last_status "a VM without a vGPU has no VAIL" STATUS_GRAPHICS_VAIL_STATE_CHANGED \
    vail-alice "$CONTEXT" "$(register "$BARE")"
  expect_last_status "a process without a graphics context is refused" STATUS_INVALID_DISPOSITION \
    vail-alice "$(register "$READY")"
  expect_last_status "a process with a context from CreateContext registers" STATUS_SUCCESS \
    vail-alice "$CONTEXT" "$(register "$READY")"
  expect_equal "a process that has a KFD device open registers, with another uid than the daemon" \
    "STATUS_SUCCESS kfd" \
    "$(register "$READY" | run_as vail-alice sh -c 'exec socat -t 1000000 - "UNIX-CONNECT:$0" 9</dev/zero' \
      "$SOCKET" | field '.parameters | "\(.status) \(.registration.graphicsContext)"')"
}

check_operators() {
  local quarantines

  quarantines=$(call io.vaild.Machine.ListQuarantines)
  expect_last_status "a member of the unit's group is an operator" STATUS_SUCCESS \
    vail-carol "$quarantines"
  expect_last_status "another user is not an operator" STATUS_ACCESS_DENIED vail-bob "$quarantines"
}

# Opens the session "viewer" of vail-alice and registers it for the VM. Sets VIEWER to its pid in
# the box.
viewer_starts() {
  session_open viewer vail-alice
  session_ask viewer "$CONTEXT"
  session_ask viewer "$(register "$READY")"
  VIEWER=$(field .parameters.registration.pid <<<"$REPLY")
}

viewer_exits() {
  box kill -KILL "$VIEWER"
  session_kill viewer
  eventually registered_pids_are ""
}

check_status_text() {
  expect "the unit's status text has the numbers of VMs, registrations and connections" eventually \
    property_is StatusText "2 VMs, 0 registrations, 0 connections"
  expect_match "systemctl status shows the status text" \
    'Status: "2 VMs, 0 registrations, 0 connections"' \
    "$(box systemctl status --no-pager vaild.service)"
  viewer_starts
  expect "the status text changes when a process registers" eventually property_is StatusText \
    "2 VMs, 1 registration, 1 connection"
  expect "systemd stores the pidfds of the VMM and the viewer" eventually \
    property_is NFileDescriptorStore 2
  viewer_exits
  expect "systemd releases the viewer's pidfd when the viewer has exited" eventually \
    property_is NFileDescriptorStore 1
}

check_journal() {
  viewer_starts
  expect_equal "the journal has an entry of the allowed call" \
    "6 $READY $VIEWER $ALICE $ALICE /usr/bin/socat io.vaild.RegisterVailProcess STATUS_SUCCESS" \
    "$(journal ALLOWED PRIORITY VAIL_{VM,PID,UID,GID,EXE,METHOD,STATUS})"
  viewer_exits
  expect_equal "the journal has an entry of the registration's end with the reason" \
    "6 $READY $VIEWER $ALICE processExited" \
    "$(journal REGISTRATION_ENDED PRIORITY VAIL_{VM,PID,UID,REASON})"
  ask vail-bob "$(register "$READY")" >/dev/null
  expect_equal "the journal has an entry of the denied call with the reason" \
    "5 $READY $BOB io.vaild.RegisterVailProcess STATUS_ACCESS_DENIED uid" \
    "$(journal DENIED PRIORITY VAIL_{VM,UID,METHOD,STATUS,REASON})"
  expect "the journal has one entry that summarises many denials" eventually denials_are_summarised
  box kill "$VMM"
  expect "the journal has an entry of the VM's end with the reason" eventually vm_end_is_logged
  expect_equal "the message catalogue explains every message id" "" "$(unexplained_ids)"
  expect_equal "journalctl -x shows no raw field names" "" \
    "$(box journalctl -x -u vaild --no-pager | grep -o '@VAIL_[A-Z]*@' | sort -u)"
}

# The number of denials within one second depends on the machine, so the summary may have any count.
# test-audit-records.sh checks the exact count with a clock that it controls.
denials_are_summarised() {
  # shellcheck disable=SC2046
  ask vail-bob $(for _ in {1..40}; do register "$READY" && echo; done) >/dev/null
  [[ $(journal DENIALS_SUMMARISED PRIORITY VAIL_UID VAIL_DENIED) =~ ^5\ $BOB\ [1-9][0-9]*$ ]]
}

vm_end_is_logged() {
  [[ $(journal VM_ENDED PRIORITY VAIL_VM VAIL_PID VAIL_REASON) =~ ^6\ .*\ $VMM\ vmmExited$ ]]
}

# Prints the ids in catalog-ids.h that the message catalogue does not explain.
unexplained_ids() {
  local id

  for id in $(sed -nE 's/^#define MESSAGE_.*"([0-9a-f]{32})".*/\1/p' "$ROOT/daemon/host/log/catalog-ids.h"); do
    box journalctl --dump-catalog "$id" 2>/dev/null | grep -q '^Subject: ' || echo "$id"
  done
}

check_reload() {
  reset_start_limits
  box sh -c 'echo "{\"limits\":{\"contextsPerUid\":2}}" >/etc/vaild/vaild.json'
  expect "reload: systemctl reload succeeds" quietly box systemctl reload vaild.service
  expect_equal "reload: the daemon uses the new limit" 2 "$(limit_of_contexts)"
  expect_equal "reload: the journal has an entry of the reload" 6 "$(journal RELOADED PRIORITY)"
  box sh -c 'echo "{\"limits\":{\"contextsPerUid\":3,\"pears\":1}}" >/etc/vaild/vaild.json'
  expect "reload: systemctl reload fails if the configuration is invalid" fails \
    box systemctl reload vaild.service
  expect_equal "reload: the same daemon continues with the previous limit" "2 active $DAEMON" \
    "$(limit_of_contexts) $(property ActiveState) $(property MainPID)"
  expect_match "reload: the journal entry names the file and the invalid key" \
    '^4 .*/etc/vaild/vaild.json:1:[0-9]+: limits.pears' "$(journal RELOAD_REFUSED PRIORITY MESSAGE)"
  expect "reload: the unit's log has the error message of vailctl as well" \
    log_has '^vailctl: .*limits\.pears'
  # systemctl reload calls vailctl as root, and root is always an operator.
  box sh -c 'echo "{\"operatorGroup\":\"vail-video\"}" >/etc/vaild/vaild.json'
  expect "reload: systemctl reload succeeds with another operator group" quietly \
    box systemctl reload vaild.service
  box rm /etc/vaild/vaild.json
  expect "reload: systemctl reload returns to the default operator group" quietly \
    box systemctl reload vaild.service
}

fails() { ! "$@" >/dev/null 2>&1; }

# Prints the limit of contexts per uid, which a failed call reports.
limit_of_contexts() {
  ask vail-alice "$CONTEXT" "$CONTEXT" "$CONTEXT" "$CONTEXT" |
    jq -r 'select(.error) | .parameters.maximum' | head -n 1
}

check_restart() {
  reset_start_limits
  local inode
  inode=$(box stat -c %i "$SOCKET")
  expect "systemctl restart succeeds" quietly box systemctl restart vaild.service
  expect_equal "systemctl restart keeps the socket, and the daemon serves it" \
    "$inode STATUS_SUCCESS" \
    "$(box stat -c %i "$SOCKET") $(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
  expect "systemctl restart starts another process" [ "$(property MainPID)" != "$DAEMON" ]
  expect "systemd releases stored fds that the restarted daemon does not need" eventually \
    property_is NFileDescriptorStore 0
  DAEMON=$(property MainPID)
}

# The descriptor store must survive a start with a mistake, so systemd must not give up.
check_mistake_at_start() {
  local mistake='/etc/vaild/vaild.json:2:13: limits.pears is not a key of "limits"; vaild.json(5) lists its keys'
  local pattern=${mistake%;*}

  reset_start_limits
  ready_vm "$READY" "$ALICE_CLIENT"
  box sh -c 'printf "{\n \"limits\": {\"pears\": 1}}\n" >/etc/vaild/vaild.json'
  expect "mistake: systemctl restart succeeds" quietly box systemctl restart vaild.service
  DAEMON=$(property MainPID)
  expect_equal "mistake: systemd has not tried again" "active 0" \
    "$(property ActiveState) $(property NRestarts)"
  expect_equal "mistake: the VM is there, and its pidfd is in the descriptor store" "$READY 1" \
    "$(running_vms) $(property NFileDescriptorStore)"
  expect_equal "mistake: all users are served with the last right configuration" STATUS_SUCCESS \
    "$(ask vail-alice "$(call io.vaild.ListRegistrations)" | statuses)"
  expect "mistake: systemctl status names file, line, column and key" status_has "$mistake"
  expect_match "mistake: vailctl status names file, line, column and key" "$pattern" \
    "$(box vailctl status)"
  expect_equal "mistake: the journal has an entry with the mistake" "3 $mistake" \
    "$(journal CONFIGURATION_WRONG PRIORITY VAIL_REASON)"
  expect_match "mistake: vaild --check-config names it" "$pattern" \
    "$(box setpriv --reuid vail-bob --clear-groups vaild --check-config 2>&1)"
  box rm /etc/vaild/vaild.json
  expect "mistake: systemctl reload succeeds once it is corrected" quietly \
    box systemctl reload vaild.service
  expect "mistake: systemctl status does not show it any more" eventually \
    property_is StatusText "1 VM, 0 registrations, 0 connections"
  box kill "$VMM"
  eventually running_vms_are ""
}

# status_has TEXT: tests whether systemctl status shows the text.
status_has() {
  local shown
  shown=$(box systemctl status --no-pager --full vaild.service) || true # not active: status 3
  [[ $shown =~ Status:\ \"[^$'\n']* && ${BASH_REMATCH[0]} == *"$1"* ]]
}

# Until the reason is gone, systemd starts the daemon again and again.
check_failing_start() {
  box systemctl stop vaild.service
  box sh -c 'mv /var/lib/vaild/quarantine /var/lib/vaild/moved && ln -s moved /var/lib/vaild/quarantine'
  box systemctl start --no-block vaild.service
  expect "failing start: systemctl status shows why" eventually status_has 'symbolic link'
  box sh -c 'rm /var/lib/vaild/quarantine && mv /var/lib/vaild/moved /var/lib/vaild/quarantine'
  expect "failing start: the daemon starts when the reason is gone" eventually \
    property_is ActiveState active
  DAEMON=$(property MainPID)
}

check_stop() {
  reset_start_limits
  expect "systemctl stop succeeds" quietly box systemctl stop vaild.service
  expect_equal "systemctl stop ends the daemon with exit status 0" "inactive success" \
    "$(property ActiveState) $(property Result)"
  expect_equal "systemctl stop removes the runtime state and keeps the socket" "no socket" \
    "$(box sh -c '[ -d /run/vaild/state ] && echo state || echo no; [ -S /run/vaild/vaild.sock ] && echo socket' | paste -sd' ')"
}

# The daemon must know the credentials of clients that sent requests before it was running.
check_socket_activation() {
  expect_equal "a connection starts the daemon and is answered" STATUS_SUCCESS \
    "$(ask vail-alice "$CONTEXT" | statuses)"
  expect_equal "the service is active after the connection" active "$(property ActiveState)"
  box systemctl stop vaild.service 2>/dev/null
  expect_equal "an operator whose connection starts the daemon is recognised as an operator" \
    STATUS_SUCCESS "$(ask vail-carol "$(call io.vaild.Machine.ListQuarantines)" | statuses)"
  expect "systemctl stop of socket and service succeeds" quietly \
    box systemctl stop vaild.socket vaild.service
  expect "systemctl stop of the socket removes it" fails box test -e "$SOCKET"
  reset_start_limits
  expect "systemctl start of the socket succeeds" quietly box systemctl start vaild.socket
  expect_equal "systemctl start of the socket does not start the daemon" inactive \
    "$(property ActiveState)"
  ask vail-alice "$CONTEXT" >/dev/null
  DAEMON=$(property MainPID)
}

# Sends fds whose close() blocks for ever, before the daemon starts. systemd's listening socket
# accepts fds. The connection that carries them exceeds connectionsPerUid, so that the daemon closes
# it without reading the fds.
check_fds_sent_before_start() {
  box systemctl stop vaild.service vaild.socket
  reset_start_limits
  box rm -f /run/go
  override "ExecStartPre=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.05; done'"
  box sh -c 'echo "{\"limits\":{\"connectionsPerUid\":1}}" >/etc/vaild/vaild.json'
  box systemctl start vaild.socket
  session_open viewer vail-alice
  eventually connection_waits || true
  : >"$PRIVATE/sent"
  (exec_as vail-alice /usr/local/bin/send-fds "$SOCKET" 4 linger \
    < <(exec sleep infinity) >"$PRIVATE/sent") &
  expect "fds before start: a client sends fds before the daemon runs" eventually \
    grep -q sent "$PRIVATE/sent"
  box touch /run/go
  expect_equal "fds before start: the daemon serves other users" STATUS_SUCCESS \
    "$(ask vail-bob "$(call io.vaild.ListRegistrations)" | statuses)"
  session_status viewer "$CONTEXT"
  expect_equal "fds before start: the daemon serves the user's earlier connection" STATUS_SUCCESS \
    "$STATUS"
  box pkill -x -u vail-alice 'socat|send-fds'
  session_kill viewer
  box rm /etc/vaild/vaild.json
  override
  box systemctl restart vaild.service
}

# Tests whether the socket has one connection that is not accepted. The listener itself is in the
# list as well.
connection_waits() { [ "$(box grep -c " $SOCKET\$" /proc/net/unix)" -eq 2 ]; }

check_watchdog() {
  reset_start_limits
  override WatchdogSec=2s LimitCORE=0
  box systemctl restart vaild.service
  expect "watchdog: the daemon notifies the watchdog regularly" eventually has_notified_watchdog
  override LimitCORE=0
  box systemctl restart vaild.service
  DAEMON=$(property MainPID)
  hang_daemon
  expect "watchdog: a stopped daemon is killed and started again" eventually has_restarted
  expect_equal "watchdog: systemd has restarted the unit once" 1 "$(property NRestarts)"
  expect "watchdog: the log has the watchdog timeout" log_has 'atchdog timeout'
  DAEMON=$(property MainPID)
}

# Tests whether the daemon has notified the watchdog since the last call of this function. Compares
# the pid as well, because a start also sets the time, and on a busy machine the watchdog may kill
# and restart a healthy daemon.
has_notified_watchdog() {
  local before=${WATCHDOG_STATE:-}
  WATCHDOG_STATE="$(property MainPID) $(property WatchdogTimestampMonotonic)"
  [ -n "$before" ] && [ "${WATCHDOG_STATE% *}" = "${before% *}" ] &&
    [ "$WATCHDOG_STATE" != "$before" ]
}

check_user_namespace() {
  expect "the daemon does not start in a user namespace" \
    fails box systemd-run --quiet --wait --pipe \
    -p PrivateUsers=yes -p User=vaild /usr/sbin/vaild --socket /tmp/vaild.sock
  expect_match "the error message says that it needs the initial user namespace" \
    'initial user namespace' \
    "$(box systemd-run --quiet --wait --pipe -p PrivateUsers=yes -p User=vaild \
      /usr/sbin/vaild --socket /tmp/vaild.sock 2>&1)"
}

check_metrics() {
  local folder=/var/lib/prometheus/node-exporter

  expect_equal "metrics: the timer is disabled by default" disabled \
    "$(box systemctl is-enabled vaild-metrics.timer)"
  if ! box vailctl metrics >/dev/null 2>&1; then
    skip "metrics: node exporter" "vailctl has no command metrics"
    return
  fi
  box rm -rf "$folder"
  expect "metrics: the service may start without the folder of node exporter" quietly \
    box systemctl start vaild-metrics.service
  expect_equal "metrics: it does not fail then" inactive \
    "$(property ActiveState vaild-metrics.service)"
  box mkdir -p "$folder"
  expect "metrics: the service writes them" quietly box systemctl start vaild-metrics.service
  box journalctl --sync
  expect_equal "metrics: starts with and without the folder log nothing" "" \
    "$(box journalctl --quiet --no-pager -o cat --unit vaild-metrics.service)"
  expect_equal "metrics: there is one complete file, which everybody can read" "644 vaild.prom" \
    "$(box sh -c "cd $folder && stat -c '%a %n' *")"
  expect "metrics: a counter's family has the same name as its samples" box grep -q \
    '^# TYPE vaild_requests_total counter$' "$folder/vaild.prom"
  expect "metrics: nothing in the file is specific to OpenMetrics" fails \
    box grep -E '^# (EOF|UNIT)| info$' "$folder/vaild.prom"
  if command -v promtool >/dev/null; then
    expect "metrics: promtool reports no problem" quietly \
      promtool check metrics <"$BOX_ROOT$folder/vaild.prom"
  else
    skip "metrics: promtool reports no problem" "promtool is not installed"
  fi
}

# Runs vail-qemu@.service, in its sandbox, for a QEMU of another user.
check_vail_qemu_service() {
  local guest=/run/guest unit=vail-qemu@run-guest-qmp.service

  box install -d -o vail-vmm -m 700 "$guest"
  box systemd-run --quiet --unit guest -p User=vail-vmm qemu-system-x86_64 -accel tcg -nodefaults \
    -vga none -device virtio-vga -display dbus,p2p=yes -uuid "$UNKNOWN" \
    -qmp "unix:$guest/qmp,server=on,wait=off"
  expect "vail-qemu: QEMU has a monitor" eventually box test -S "$guest/qmp"
  expect_match "vail-qemu: without a display client the error message asks for its user" \
    'name the user whose viewer' "$(box vail-qemu --qmp "$guest/qmp" 2>&1)"
  box mkdir -p "/run/systemd/system/vail-qemu@.service.d"
  printf '[Service]\nEnvironment="VAIL_QEMU_OPTIONS=--user vail-alice"\n' |
    box tee "/run/systemd/system/vail-qemu@.service.d/user.conf" >/dev/null
  box systemctl daemon-reload
  expect "vail-qemu: the service starts" quietly box systemctl start "$unit"
  expect "vail-qemu: the service shares the guest's screen" eventually box_shares "console 0"
  box systemctl kill --signal KILL guest.service
  expect "vail-qemu: the service ends with QEMU" eventually has_ended "$unit"
  expect_equal "vail-qemu: the service ends with exit status 0" success "$(property Result "$unit")"
}

# box_shares NAME: tests whether NAME is the only shared object in the box.
box_shares() {
  [ "$(box vailctl --json objects | jq -r '.sharedObjects[].object.name')" = "$1" ]
}

has_ended() { [ "$(property ActiveState "$1")" = inactive ]; }

# Ignores the warnings that the checks above have provoked.
check_warnings() {
  box journalctl --sync
  expect_equal "the log has no other warnings of systemd or the daemon" "" \
    "$(box journalctl --quiet --no-pager -o cat -p warning --unit vaild.service --unit vaild.socket |
      grep -vE 'pears|symbolic link|Failed with result|Failed to start|atchdog|Main process exited|Killing process|Control process exited|Reload failed' || true)"
}

trap box_stop EXIT
box_start
check_installation
check_start
check_each_status
check_operators
check_status_text
check_journal
check_reload
check_restart
check_mistake_at_start
check_failing_start
check_stop
check_socket_activation
check_fds_sent_before_start
check_watchdog
check_user_namespace
check_metrics
check_vail_qemu_service
check_warnings
box_log_on_failure
finish
