# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# Hosts with a vaild and a vaild-fleet each, in network namespaces of their own, around a real etcd. To
# be sourced after system-test.sh.

VAILD_FLEET=${VAILD_FLEET:-$ROOT/build/sanitized/vaild-fleet}
TTL=${TTL:-3}
declare -A NETWORK # of each host, a process in its network
declare -A FLEETS  # of each host, its vaild-fleet

# needs CONDITION REASON: skips the whole test unless the command succeeds.
needs() {
  eval "$1" >/dev/null 2>&1 && return
  skip "$NAME" "$2"
  finish
}

## The hosts

# in_network PID COMMAND...: runs a command in the network namespace of a process.
in_network() { nsenter --target "$1" --net -- "${@:2}"; }

# hold_network: starts a process with a network of its own. Sets HELD to its pid.
hold_network() {
  local before

  before=$(readlink /proc/self/ns/net)
  unshare --net sleep infinity &
  HELD=$!
  eventually has_other_network "$HELD" "$before"
  in_network "$HELD" ip link set lo up
}

has_other_network() { [ "$(readlink "/proc/$1/ns/net")" != "$2" ] && runs_as "$1" 0 sleep; }

start_etcd() {
  hold_network
  HUB=$HELD
  nsenter --target "$HUB" --net -- etcd --data-dir "$PRIVATE/etcd-data" --listen-client-urls http://0.0.0.0:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
    >"$PRIVATE/etcd.log" 2>&1 &
  ETCD=$!
  eventually etcd_answers
}

etcd_answers() { in_network "$HUB" "$BASH" -c 'exec 3<>/dev/tcp/127.0.0.1/2379' 2>/dev/null; }

# make_host N: makes the network and the files of a host.
make_host() {
  local folder=$PRIVATE/host$1

  hold_network
  NETWORK[$1]=$HELD
  in_network "$HUB" ip link add "host$1" type veth peer name eth0 netns "$HELD"
  in_network "$HUB" ip addr add "10.99.$1.1/24" dev "host$1"
  in_network "$HUB" ip link set "host$1" up
  in_network "$HELD" ip addr add "10.99.$1.2/24" dev eth0
  in_network "$HELD" ip link set eth0 up
  mkdir -p "$folder"/{runtime,state,config,run}
  chown vaild:vaild "$folder"/{runtime,state,run}
  printf '%032d\n' "$1" >"$folder/machine-id"
  cat >"$folder/fleet.json" <<JSON
{"endpoints":["http://10.99.$1.1:2379"],"prefix":"/test/","ttl":$TTL,"name":"host$1"}
JSON
}

start_vaild() {
  local folder=$PRIVATE/host$1

  nsenter --target "${NETWORK[$1]}" --net -- "${AS_DAEMON[@]}" "$VAILD" --socket "$folder/run/vaild.sock" \
    --runtime-dir "$folder/runtime" --state-dir "$folder/state" --config "$folder/config" \
    >>"$folder/vaild.log" 2>&1 &
  eventually test -S "$folder/run/vaild.sock"
}

start_fleet() {
  local folder=$PRIVATE/host$1

  # shellcheck disable=SC2016 # the inner shell's
  nsenter --target "${NETWORK[$1]}" --net -- unshare --mount --propagation private "$BASH" -c \
    'mount --bind "$0/machine-id" /etc/machine-id && exec "$1" --config "$0/fleet.json" \
     --socket "$0/fleet.sock" --vaild-socket "$0/run/vaild.sock"' "$folder" "$VAILD_FLEET" \
    >>"$folder/fleet.log" 2>&1 &
  FLEETS[$1]=$!
  eventually test -S "$folder/fleet.sock"
}

## What they show

# shown N EXPRESSION COMMAND...: prints a jq expression of what vailctl fleet shows on a host.
shown() {
  "$PRIVATE/build/vailctl" --socket "$PRIVATE/host$1/run/vaild.sock" fleet "${@:3}" --json \
    --fleet-socket "$PRIVATE/host$1/fleet.sock" 2>/dev/null | jq -rc "$2"
}

# shows N EXPECTED EXPRESSION COMMAND...: tests that.
shows() { [ "$(shown "$1" "${@:3}")" = "$2" ]; }

# expect_both CHECK EXPECTED EXPRESSION COMMAND...: checks that both hosts come to show it.
expect_both() {
  expect "$1: on host 1" eventually shows 1 "${@:2}"
  expect "$1: on host 2" eventually shows 2 "${@:2}"
}

# on_host N USER REQUEST: prints the reply of a host's vaild.
on_host() { run_as "$2" "${SOCAT[@]}" - "UNIX-CONNECT:$PRIVATE/host$1/run/vaild.sock" <<<"$3"; }

# Checks that vaild-fleet ends cleanly on both hosts.
check_end() {
  local host status

  for host in 1 2; do
    status=0
    kill -TERM "${FLEETS[$host]}"
    wait "${FLEETS[$host]}" || status=$?
    expect_equal "vaild-fleet of host $host ends cleanly" 0 "$status"
    expect "and no sanitizer has reported anything" \
      bash -c "! grep -E 'Sanitizer|runtime error|Assertion' '$PRIVATE/host$host/fleet.log'"
  done
}

## The start

needs '[ -x "$VAILD_FLEET" ]' "vaild-fleet is not built here, because libcurl's development files are missing"
needs 'command -v etcd' "etcd is not installed"
needs 'command -v ip && unshare --net true' "this machine does not allow network namespaces"
start_etcd
for host in 1 2; do
  make_host "$host"
  start_vaild "$host"
  start_fleet "$host"
done
