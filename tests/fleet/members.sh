# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# Three members of a real etcd, in a network namespace with a bridge that leads to the hosts. To be
# sourced after system-test.sh.

MEMBERS=(a b c)
PREFIX=/fleet/
DISK=512M                   # of a member; room for 7 segments of its log with 64 MB each, and the database
QUOTA=$((48 * 1024 * 1024)) # bytes of a member's database
HISTORY=$PRIVATE/history # each change of a key, as JSON, one a line

declare -A MEMBER MEMBER_STATE ADDRESS=([a]=10.99.0.11 [b]=10.99.0.12 [c]=10.99.0.13)
HUB=      # a process in the network of the members
RECORDED=1 # the first revision that is not in the history

# hold_network: starts a process with a network of its own. Sets HELD to its pid.
hold_network() {
  local before

  before=$(readlink /proc/self/ns/net)
  unshare --net sleep infinity &
  HELD=$!
  eventually has_other_network "$HELD" "$before"
}

has_other_network() { [ "$(readlink "/proc/$1/ns/net")" != "$2" ] && runs_as "$1" 0 sleep; }

# in_hub COMMAND...: executes a command in the network of the members.
in_hub() { exec nsenter --target "$HUB" --net -- "$@"; }

make_hub() {
  local member

  hold_network
  HUB=$HELD
  (in_hub ip link set lo up)
  (in_hub ip link add br0 type bridge)
  (in_hub ip link set br0 up)
  for member in "${MEMBERS[@]}"; do
    (in_hub ip addr add "${ADDRESS[$member]}/16" dev br0)
    mkdir "$PRIVATE/member-$member"
    mount -t tmpfs -o "size=$DISK" tmpfs "$PRIVATE/member-$member"
  done
}

## Members

# start_member NAME: starts a member, or starts it again with the data that it has. It drops segments of its
# log soon, because a long run would otherwise fill its disk.
start_member() {
  local cluster member address=${ADDRESS[$1]}

  cluster=$(for member in "${MEMBERS[@]}"; do printf ',%s=http://%s:2380' "$member" "${ADDRESS[$member]}"; done)
  in_hub etcd --name "$1" --data-dir "$PRIVATE/member-$1/data" --logger zap --initial-cluster "${cluster#,}" \
    --listen-client-urls "http://$address:2379" --advertise-client-urls "http://$address:2379" \
    --listen-peer-urls "http://$address:2380" --initial-advertise-peer-urls "http://$address:2380" \
    --quota-backend-bytes "$QUOTA" --snapshot-count 50 --max-wals 1 --max-snapshots 1 >>"$PRIVATE/member-$1.log" 2>&1 &
  MEMBER[$1]=$!
  MEMBER_STATE[$1]=up
}

kill_member() {
  kill_and_wait "${MEMBER[$1]}" 2>/dev/null || true # it may have ended itself
  MEMBER_STATE[$1]=killed
}

stop_member() {
  kill -STOP "${MEMBER[$1]}"
  MEMBER_STATE[$1]=stopped
}

# fill_disk NAME: leaves a member no space. It ends itself when its database has to grow.
fill_disk() {
  dd if=/dev/zero of="$PRIVATE/member-$1/everything" bs=1M status=none 2>/dev/null || true
  MEMBER_STATE[$1]=full
}

# mend_member NAME: makes a stopped or killed member, or one without space, run again.
mend_member() {
  case ${MEMBER_STATE[$1]} in
  full)
    rm "$PRIVATE/member-$1/everything"
    kill_member "$1"
    start_member "$1"
    ;;
  stopped)
    kill -CONT "${MEMBER[$1]}"
    MEMBER_STATE[$1]=up
    ;;
  killed) start_member "$1" ;;
  esac
}

## Requests

# send_to NAME PATH SIZE: executes a request to a member, with the body of SIZE bytes on stdin. Prints the
# answer with its header. The connection stays open for both directions, because etcd takes its end for
# the end of the request.
send_to() {
  # shellcheck disable=SC2016 # the inner shell's
  in_hub "$BASH" -c 'exec 3<>"/dev/tcp/$0/2379" && printf "POST /v3/$1 HTTP/1.0\r\nContent-Length: $2\r\n\r\n" >&3 &&
    cat >&3 && exec cat <&3' "${ADDRESS[$1]}" "$2" "$3"
}

# post NAME PATH BODY: sends a request to a member and prints the body of the answer.
post() { printf %s "$3" | send_to "$1" "$2" "${#3}" 2>/dev/null | sed '1,/^\r$/d'; }

# ask_etcd EXPRESSION PATH BODY: sends a request to one member after another until one answers it, and
# prints a jq expression of the answer. The request may therefore be executed twice.
ask_etcd() {
  local answer member

  while :; do
    for member in "${MEMBERS[@]}"; do
      [ "${MEMBER_STATE[$member]}" = up ] || continue
      answer=$(post "$member" "$2" "$3") || continue
      is_true "$answer" 'has("error") | not' || continue
      jq -rc "$1" <<<"$answer"
      return
    done
    pause_for 100
  done
}

# obeys NAME PATH BODY: tests whether a member executes a request. A compaction may have been executed before.
obeys() { is_true "$(post "$@")" '(has("error") | not) or (.error | contains("compacted"))'; }

base64_of() { printf %s "$1" | base64 -w 0; }

# range PREFIX: prints the members of a request for all keys that begin with PREFIX.
range() {
  local last

  last=$(printf %x "'${1: -1}")
  printf '"key":"%s","range_end":"%s"' "$(base64_of "$1")" \
    "$(printf '%s\x'"$(printf %x $((16#$last + 1)))" "${1%?}" | base64 -w 0)"
}

# keys_in_etcd PREFIX: prints the keys that begin so, without the prefix of the fleet.
keys_in_etcd() {
  ask_etcd ".kvs // [] | .[].key | @base64d | ltrimstr(\"$PREFIX\")" kv/range "{$(range "$PREFIX$1"),\"keys_only\":true}"
}

put_in_etcd() { ask_etcd .header.revision kv/put "{\"key\":\"$(base64_of "$1")\",\"value\":\"$(base64_of "$2")\"}"; }

# Prints the member that leads the others, once there is one.
leader() {
  local member answer

  while :; do
    for member in "${MEMBERS[@]}"; do
      [ "${MEMBER_STATE[$member]}" = up ] || continue
      answer=$(post "$member" maintenance/status '{}' | jq -r '.header.member_id == .leader' 2>/dev/null) || continue
      [ "$answer" != true ] || { echo "$member" && return; }
    done
    pause_for 100
  done
}

# Lets all members forget what is not of now, and give back the space. Clears alarms.
clear_etcd() {
  local member revision alarm

  record_history
  revision=$((RECORDED - 1))
  eventually obeys "$(member_up)" kv/compaction "{\"revision\":\"$revision\",\"physical\":true}"
  for member in "${MEMBERS[@]}"; do eventually obeys "$member" maintenance/defragment '{}'; done
  # An alarm belongs to a member.
  ask_etcd '.alarms // [] | .[] | tojson' maintenance/alarm '{"action":"GET"}' | while IFS= read -r alarm; do
    ask_etcd .header.revision maintenance/alarm \
      "$(jq -c '{action: "DEACTIVATE", memberID: .memberID, alarm: .alarm}' <<<"$alarm")" </dev/null >/dev/null
  done
}

# fill COUNT BYTES: puts values of BYTES bytes that nobody needs into COUNT keys of the fleet, on one
# connection. The member may refuse them, or end.
fill() {
  # shellcheck disable=SC2016 # the inner shell's
  requests_of_fill "$@" | (in_hub "$BASH" -c 'exec 3<>"/dev/tcp/$0/2379" 4<&0 || exit
    cat <&4 >&3 2>/dev/null &
    exec cat <&3 2>/dev/null' "${ADDRESS[$(member_up)]}") >/dev/null || true
}

requests_of_fill() {
  local i value body last=""

  value=$(head -c "$2" /dev/zero | tr '\0' x | base64 -w 0)
  for ((i = 1; i <= $1; i++)); do
    body="{\"key\":\"$(base64_of "${PREFIX}filler/$i")\",\"value\":\"$value\"}"
    [ "$i" -lt "$1" ] || last=$'Connection: close\r\n'
    printf 'POST /v3/kv/put HTTP/1.1\r\nHost: etcd\r\n%sContent-Length: %d\r\n\r\n%s' "$last" "${#body}" "$body" || return 0
  done 2>/dev/null
}

# Fills the database until etcd takes no more keys.
exceed_quota() {
  until [ -n "$(post "$(member_up)" maintenance/alarm '{"action":"GET"}' | jq -r '.alarms // [] | .[].alarm')" ]; do
    fill 10 1000000
  done
}

drop_filler() { ask_etcd .header.revision kv/deleterange "{$(range "${PREFIX}filler/")}" >/dev/null; }

## The history

# Turns an answer of a watch into changes, one a line.
READ_CHANGES='.result.events // [] | .[] | {type: (.type // "PUT"), key: (.kv.key | @base64d), value: (.kv.value // "" | .[0:4000] | @base64d),
  lease: (.kv.lease // "0"), revision: (.kv.mod_revision | tonumber)}'

# Prints the first member that runs, or else the first that still may.
member_up() {
  local member state

  for state in up full; do
    for member in "${MEMBERS[@]}"; do
      [ "${MEMBER_STATE[$member]}" != "$state" ] || is_gone_or_zombie "${MEMBER[$member]}" || { echo "$member" && return; }
    done
  done
}

# changes_until REVISION: prints the changes from the revision RECORDED to this one, one a line. Fewer if the
# member does not serve yet.
changes_until() {
  local line watch body="{\"create_request\":{\"key\":\"AA==\",\"range_end\":\"AA==\",\"start_revision\":\"$RECORDED\"}}"

  [ -p "$PRIVATE/watch" ] || mkfifo "$PRIVATE/watch"
  send_to "$(member_up)" watch "${#body}" < <(printf %s "$body") >"$PRIVATE/watch" 2>/dev/null &
  watch=$!
  while IFS= read -r line; do
    echo "$line"
    [[ $line != *"\"revision\":$1}" ]] || break
  done < <(sed -u '1,/^\r$/d' <"$PRIVATE/watch" | jq --unbuffered -c "$READ_CHANGES")
  kill "$watch" 2>/dev/null || true # it may have ended itself
  wait "$watch" 2>/dev/null || true
}

# has_changes_until REVISION: reads them into a file of their own. Fails if some are missing.
has_changes_until() {
  changes_until "$1" >"$PRIVATE/changes"
  [[ $(tail -n 1 "$PRIVATE/changes") == *"\"revision\":$1}" ]]
}

# Adds to the history everything that has happened until now. Call it before etcd forgets something. Each
# revision changes a key, so the last change has the present revision.
record_history() {
  local revision

  revision=$(ask_etcd .header.revision kv/range '{"key":"AA=="}')
  [ "$revision" -ge "$RECORDED" ] || return 0
  eventually has_changes_until "$revision"
  cat "$PRIVATE/changes" >>"$HISTORY"
  RECORDED=$((revision + 1))
}
