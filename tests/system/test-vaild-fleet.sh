#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The program vaild-fleet: its command line, and two hosts with an etcd and a vaild each side by side.
# Both show where a VM runs, and hear of a host that ends or is killed. The second host has a machine
# ID and a vaild of its own, in a network of the test's own.

source "$(dirname "$0")/lib/system-test.sh"

FLEET=$ROOT/build/sanitized/vaild-fleet

if [ ! -x "$FLEET" ]; then
  skip "$NAME" "vaild-fleet is not built, because libcurl is missing"
  finish
fi

## The command line

# fleet ARGUMENT...: runs vaild-fleet. Sets SAID to its output and STATUS to its exit status.
fleet() {
  STATUS=0
  SAID=$("$FLEET" "$@" 2>&1) || STATUS=$?
}

fleet --version
expect_match "the version" '^0 vaild-fleet [0-9]' "$STATUS $SAID"
fleet --help
expect_match "the help names the options" '--check-config' "$SAID"
fleet --confg x
expect_equal "a wrong option" "2 vaild-fleet: --confg is not an option; did you mean --config? see vaild-fleet --help" \
  "$STATUS $SAID"
fleet --socket
expect_equal "an option without its value" "2 vaild-fleet: --socket needs a value; see vaild-fleet --help" "$STATUS $SAID"
fleet extra
expect_equal "an argument" "2 vaild-fleet: unexpected argument \"extra\"; see vaild-fleet --help" "$STATUS $SAID"

echo '{"endpoints":["https://etcd1:2379"]}' >"$PRIVATE/right.json"
printf '{\n  "endpoint": []\n}' >"$PRIVATE/wrong.json"
fleet --check-config "$PRIVATE/right.json"
expect_equal "a right configuration" "0 $PRIVATE/right.json: the configuration is right" "$STATUS $SAID"
fleet --check-config="$PRIVATE/wrong.json"
expect_equal "a wrong configuration" 1 "$STATUS"
expect_match "its mistake has a place and a suggestion" "wrong.json:2:3: endpoint .* did you mean \"endpoints\"" "$SAID"
fleet --config "$PRIVATE/wrong.json" --socket "$PRIVATE/wrong.sock"
expect_equal "a wrong configuration keeps it from starting" 1 "$STATUS"
for option in --config --check-config; do
  fleet "$option" "$PRIVATE/nothing.json"
  expect_equal "$option of a missing file says what to do" \
    "1 vaild-fleet: $PRIVATE/nothing.json: cannot be read: No such file or directory; write it as fleet.json(5) shows, or name another with --config" \
    "$STATUS $SAID"
done

# refuses_group KEY GID WHY: checks that KEY cannot name a group with the GID.
refuses_group() {
  echo "vail-gid-$2:x:$2:" >>"$PRIVATE/etc/group"
  echo "{\"endpoints\":[\"https://etcd1:2379\"],\"$1\":\"vail-gid-$2\"}" >"$PRIVATE/group.json"
  fleet --check-config "$PRIVATE/group.json"
  expect_match "--check-config refuses gid $2 as $1" "^1 vaild-fleet: $1: group \"vail-gid-$2\" has gid $2, $3" \
    "$STATUS $SAID"
  [ "$STATUS" = 1 ] || return 0
  fleet --config "$PRIVATE/group.json" --socket "$PRIVATE/wrong.sock"
  expect_match "vaild-fleet does not start with it" "^1 .*$1: .* has gid $2, $3" "$STATUS $SAID"
}

refuses_group operatorGroup 0 "which many processes in containers have"
refuses_group observersGroup 65534 "which stands for unknown groups"

# The folder of the socket, which the unit makes for the service.
"$FLEET" --config "$PRIVATE/right.json" --socket "$PRIVATE/made/fleet.sock" --vaild-socket "$PRIVATE/none.sock" \
  >"$PRIVATE/made.log" 2>&1 &
MADE=$!
expect "vaild-fleet makes the folder of its socket" eventually test -S "$PRIVATE/made/fleet.sock"
expect_equal "as the unit does" "755 root" "$(stat --format '%a %U' "$PRIVATE/made")"
kill "$MADE"
wait "$MADE" || true
touch "$PRIVATE/file"
fleet --config "$PRIVATE/right.json" --socket "$PRIVATE/file/fleet.sock"
expect_match "a file in its place stays" "cannot listen on $PRIVATE/file/fleet.sock: Not a directory$" "$SAID"
fleet --config "$PRIVATE/right.json" --socket "$PRIVATE/no/such/fleet.sock"
expect_match "the folders above are not made" "^1 .*: No such file or directory; create its folder, or " "$STATUS $SAID"
expect "none of them" test ! -e "$PRIVATE/no"

chmod 666 "$PRIVATE/right.json"
fleet --config "$PRIVATE/right.json" --socket "$PRIVATE/wrong.sock"
expect_match "so does one that others can change" "^1 .*protect it with: chmod go-w" "$STATUS $SAID"

## Two hosts

if ! command -v etcd >/dev/null || ! command -v ip >/dev/null; then
  skip "two hosts" "etcd or ip is missing; install etcd-server and iproute2"
  finish
fi

GUID=11111111-1111-4111-8111-111111111111

# in_network COMMAND...: executes COMMAND in the network of the test.
in_network() { exec nsenter --net="$PRIVATE/network" -- "$@"; }

: >"$PRIVATE/network"
unshare --net="$PRIVATE/network" true
(in_network ip link set lo up)
(in_network etcd --data-dir "$PRIVATE/etcd" --logger zap >"$PRIVATE/etcd.log" 2>&1) &

# The second vaild has no VM.
start_daemon
mkdir -p "$PRIVATE/other-runtime" "$PRIVATE/other-state"
chown vaild:vaild "$PRIVATE/other-runtime" "$PRIVATE/other-state"
"${AS_DAEMON[@]}" "$VAILD" --socket "$PRIVATE/run/other.sock" --runtime-dir "$PRIVATE/other-runtime" \
  --state-dir "$PRIVATE/other-state" --config "$CONFIG" 2>"$PRIVATE/other.log" &

declare -A FLEETS=()

# start_host NAME VAILD-SOCKET: starts a vaild-fleet with a machine ID and a configuration of its own.
start_host() {
  local name=$1
  [ -e "$PRIVATE/$name.id" ] || tr -d - </proc/sys/kernel/random/uuid >"$PRIVATE/$name.id"
  echo "{\"endpoints\":[\"http://127.0.0.1:2379\"],\"name\":\"$name\",\"ttl\":3}" >"$PRIVATE/$name.json"
  # shellcheck disable=SC2016 # the inner shell expands its own arguments
  in_network unshare --mount --propagation private "$BASH" -c '
    mount --bind "$1" /etc/machine-id && shift && exec "$@"' - "$PRIVATE/$name.id" \
    "$FLEET" --config "$PRIVATE/$name.json" --socket "$PRIVATE/$name.sock" \
    --vaild-socket "$2" 2>>"$PRIVATE/$name.log" &
  FLEETS[$name]=$!
}

# shown HOST COMMAND...: prints what vailctl shows to root on the host.
shown() { "$PRIVATE/build/vailctl" --fleet-socket "$PRIVATE/$1.sock" fleet "${@:2}" 2>&1; }

# shows HOST PATTERN COMMAND...: tests that.
shows() { shown "$1" "${@:3}" | grep -qE -- "$2"; }
hides() { ! shows "$@"; }

start_host west "$SOCKET"
start_host east "$PRIVATE/run/other.sock"
for host in west east; do
  expect "the host $host shows west" eventually_unless_gone "${FLEETS[$host]}" shows "$host" '^west' hosts
  expect "the host $host shows east" eventually_unless_gone "${FLEETS[$host]}" shows "$host" "^east" hosts
done

ready_vm "$GUID" "$ALICE_CLIENT"
expect "the host without the VM shows where it runs" \
  eventually_unless_gone "${FLEETS[east]}" shows east west where "$GUID"

kill_and_wait "${FLEETS[west]}"
expect "the keys of a killed vaild-fleet run out" \
  eventually_unless_gone "${FLEETS[east]}" hides east '^west' hosts
start_host west "$SOCKET"
expect "a new start is shown" eventually_unless_gone "${FLEETS[east]}" shows east '^west' hosts

STATUS=0
kill -TERM "${FLEETS[west]}"
wait "${FLEETS[west]}" || STATUS=$?
expect_equal "SIGTERM ends vaild-fleet" 0 "$STATUS"
expect "a host that has ended is not shown" \
  eventually_unless_gone "${FLEETS[east]}" hides east '^west' hosts
kill -TERM "${FLEETS[east]}"
wait "${FLEETS[east]}" || STATUS=$?
expect_equal "SIGTERM ends the other" 0 "$STATUS"
for host in west east; do
  ! grep -E 'Sanitizer|runtime error|Assertion' "$PRIVATE/$host.log" ||
    not_ok "the sanitizers report no errors" "see the log of $host"
done
sed 's/^/# west: /' "$PRIVATE/west.log"
expect_clean_stop
finish
