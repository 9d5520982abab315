#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The client of vaild-fleet with real etcds, in a network of the test's own: changes and swaps, leases
# that end with their client, a compaction behind a watch, an etcd that is killed, a member of three
# and then the quorum lost, and TLS with client certificates.

source "$(dirname "$0")/lib/system-test.sh"

if ! command -v etcd >/dev/null || ! command -v ip >/dev/null; then
  skip "$NAME" "etcd or ip is missing; install etcd-server and iproute2"
  finish
fi
if [ ! -x "$ROOT/build/tests/helpers/etcd-client" ]; then
  skip "$NAME" "the client of etcd is not built, because libcurl is missing"
  finish
fi

CLIENT=$ROOT/build/tests/helpers/etcd-client

# in_network COMMAND...: executes COMMAND in the network of the test.
in_network() { exec nsenter --net="$PRIVATE/network" -- "$@"; }

: >"$PRIVATE/network"
unshare --net="$PRIVATE/network" true
(in_network ip link set lo up)

## Members

declare -A ETCDS=()
CLUSTER=

# start_etcd NAME PORT OPTION...: starts a member with clients at PORT and members at PORT + 100.
start_etcd() {
  local name=$1 port=$2
  shift 2
  in_network etcd --name "$name" --data-dir "$PRIVATE/$name" --logger zap \
    --initial-advertise-peer-urls "http://127.0.0.1:$((port + 100))" \
    --listen-peer-urls "http://127.0.0.1:$((port + 100))" --initial-cluster "$CLUSTER" \
    --listen-client-urls "${SCHEME:-http}://127.0.0.1:$port" \
    --advertise-client-urls "${SCHEME:-http}://127.0.0.1:$port" "$@" >>"$PRIVATE/$name.log" 2>&1 &
  ETCDS[$name]=$!
}

# kill_etcd NAME
kill_etcd() {
  kill_and_wait "${ETCDS[$1]}"
  unset "ETCDS[$1]"
}

## Clients

declare -A CLIENTS=()

# start_client NAME ARGUMENT...: starts a client with the commands in the FIFO NAME.in and its reports
# in NAME.out.
start_client() {
  local name=$1
  shift
  rm -f "$PRIVATE/$name.in"
  mkfifo "$PRIVATE/$name.in"
  : >"$PRIVATE/$name.out"
  in_network "$CLIENT" "$@" <>"$PRIVATE/$name.in" >>"$PRIVATE/$name.out" 2>&1 &
  CLIENTS[$name]=$!
}

# tell NAME COMMAND: forgets what the client has reported, and gives it a command.
tell() {
  : >"$PRIVATE/$1.out"
  echo "$2" >"$PRIVATE/$1.in"
}

# says NAME PATTERN: tests whether the client has reported a line that matches PATTERN (grep -E).
says() { grep -qE -- "$2" "$PRIVATE/$1.out"; }

# expect_says CHECK NAME PATTERN: waits for a report.
expect_says() {
  eventually_unless_gone "${CLIENTS[$2]}" says "$2" "$3" && ok "$1" && return
  not_ok "$1" "the client has exited"
  sed 's/^/# /' "$PRIVATE/$2.out"
}

# expect_listless CHECK NAME: tests that the client has not listed the keys.
expect_listless() {
  if says "$2" '^snapshot: '; then
    not_ok "$1" "there is a list"
    sed 's/^/# /' "$PRIVATE/$2.out"
  else
    ok "$1"
  fi
}

# outcome NAME COMMAND: prints the outcome of a change. Repeats it while etcd is away, but never a swap
# that may have happened.
outcome() {
  local outcome

  while :; do
    tell "$1" "$2"
    eventually_unless_gone "${CLIENTS[$1]}" says "$1" '^outcome: ' || return
    outcome=$(sed -n 's/^outcome: \([a-z]*\) .*/\1/p' "$PRIVATE/$1.out")
    case "$2:$outcome" in
    *:failed | put*:unknown | fill*:unknown) pause_for 50 ;;
    *) break ;;
    esac
  done
  echo "$outcome"
}

# revision_of NAME KEY: prints the revision of the last change that the client has shown.
revision_of() { sed -n "s/^put: $2=.* at \([0-9]*\)$/\1/p" "$PRIVATE/$1.out" | tail -n 1; }

# post PATH BODY: sends a request to the etcd at port 2379 and prints the answer. Leaves the
# connection open in both directions, because etcd gives up a request whose sender has ended.
post() {
  (in_network bash -c 'exec 3<>/dev/tcp/127.0.0.1/2379 &&
    printf "POST /v3/%s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" "$1" "${#2}" "$2" >&3 && cat <&3' \
    post "$1" "$2")
}

## One member

CLUSTER=one=http://127.0.0.1:2479
start_etcd one 2379
start_client reader http://127.0.0.1:2379
start_client writer http://127.0.0.1:2379
expect_says "a client reaches etcd" reader '^reached$'
expect_says "a client gets a lease" reader '^lease: held$'
eventually says writer '^reached$'

expect_equal "a put is done" "done" "$(outcome writer 'put a first')"
expect_says "a put is shown to others" reader '^put: a=first at [0-9]+$'
expect_equal "a swap that expects no key is lost" lost "$(outcome writer 'swap a 0 second')"
expect_equal "a swap of the known revision is done" "done" \
  "$(outcome writer "swap a $(revision_of reader a) second")"
expect_says "a swap is shown to others" reader '^put: a=second at [0-9]+$'
expect_equal "a swap of an old revision is lost" lost "$(outcome writer 'swap a 1 third')"
expect_equal "a swap that expects no key creates it" "done" "$(outcome writer 'swap b 0 first')"
expect_says "a created key is shown" reader '^put: b=first at [0-9]+$'
expect_equal "a swap deletes" "done" "$(outcome writer "swap b $(revision_of reader b) -")"
expect_says "a swap that deletes is shown" reader '^delete: b at [0-9]+$'
expect_equal "a deletion is done" "done" "$(outcome writer 'delete a')"
expect_says "a deletion is shown" reader '^delete: a at [0-9]+$'

## Leases

start_client held --ttl 3 http://127.0.0.1:2379
tell held 'hold leased value'
expect_says "a leased key is shown" reader '^put: leased=value '
: >"$PRIVATE/reader.out"
kill -STOP "${CLIENTS[held]}"
expect_says "the leased key of a stopped client expires" reader '^delete: leased '
: >"$PRIVATE/held.out"
kill -CONT "${CLIENTS[held]}"
expect_says "a client that was stopped knows that its lease has ended" held '^lease: .*(ended|expired)'
expect_says "the client puts its key again with a new lease" reader '^put: leased=value '
: >"$PRIVATE/reader.out"
kill_and_wait "${CLIENTS[held]}"
expect_says "the leased key of a killed client expires" reader '^delete: leased '

# The lease does not end during the test, so only its revocation could remove the key.
start_client held --ttl 36000 http://127.0.0.1:2379
tell held 'hold leased longer'
expect_says "a key with a long lease is shown" reader '^put: leased=longer '
: >"$PRIVATE/reader.out"
echo quit >"$PRIVATE/held.in"
wait "${CLIENTS[held]}"
expect_equal "a put after the end of a client is done" "done" "$(outcome writer 'put after end')"
expect_says "the put is shown" reader '^put: after=end at '
if says reader '^delete: leased '; then
  not_ok "a client that ends leaves its lease" "its key has been deleted"
else
  ok "a client that ends leaves its lease"
fi

## A compaction behind a watch

# The watch of a stopped client falls behind once its connection is full.
start_client slow --ttl 3600 http://127.0.0.1:2379
expect_says "a further client reaches etcd" slow '^reached$'
: >"$PRIVATE/slow.out"
kill -STOP "${CLIENTS[slow]}"
expect_equal "long values are put" "done" "$(outcome writer 'fill long 200000 400')"
revision=$(sed -n 's/^outcome: done \([0-9]*\).*/\1/p' "$PRIVATE/writer.out")
post kv/compaction "{\"revision\":\"$revision\",\"physical\":true}" >/dev/null
kill -CONT "${CLIENTS[slow]}"
tell slow "put slow $revision"
expect_equal "a put after the compaction is done" "done" "$(outcome writer 'put after compaction')"
eventually_unless_gone "${CLIENTS[slow]}" says slow '^(away: .* compaction|put: slow=)'
if says slow '^away: .* compaction'; then
  ok "a watch behind a compaction ends"
else
  skip "a watch behind a compaction" "the buffers of this machine hold all that the watch shows"
fi
expect_says "the client shows the keys of later revisions" slow '^(put|has): after=compaction'

## A new start of etcd

: >"$PRIVATE/reader.out"
kill_etcd one
expect_says "an etcd that is killed is away" reader '^away: http://127.0.0.1:2379: '
start_etcd one 2379
expect_says "an etcd that starts again is reached" reader '^reached$'
expect_listless "its keys are not listed again" reader
expect_equal "the writer puts a key after the start" "done" "$(outcome writer 'put after start')"
expect_says "the reader is shown the put" reader '^put: after=start at '

## A connection that breaks

# start_relay: passes on connections to port 2378 until it is killed.
start_relay() {
  in_network socat TCP-LISTEN:2378,fork,reuseaddr TCP:127.0.0.1:2379 &
  RELAY=$!
}

# kill_relay: breaks all connections through it.
kill_relay() {
  local children

  kill -STOP "$RELAY"
  mapfile -t children < <(pgrep --parent "$RELAY")
  kill -KILL "$RELAY" "${children[@]}" 2>/dev/null || : # some may have ended
  wait "$RELAY" 2>/dev/null || :
}

start_relay
start_client far http://127.0.0.1:2378
expect_says "a client reaches etcd through a relay" far '^reached$'
expect_equal "a key is put" "done" "$(outcome writer 'put gone soon')"
expect_says "the client behind the relay is shown it" far '^put: gone=soon at '
: >"$PRIVATE/far.out"
kill_relay
expect_says "etcd is away without the relay" far '^away: '
expect_equal "a key is put meanwhile" "done" "$(outcome writer 'put missed value')"
expect_equal "a key is deleted meanwhile" "done" "$(outcome writer 'delete gone')"
start_relay
expect_says "etcd is reached again through the relay" far '^reached$'
expect_equal "exactly what was missed is shown, before etcd counts as reached" \
  "put: missed=value delete: gone reached" \
  "$(sed -n 's/ at [0-9]*$//; /^\(put\|delete\|has\|reached\)/p' "$PRIVATE/far.out" | paste -sd ' ')"
expect_listless "the keys are not listed again" far

# The connection breaks, and what the client knows is compacted before it comes back.
: >"$PRIVATE/far.out"
kill_relay
expect_says "etcd is away again" far '^away: '
outcome writer 'put missed another' >/dev/null
revision=$(sed -n 's/^outcome: done \([0-9]*\).*/\1/p' "$PRIVATE/writer.out")
post kv/compaction "{\"revision\":\"$revision\",\"physical\":true}" >/dev/null
start_relay
expect_says "after a compaction, the keys are listed" far '^has: missed=another$'
kill_and_wait "${CLIENTS[far]}"
kill_relay

kill_and_wait "${CLIENTS[reader]}"
kill_and_wait "${CLIENTS[writer]}"
kill_and_wait "${CLIENTS[slow]}"
kill_etcd one

## Three members

CLUSTER=a=http://127.0.0.1:3479,b=http://127.0.0.1:3480,c=http://127.0.0.1:3481
ENDPOINTS=(http://127.0.0.1:3379 http://127.0.0.1:3380 http://127.0.0.1:3381)
start_etcd a 3379
start_etcd b 3380
start_etcd c 3381
start_client writer "${ENDPOINTS[@]}"
eventually says writer '^reached$'

# Which of the three a client talks to is chance, so each is killed and started again.
for member in a:3379 b:3380 c:3381; do
  kill_etcd "${member%:*}"
  expect_equal "two members take a put without ${member%:*}" "done" \
    "$(outcome writer "put without ${member%:*}")"
  start_etcd "${member%:*}" "${member#*:}"
done
: >"$PRIVATE/writer.out"
kill_etcd a
kill_etcd b
expect_says "without a quorum, etcd is away" writer '^away: '
start_etcd a 3379
start_etcd b 3380
expect_says "with a quorum, etcd is reached again" writer '^reached$'
expect_equal "the quorum takes a put" "done" "$(outcome writer 'put quorum back')"
: >"$PRIVATE/writer.out"
kill -STOP "${ETCDS[a]}" "${ETCDS[b]}"
expect_says "stopped members are away" writer '^away: '
kill -CONT "${ETCDS[a]}" "${ETCDS[b]}"
expect_says "members that go on are reached" writer '^reached$'
kill_and_wait "${CLIENTS[writer]}"
kill_etcd a
kill_etcd b
kill_etcd c

## TLS

if ! command -v openssl >/dev/null; then
  skip "TLS with client certificates" "openssl is missing"
  finish
fi

# make_certificate NAME AUTHORITY: makes NAME.key and NAME.pem, signed by AUTHORITY.
make_certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$PRIVATE/$1.key" -out "$PRIVATE/$1.csr" 2>/dev/null
  openssl x509 -req -in "$PRIVATE/$1.csr" -CA "$PRIVATE/$2.pem" -CAkey "$PRIVATE/$2.key" \
    -CAcreateserial -days 30 -extfile <(echo subjectAltName=IP:127.0.0.1) \
    -out "$PRIVATE/$1.pem" 2>/dev/null
}

for authority in authority stranger; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$authority" \
    -days 30 -keyout "$PRIVATE/$authority.key" -out "$PRIVATE/$authority.pem" 2>/dev/null
done
make_certificate server authority
make_certificate client authority
make_certificate impostor stranger

CLUSTER=tls=http://127.0.0.1:4479
SCHEME=https start_etcd tls 4379 --cert-file "$PRIVATE/server.pem" --key-file "$PRIVATE/server.key" \
  --client-cert-auth --trusted-ca-file "$PRIVATE/authority.pem"
start_client right --ca "$PRIVATE/authority.pem" --certificate "$PRIVATE/client.pem" \
  --key "$PRIVATE/client.key" https://127.0.0.1:4379
expect_says "a client with a certificate reaches etcd" right '^reached$'
expect_equal "a client with a certificate puts a key" "done" "$(outcome right 'put a b')"
start_client wrong --ca "$PRIVATE/stranger.pem" --certificate "$PRIVATE/client.pem" \
  --key "$PRIVATE/client.key" https://127.0.0.1:4379
expect_says "an etcd of another authority is refused" wrong '^away: .*certificate'
# This system trusts the authority of etcd, but the configuration names another one.
mkdir "$PRIVATE/trusted"
cp "$PRIVATE/authority.pem" "$PRIVATE/trusted/$(openssl x509 -noout -hash -in "$PRIVATE/authority.pem").0"
mkdir -p /etc/ssl/certs
mount --bind "$PRIVATE/trusted" /etc/ssl/certs
start_client named --ca "$PRIVATE/stranger.pem" --certificate "$PRIVATE/client.pem" \
  --key "$PRIVATE/client.key" https://127.0.0.1:4379
expect_says "a file of authorities replaces those of the system" named '^(away: .*certificate|reached$)'
! says named '^reached$' || not_ok "an authority of the system" "the client believed it"
start_client none --ca "$PRIVATE/authority.pem" https://127.0.0.1:4379
expect_says "a client without a certificate is away" none '^away: '
start_client impostor --ca "$PRIVATE/authority.pem" --certificate "$PRIVATE/impostor.pem" \
  --key "$PRIVATE/impostor.key" https://127.0.0.1:4379
expect_says "a client with a certificate of another authority is away" impostor '^away: '
! says none '^reached$' || not_ok "no certificate" "the client was let in"
! says impostor '^reached$' || not_ok "a strange certificate" "the client was let in"

finish
