#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The wire, by hand: terminators, order, flags, and what the service says of itself.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GOOD='{"method":"io.vaild.ListRegistrations"}'
SERVED='{"parameters":{"status":"STATUS_SUCCESS","registrations":[]}}'

# answers_to FORMAT: NUL shown as ␀, LF as ␊.
answers_to() {
  # shellcheck disable=SC2059 # the format is what is asked for
  printf "$1" | talk_as vail-alice | tr '\0\n' '\1\2' | sed 's/\x01/␀/g; s/\x02/␊/g'
}

terminators() {
  expect_equal "LF is answered with LF" "$SERVED␊" "$(answers_to "$GOOD\n")"
  expect_equal "NUL is answered with NUL" "$SERVED␀" "$(answers_to "$GOOD\0")"
  expect_equal "end of input is answered with LF" "$SERVED␊" "$(answers_to "$GOOD")"
  expect_equal "each with its own" "$SERVED␀$SERVED␊$SERVED␀" \
    "$(answers_to "$GOOD\0$GOOD\n$GOOD\0")"
  expect_equal "blank lines are skipped" "$SERVED␊" "$(answers_to "\n \r\n\n\t$GOOD \t\r\n\n")"
  expect_equal "an object may hold line breaks" "$SERVED␊" \
    "$(answers_to "{\n\"method\"\n:\"io.vaild.ListRegistrations\"\n}\n")"
  expect_equal "nothing is answered with nothing" "" "$(answers_to "")"
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
  expect_equal "oneway is not answered" "$SERVED␊" \
    "$(answers_to "{\"method\":\"io.vaild.ListRegistrations\",\"oneway\":true}\n$GOOD\n")"
  expect_equal "oneway is not answered, failures neither" "$SERVED␊" \
    "$(answers_to "{\"method\":\"io.vaild.Nothing\",\"oneway\":true}\n$GOOD\n")"
  expect_equal "more, of an empty list: one reply" "$SERVED␊" \
    "$(answers_to "{\"method\":\"io.vaild.ListRegistrations\",\"more\":true}\n")"
  expect_equal "more, of what does not stream: one reply" 1 \
    "$(ask vail-alice '{"method":"org.varlink.service.GetInfo","more":true}' | wc -l)"
}

# A list of three, in one reply and in three.
streams() {
  local i pids=

  ready_vm 99999999-9999-4999-8999-999999999999 "$ALICE_CLIENT"
  for i in one two three; do
    session_open "$i" vail-alice
    session_ask "$i" "$CONTEXT"
    session_ask "$i" "$(register 99999999-9999-4999-8999-999999999999)"
    pids+="${SESSION_PID[$i]} "
  done
  expect_equal "a list in one reply" "${pids% }" "$(registered_pids)"
  expect_equal "a list in three, all but the last continue" "true true null" \
    "$(ask root '{"method":"io.vaild.ListRegistrations","more":true}' |
      jq -r '.continues' | xargs)"
  expect_equal "a list in three: an item each" "${pids% }" \
    "$(ask root '{"method":"io.vaild.ListRegistrations","more":true}' |
      jq -r '.parameters.registrations[].pid' | xargs)"
  expect_equal "requests behind a stream wait for it" 4 \
    "$(ask root '{"method":"io.vaild.ListRegistrations","more":true}' "$GOOD" | wc -l)"
  session_ask two "$GOOD"
  expect_equal "others see only their own" "${SESSION_PID[two]}" \
    "$(field '[.parameters.registrations[].pid] | join(" ")' <<<"$REPLY")"
}

service() {
  local interface

  expect_equal "GetInfo names the interfaces" \
    "vaild io.vaild io.vaild.Gpu io.vaild.Machine io.vaild.Monitor org.varlink.service" \
    "$(ask vail-alice "$(call org.varlink.service.GetInfo)" |
      jq -r '.parameters | "\(.product) \(.interfaces | sort | join(" "))"')"
  for interface in org.varlink.service io.vaild io.vaild.Machine io.vaild.Gpu; do
    expect "the description of $interface is its file" cmp "$ROOT/proto/$interface.varlink" \
      <(ask vail-alice "$(call org.varlink.service.GetInterfaceDescription \
        "{\"interface\":\"$interface\"}")" | jq -rj .parameters.description)
  done
  expect_equal "Varlink's own InvalidParameter carries no status" \
    '{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"interface"}}␊' \
    "$(answers_to '{"method":"org.varlink.service.GetInterfaceDescription"}')"
}

start_daemon
terminators
order
flags
streams
service
expect_clean_stop
finish
