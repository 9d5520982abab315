#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Persists fds and processes in the fd store of a real systemd. They come back after a restart, a
# crash and a kill by the watchdog. Released ones do not come back. All entries of a full store come
# back.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

UNIT=persist.service

# A larger store would take long to fill, because PID 1 compares each new fd with every fd in the
# store by a system call.
STORED_MAX=1024

# Installs and starts a service that persists fds with the daemon's own code.
install_service() {
  cp "$HELPERS/persist-fds" "$BOX_ROOT/usr/local/bin/"
  box tee "/run/systemd/system/$UNIT" >/dev/null <<UNIT
[Unit]
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/persist-fds /run/persist /run/persist/socket
FileDescriptorStoreMax=$STORED_MAX
Environment=FDSTORE=$STORED_MAX
RuntimeDirectory=persist
RuntimeDirectoryPreserve=restart
LimitNOFILE=65536
LimitCORE=0
Restart=on-failure
RestartSec=0
ProcSubset=pid
Environment=VAILD_BOOT_ID=%b
UNIT
  box systemctl daemon-reload
  expect "the service starts" box systemctl start "$UNIT"
}

# service COMMAND...: sends the service a command and prints the reply.
service() {
  box "${SOCAT[@]}" - UNIX-CONNECT:/run/persist/socket <<<"$*"
}

# expect_stored CASE NUMBER: waits until systemd's fd store has NUMBER entries.
expect_stored() {
  expect "$1: systemd stores $2 fds" eventually property_is NFileDescriptorStore "$2"
}

restart() { box systemctl restart "$UNIT"; }

# crash SIGNAL: kills the service with SIGNAL and waits until systemd has restarted it.
crash() {
  DAEMON=$(property MainPID)
  box systemctl kill --signal "$1" --kill-who main "$UNIT"
  eventually has_restarted
}

test_persisting() {
  expect_equal "the first fd gets the id 1" 1 "$(service make)"
  expect_equal "the second fd gets the id 2" 2 "$(service make)"
  expect_equal "a copy of an fd gets the id of the fd" 1 "$(service again 1)"
  expect_equal "the third fd gets the id 3" 3 "$(service make)"
  # shellcheck disable=SC2016
  PROCESS=$(box sh -c 'sleep infinity >/dev/null & echo $!')
  expect_equal "the first process gets the key 1" 1 "$(service watch "$PROCESS")"
  expect_stored "a copy of an fd is not stored again" 4
  PERSISTED=$(service list)
  expect_match "the service lists all fds and the process" \
    "^m1:[0-9]+ m2:[0-9]+ m3:[0-9]+ p1:$PROCESS\$" "$PERSISTED"
}

test_restoring() {
  expect "systemctl can restart the service" restart
  expect_equal "all entries come back after a restart" "$PERSISTED" "$(service list)"
  expect_stored "after a restart" 4
  expect "systemd restarts the service after a crash" crash KILL
  expect_equal "all entries come back after a crash" "$PERSISTED" "$(service list)"
  expect_stored "after a crash" 4
  expect "systemd restarts the service after SIGABRT, as from the watchdog" crash ABRT
  expect_equal "all entries come back after SIGABRT" "$PERSISTED" "$(service list)"
}

test_releasing() {
  expect_equal "a released fd is gone" gone "$(service release 2)"
  expect_stored "after a release" 3
  expect_equal "a second use of an fd has the same id" 3 "$(service again 3)"
  expect_equal "an fd stays stored while one of two uses remains" kept "$(service release 3)"
  expect "systemd restarts the service after a crash that follows a release" crash KILL
  expect_equal "a released fd does not come back" "$(cut -d' ' -f1,3,4 <<<"$PERSISTED")" \
    "$(service list)"
  box kill -KILL "$PROCESS"
  restart
  expect_equal "a process that has exited does not come back" "$(cut -d' ' -f1,3 <<<"$PERSISTED")" \
    "$(service list)"
  expect_stored "after the exit of the process" 2
  expect_equal "the id of a released fd is not reused" 4 "$(service make)"
}

# Checks that a stop removes all entries, and that a start releases entries without a record.
test_reconciling() {
  box systemctl stop "$UNIT"
  expect_equal "systemd empties the store when the service is stopped" 0 \
    "$(property NFileDescriptorStore)"
  box systemctl start "$UNIT"
  expect_equal "a service that was stopped starts without entries" "" "$(service list)"
  expect_equal "a service that was stopped begins with the id 1" 1 "$(service make)"
  service make >/dev/null
  expect_stored "before the records are lost" 2
  box rm /run/persist/records
  expect "systemd restarts the service after its records are removed" crash KILL
  expect_equal "an entry without a record is released" "" "$(service list)"
  expect_stored "without records" 0
  expect "an entry without a record is logged" log_has 'descriptor 1 was dropped: it has no record'
  expect_equal "the id of an entry without a record is not reused" 3 "$(service make)"
}

# Fills the store. One of its entries is already used, by the memfd that test_reconciling has made.
test_full_store() {
  expect_equal "the service fills the whole store" $((STORED_MAX - 1)) "$(service fill)"
  expect_stored "with a full store" "$STORED_MAX"
  PERSISTED=$(service list)
  expect "systemctl can restart a service with a full store" restart
  expect_equal "all entries of a full store come back" "$PERSISTED" "$(service list)"
  expect_equal "a full store accepts no fd after a restart" 0 "$(service make)"
  expect_stored "after the restart with a full store" "$STORED_MAX"
}

trap box_stop EXIT
box_start
install_service
test_persisting
test_restoring
test_releasing
test_reconciling
test_full_store
box_log_on_failure
finish
