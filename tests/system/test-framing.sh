#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The wire protocol: terminators, the order of replies, flags, streams and the interface
# org.varlink.service.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GOOD='{"method":"io.vaild.ListRegistrations"}'
SERVED='{"parameters":{"status":"STATUS_SUCCESS","registrations":[]}}'

# replies_to FORMAT: sends the bytes of a printf format and prints the replies, with ␀ for NUL and
# ␊ for LF.
replies_to() {
  # shellcheck disable=SC2059 # FORMAT is meant to be a format
  printf "$1" | talk_as vail-alice | tr '\0\n' '\1\2' | sed 's/\x01/␀/g; s/\x02/␊/g'
}

terminators() {
  expect_equal "the reply to a request with LF ends with LF" "$SERVED␊" "$(replies_to "$GOOD\n")"
  expect_equal "the reply to a request with NUL ends with NUL" "$SERVED␀" "$(replies_to "$GOOD\0")"
  expect_equal "the reply to a request with neither ends with LF" "$SERVED␊" "$(replies_to "$GOOD")"
  expect_equal "each reply has the terminator of its request" "$SERVED␀$SERVED␊$SERVED␀" \
    "$(replies_to "$GOOD\0$GOOD\n$GOOD\0")"
  expect_equal "LF directly followed by NUL is one NUL" "$SERVED␀$SERVED␀$SERVED␊" \
    "$(replies_to "$GOOD\n\0$GOOD\r\n\0$GOOD\n")"
  expect_equal "LF followed by a blank and NUL is an LF" "$SERVED␊" "$(replies_to "$GOOD\n \0")"
  expect_equal "blank lines are skipped" "$SERVED␊" "$(replies_to "\n \r\n\n\t$GOOD \t\r\n\n")"
  expect_equal "a request may contain line breaks" "$SERVED␊" \
    "$(replies_to "{\n\"method\"\n:\"io.vaild.ListRegistrations\"\n}\n")"
  expect_equal "a connection without a request gets no reply" "" "$(replies_to "")"
}

# read_nul NAME: reads from the session up to a NUL. Sets REPLY to the bytes before it.
read_nul() { IFS= read -r -d '' -u "${SESSION_OUT[$1]}" REPLY; }

# A NUL that arrives after the LF was answered ends the reply, too, and all further events of a watch.
late_nul() {
  session_open late vail-alice
  expect_reply "a request with LF is answered at once" "$SERVED" late "$GOOD"
  printf '\0' >&"${SESSION_IN[late]}"
  expect "a NUL that follows later is sent behind the reply" read_nul late
  expect_equal "only the NUL is sent behind the reply" "" "$REPLY"
  session_ask late "$GOOD"
  expect_equal "the next request is answered" "$SERVED" "$REPLY"

  session_open watch root
  session_ask watch '{"method":"io.vaild.Watch","more":true}'
  until [[ $REPLY == *'"kind":"current"'* ]]; do
    IFS= read -r -u "${SESSION_OUT[watch]}" REPLY
  done
  printf '\0' >&"${SESSION_IN[watch]}"
  expect "a NUL that follows a watch later is sent behind its events" read_nul watch
  ask root "$(call io.vaild.Machine.SetQuarantine \
    '{"virtualMachineGuid":"99999999-9999-4999-8999-999999999999","quarantined":true}')" >/dev/null
  read_nul watch
  expect_match "the following events end in NUL" '^\{.*"kind":"quarantined".*\}$' "$REPLY"
  ask root "$(call io.vaild.Machine.SetQuarantine \
    '{"virtualMachineGuid":"99999999-9999-4999-8999-999999999999","quarantined":false}')" >/dev/null
}

order() {
  local i requests=() expected=

  for i in {1..300}; do
    requests+=("{\"method\":\"a.b$i.C\"}")
    expected+="a.b$i "
  done
  expect_equal "300 requests at once are answered in order" "$expected" \
    "$(ask vail-alice "${requests[@]}" | jq -rj '.parameters.interface + " "')"
}

flags() {
  expect_equal "a oneway request gets no reply" "$SERVED␊" \
    "$(replies_to "{\"method\":\"io.vaild.ListRegistrations\",\"oneway\":true}\n$GOOD\n")"
  expect_equal "a oneway request that fails gets no reply" "$SERVED␊" \
    "$(replies_to "{\"method\":\"io.vaild.Nothing\",\"oneway\":true}\n$GOOD\n")"
  expect_equal "more: an empty list is one reply" "$SERVED␊" \
    "$(replies_to "{\"method\":\"io.vaild.ListRegistrations\",\"more\":true}\n")"
  expect_equal "more: a method that does not stream sends one reply" 1 \
    "$(ask vail-alice '{"method":"org.varlink.service.GetInfo","more":true}' | wc -l)"
}

# Lists three registrations in one reply, and with more in three.
streams() {
  local i pids=

  ready_vm 99999999-9999-4999-8999-999999999999 "$ALICE_CLIENT"
  for i in one two three; do
    session_open "$i" vail-alice
    session_ask "$i" "$CONTEXT"
    session_ask "$i" "$(register 99999999-9999-4999-8999-999999999999)"
    pids+="${SESSION_PID[$i]} "
  done
  expect_equal "without more a list is one reply" "${pids% }" "$(registered_pids)"
  expect_equal "more: all replies of a list but the last have continues" "true true null" \
    "$(ask root '{"method":"io.vaild.ListRegistrations","more":true}' |
      jq -r '.continues' | xargs)"
  expect_equal "more: each reply of a list has one item" "${pids% }" \
    "$(ask root '{"method":"io.vaild.ListRegistrations","more":true}' |
      jq -r '.parameters.registrations[].pid' | xargs)"
  expect_equal "a request after a stream is executed when the stream has ended" 4 \
    "$(ask root '{"method":"io.vaild.ListRegistrations","more":true}' "$GOOD" | wc -l)"
  session_ask two "$GOOD"
  expect_equal "a user who is not an operator lists only own registrations" "${SESSION_PID[two]}" \
    "$(field '[.parameters.registrations[].pid] | join(" ")' <<<"$REPLY")"
}

service() {
  local interface

  expect_equal "GetInfo names the interfaces" \
    "vaild io.vaild io.vaild.Display io.vaild.Gpu io.vaild.Machine io.vaild.Monitor org.varlink.service" \
    "$(ask vail-alice "$(call org.varlink.service.GetInfo)" |
      jq -r '.parameters | "\(.product) \(.interfaces | sort | join(" "))"')"
  for interface in org.varlink.service io.vaild io.vaild.Machine io.vaild.Gpu; do
    expect "GetInterfaceDescription returns the file of $interface" cmp \
      "$ROOT/proto/$interface.varlink" \
      <(ask vail-alice "$(call org.varlink.service.GetInterfaceDescription \
        "{\"interface\":\"$interface\"}")" | jq -rj .parameters.description)
  done
  expect_equal "Varlink's own InvalidParameter carries no status" \
    '{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"interface"}}␊' \
    "$(replies_to '{"method":"org.varlink.service.GetInterfaceDescription"}')"
}

start_daemon
terminators
late_nul
order
flags
streams
service
expect_clean_stop
finish
