#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What is kept comes back from a real systemd's descriptor store, after a restart, a crash and a
# watchdog's kill, and what is let go does not; of a full store everything comes back, too.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

UNIT=keep.service

# PID 1 compares each descriptor that it stores with all that it has, by a system call a pair.
STORED_MAX=1024

# In the box: a service that keeps as the daemon does.
install_keeper() {
  cp "$HELPERS/persist-fds" "$BOX_ROOT/usr/local/bin/"
  box tee /run/systemd/system/keep.service >/dev/null <<UNIT
[Unit]
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/persist-fds /run/keep /run/keep/socket
FileDescriptorStoreMax=$STORED_MAX
Environment=FDSTORE=$STORED_MAX
RuntimeDirectory=keep
RuntimeDirectoryPreserve=restart
LimitNOFILE=65536
LimitCORE=0
Restart=on-failure
RestartSec=0
ProcSubset=pid
Environment=VAILD_BOOT_ID=%b
UNIT
  box systemctl daemon-reload
  expect "the service starts" box systemctl start keep.service
}

# keeper COMMAND...: the answer.
keeper() {
  box "${SOCAT[@]}" - UNIX-CONNECT:/run/keep/socket <<<"$*"
}

# What systemd holds, which it hears of a little later.
expect_stored() {
  expect "$1: systemd has $2" eventually property_is NFileDescriptorStore "$2"
}

restart() { box systemctl restart keep.service; }

# crash SIGNAL
crash() {
  DAEMON=$(property MainPID)
  box systemctl kill --signal "$1" --kill-who main keep.service
  eventually is_another_and_up
}

keeping() {
  expect_equal "one is kept" 1 "$(keeper make)"
  expect_equal "another is kept" 2 "$(keeper make)"
  expect_equal "the same description is the same" 1 "$(keeper again 1)"
  expect_equal "a third" 3 "$(keeper make)"
  # shellcheck disable=SC2016
  PROCESS=$(box sh -c 'sleep infinity >/dev/null & echo $!')
  expect_equal "a process is kept" 1 "$(keeper watch "$PROCESS")"
  expect_stored "the same description is counted once" 4
  KEPT=$(keeper list)
  expect_match "they are what they are" "^m1:[0-9]+ m2:[0-9]+ m3:[0-9]+ p1:$PROCESS\$" "$KEPT"
}

coming_back() {
  expect "systemctl restart" restart
  expect_equal "after a restart all are there" "$KEPT" "$(keeper list)"
  expect_stored "after a restart" 4
  expect "a crash" crash KILL
  expect_equal "after a crash all are there" "$KEPT" "$(keeper list)"
  expect_stored "after a crash" 4
  expect "an abort, as the watchdog does" crash ABRT
  expect_equal "after an abort all are there" "$KEPT" "$(keeper list)"
}

letting_go() {
  expect_equal "let go of" gone "$(keeper release 2)"
  expect_stored "let go of" 3
  expect_equal "used by one more" 3 "$(keeper again 3)"
  expect_equal "used by one less" kept "$(keeper release 3)"
  expect "a crash at once" crash KILL
  expect_equal "what was let go of does not come back" "$(cut -d' ' -f1,3,4 <<<"$KEPT")" \
    "$(keeper list)"
  box kill -KILL "$PROCESS"
  restart
  expect_equal "nor does a process that is dead" "$(cut -d' ' -f1,3 <<<"$KEPT")" "$(keeper list)"
  expect_stored "without it" 2
  expect_equal "an id is not used again" 4 "$(keeper make)"
}

# What systemd has and no record names, and the other way round.
reconciling() {
  box systemctl stop keep.service
  expect_equal "a stop ends all" 0 "$(property NFileDescriptorStore)"
  box systemctl start keep.service
  expect_equal "and begins anew" "" "$(keeper list)"
  expect_equal "with the first id" 1 "$(keeper make)"
  keeper make >/dev/null
  expect_stored "before the records are lost" 2
  box rm /run/keep/records
  expect "a crash without records" crash KILL
  expect_equal "what no record names is let go" "" "$(keeper list)"
  expect_stored "without records" 0
  expect "which the log tells" said 'descriptor 1 was dropped: it has no record'
  expect_equal "and its id is not used again" 3 "$(keeper make)"
}

said() {
  box journalctl --sync
  box journalctl --quiet --no-pager -o cat --unit keep.service | grep -F -- "$1" >/dev/null
}

# One of STORED_MAX is the process.
full() {
  expect_equal "a store is full before systemd's is" $((STORED_MAX - 1)) "$(keeper fill)"
  expect_stored "full" "$STORED_MAX"
  KEPT=$(keeper list)
  expect "a restart with a full store" restart
  expect_equal "all of it comes back" "$KEPT" "$(keeper list)"
  expect_equal "and there is still no room" 0 "$(keeper make)"
  expect_stored "after all" "$STORED_MAX"
}

trap box_stop EXIT
box_start
install_keeper
keeping
coming_back
letting_go
reconciling
full
box_log_on_failure
finish
