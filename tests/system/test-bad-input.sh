#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every row of the table of bad input with its answer, byte for byte but for the sentence, while
# another client is served throughout.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GOOD='{"method":"io.vaild.ListRegistrations"}'
SERVED='{"parameters":{"status":"STATUS_SUCCESS","registrations":[]}}'
MALFORMED='{"error":"io.vaild.InvalidParameter","parameters":{"status":"STATUS_INVALID_PARAMETER","code":"0xC000000D","message":"…"}}'

# What comes back for the bytes of a printf format: sentences replaced, NUL shown as ␀.
answers_to() {
  # shellcheck disable=SC2059 # the format is what is asked for
  printf "$1" | talk_as vail-alice | readable
}

readable() {
  sed -E 's/"message":"([^"\\]|\\.)*"/"message":"…"/g; s/\x00/␀/g'
}

witness_is_served() {
  session_status witness "$GOOD"
  [ "$STATUS" = STATUS_SUCCESS ] || not_ok "$1: the witness is served" "it got '$REPLY'"
}

# row CHECK FORMAT EXPECTED: what the bytes are answered with, line by line.
row() {
  expect_equal "$1" "$3" "$(answers_to "$2")"
  witness_is_served "$1"
}

# closes CHECK FORMAT: one answer, then the connection is closed: the request behind it has none.
closes() {
  row "$1" "$2\n$GOOD\n" "$MALFORMED"
}

# goes_on CHECK FORMAT ANSWER: the request behind it is served.
goes_on() {
  row "$1" "$2\n$GOOD\n" "$3
$SERVED"
}

# The InvalidParameter of an interface with its path.
invalid() {
  printf '{"error":"%s.InvalidParameter","parameters":{"status":"STATUS_INVALID_PARAMETER","code":"0xC000000D","message":"…","parameter":"%s"}}' "$1" "$2"
}

no_json() {
  local long deep

  closes "not JSON" 'hello'
  closes "a member without a value" '{"method":}'
  closes "a trailing comma" '{"method":"a.b",}'
  closes "single quotes" "{'method':'a.b'}"
  closes "NaN" '{"method":NaN}'
  closes "a comment" '{/**/"method":"a.b"}'
  closes "two values in a line" '{} {}'
  closes "bad UTF-8" '{"method":"\xff"}'
  closes "a raw control byte in a string" '{"method":"\x01"}'
  closes "a raw line break in a string" '{"method":"\n"}'
  closes "a zero character in a string" '{"method":"\\u0000"}'
  closes "NUL inside an object" '{"method"\0:"a.b"}'
  closes "NUL inside a string" '{"method":"a\0b"}'
  deep=$(printf '[%.0s' {1..16})
  closes "too deep" "{\"a\":$deep"
  long=$(head -c 65600 /dev/zero | tr '\0' x)
  printf '{"method":"%s"}\n%s\n' "$long" "$GOOD" >"$PRIVATE/long"
  expect_equal "too long" "$MALFORMED" "$(talk_as vail-alice <"$PRIVATE/long" | readable)"
  long=$(head -c 65400 /dev/zero | tr '\0' ' ')
  printf '{%s"method":"io.vaild.ListRegistrations"}\n%s\n' "$long" "$GOOD" >"$PRIVATE/long"
  expect_equal "just not too long" "$SERVED
$SERVED" "$(talk_as vail-alice <"$PRIVATE/long")"
  closes "cut by the end of input" '{"method":"io.vaild'
  row "cut by the end of input, behind a whole one" "$GOOD\n{\"met" "$SERVED
$MALFORMED"
}

no_method() {
  local value

  for value in '[]' '17' '"text"' 'null' 'true' '{}' '{"method":17}' '{"method":null}'; do
    goes_on "JSON without a method: $value" "$value" "$(invalid io.vaild method)"
  done
  goes_on "an unknown method" '{"method":"io.vaild.Nothing"}' \
    '{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.vaild.Nothing"}}'
  goes_on "a name without a dot" '{"method":"nothing"}' \
    '{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"nothing"}}'
  goes_on "an unknown interface" '{"method":"com.example.Thing.Do"}' \
    '{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"com.example.Thing"}}'
}

parameters() {
  local guid=88888888-8888-4888-8888-888888888888

  goes_on "a missing parameter" '{"method":"io.vaild.RegisterVailProcess"}' \
    "$(invalid io.vaild virtualMachineGuid)"
  goes_on "a null parameter counts as absent" \
    '{"method":"io.vaild.RegisterVailProcess","parameters":{"virtualMachineGuid":null}}' \
    "$(invalid io.vaild virtualMachineGuid)"
  goes_on "an unknown parameter" \
    '{"method":"io.vaild.ListRegistrations","parameters":{"colour":1}}' "$(invalid io.vaild colour)"
  goes_on "an ill-typed parameter" \
    '{"method":"io.vaild.RegisterVailProcess","parameters":{"virtualMachineGuid":17}}' \
    "$(invalid io.vaild virtualMachineGuid)"
  goes_on "parameters that are no object" \
    '{"method":"io.vaild.ListRegistrations","parameters":[]}' "$(invalid io.vaild parameters)"
  goes_on "a path into an array" "{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\",\
\"parameters\":{\"virtualMachineGuid\":\"$guid\",\"displayClients\":[{\"user\":\"a\"},{\"pid\":1.5}]}}" \
    "$(invalid io.vaild.Machine 'displayClients[1].pid')"
  goes_on "a number past the end" "{\"method\":\"io.vaild.RevokeRegistration\",\
\"parameters\":{\"virtualMachineGuid\":\"$guid\",\"pid\":9223372036854775808}}" \
    "$(invalid io.vaild pid)"
  goes_on "a negative number" "{\"method\":\"io.vaild.RevokeRegistration\",\
\"parameters\":{\"virtualMachineGuid\":\"$guid\",\"pid\":-1}}" "$(invalid io.vaild pid)"
  goes_on "unknown members beside parameters are ignored" \
    '{"method":"io.vaild.ListRegistrations","colour":1,"parameters":{}}' "$SERVED"
  goes_on "a flag that is none" '{"method":"io.vaild.ListRegistrations","more":1}' \
    "$(invalid io.vaild more)"
  goes_on "both flags at once are answered" \
    '{"method":"io.vaild.ListRegistrations","more":true,"oneway":true}' "$(invalid io.vaild more)"
}

# A connection with a partial message is closed after ten seconds, even if more of it trickles in.
partial_messages() {
  local second

  session_open_with partial vail-alice "$HELPERS/send-part" "$SOCKET"
  session_open_with trickle vail-alice "$HELPERS/send-part" "$SOCKET"
  expect_reply "a partial message is read" taken partial 'send {"method":'
  expect_reply "so is another" taken trickle 'send {"a":[['
  for second in {1..9}; do
    pass_time 1
    expect_reply "after $second seconds there is more of it" taken trickle "send  "
  done
  witness_is_served "partial messages"
  expect_reply "after nine seconds the connection is open" open partial state
  pass_time 1
  expect_reply "after ten seconds it is closed" closed partial state
  expect_reply "so is that of the message that trickles in" closed trickle state
  witness_is_served "after partial messages"
}

own_clock
start_daemon
session_open witness vail-bob
no_json
no_method
parameters
partial_messages
expect_clean_stop
finish
