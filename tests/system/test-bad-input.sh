#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Sends every kind of bad input and compares the whole reply except for the text of its sentence.
# After each, a second client, the witness, must still be served.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GOOD='{"method":"io.vaild.ListRegistrations"}'
SERVED='{"parameters":{"status":"STATUS_SUCCESS","registrations":[]}}'
MALFORMED='{"error":"io.vaild.InvalidParameter","parameters":{"status":"STATUS_INVALID_PARAMETER","code":"0xC000000D","message":"…"}}'

# replies_to FORMAT: sends the bytes of a printf format and prints the replies in readable form.
replies_to() {
  # shellcheck disable=SC2059 # FORMAT is meant to be a format
  printf "$1" | talk_as vail-alice | readable
}

# Replaces each sentence on stdin by "…" and each NUL by ␀.
readable() {
  sed -E 's/"message":"([^"\\]|\\.)*"/"message":"…"/g; s/\x00/␀/g'
}

# witness_is_served CHECK: fails if a request of the witness fails.
witness_is_served() {
  session_status witness "$GOOD"
  [ "$STATUS" = STATUS_SUCCESS ] || not_ok "$1: another client is served" "it got '$REPLY'"
}

# row CHECK FORMAT EXPECTED: checks all replies to the bytes of a printf format.
row() {
  expect_equal "$1" "$3" "$(replies_to "$2")"
  witness_is_served "$1"
}

# closes CHECK FORMAT: checks that the daemon replies with an error and then closes the connection,
# so that the next request on it gets no reply.
closes() {
  row "$1" "$2\n$GOOD\n" "$MALFORMED"
}

# stays_open CHECK FORMAT REPLY: checks the reply, and that the next request is served.
stays_open() {
  row "$1" "$2\n$GOOD\n" "$3
$SERVED"
}

# invalid INTERFACE PATH: prints the error InvalidParameter for the parameter at PATH.
invalid() {
  printf '{"error":"%s.InvalidParameter","parameters":{"status":"STATUS_INVALID_PARAMETER","code":"0xC000000D","message":"…","parameter":"%s"}}' "$1" "$2"
}

# Sends messages that are not JSON, or not in the limits of a message.
not_json() {
  local long deep

  closes "a text that is not JSON is refused" 'hello'
  closes "a member without a value is refused" '{"method":}'
  closes "a trailing comma is refused" '{"method":"a.b",}'
  closes "strings in single quotes are refused" "{'method':'a.b'}"
  closes "NaN is refused" '{"method":NaN}'
  closes "a comment is refused" '{/**/"method":"a.b"}'
  closes "two values on one line are refused" '{} {}'
  closes "invalid UTF-8 is refused" '{"method":"\xff"}'
  closes "a raw control byte in a string is refused" '{"method":"\x01"}'
  closes "a raw line break in a string is refused" '{"method":"\n"}'
  closes "an escaped NUL in a string is refused" '{"method":"\\u0000"}'
  row "NUL inside an object is refused" "{\"method\"\0:\"a.b\"}\n$GOOD\n" "$MALFORMED␀"
  row "NUL inside a string is refused" "{\"method\":\"a\0b\"}\n$GOOD\n" "$MALFORMED␀"
  row "malformed input after a message with NUL gets a reply with NUL" "$GOOD\0hello\n" \
    "$SERVED␀$MALFORMED␀"
  closes "a second comma is refused before the message ends" '{"method":"a.b",,'
  closes "a number of 33 digits is refused" "{\"a\":$(printf '7%.0s' {1..33}),"
  stays_open "a number of 32 digits is read" \
    "{\"method\":\"io.vaild.ListRegistrations\",\"a\":$(printf '7%.0s' {1..32})}" "$SERVED"
  closes "513 values are refused" "{\"method\":\"a.b\",\"a\":[$(printf '{},%.0s' {1..510})"
  stays_open "512 values are read" \
    "{\"method\":\"io.vaild.ListRegistrations\",\"a\":[0$(printf ',{}%.0s' {1..508})]}" "$SERVED"
  deep=$(printf '[%.0s' {1..16})
  closes "a value that is nested too deeply is refused" "{\"a\":$deep"
  long=$(head -c 65600 /dev/zero | tr '\0' x)
  printf '{"method":"%s"}\n%s\n' "$long" "$GOOD" >"$PRIVATE/long"
  expect_equal "a message that is too long is refused" "$MALFORMED" \
    "$(talk_as vail-alice <"$PRIVATE/long" | readable)"
  # The client is still sending when the daemon has found the fault.
  head -c 1000000 /dev/zero | tr '\0' '[' >"$PRIVATE/long"
  printf '\0' >>"$PRIVATE/long"
  expect_equal "the error of a message of 1 MB ends in NUL, and its sender gets it" "$MALFORMED
␀" "$(talk_as vail-alice <"$PRIVATE/long" | readable)"
  long=$(head -c 65400 /dev/zero | tr '\0' ' ')
  printf '{%s"method":"io.vaild.ListRegistrations"}\n%s\n' "$long" "$GOOD" >"$PRIVATE/long"
  expect_equal "the longest message is served" "$SERVED
$SERVED" "$(talk_as vail-alice <"$PRIVATE/long")"
  row "the error of a first message with NUL ends in NUL" '{"method":tru}\0' "$MALFORMED␀"
  row "the error of a first message with LF NUL ends in NUL" '{"method":tru}\n\0' "$MALFORMED␀"
  row "the error of a first message without an end ends in LF" '{"method":tru' "$MALFORMED"
  row "malformed input after messages with NUL and with LF gets a reply with NUL" \
    "$GOOD\0$GOOD\nhello\n" "$SERVED␀$SERVED
$MALFORMED␀"
  row "malformed input after messages with LF gets a reply with LF" "$GOOD\n$GOOD\nhello" "$SERVED
$SERVED
$MALFORMED"
  closes "a message that the end of input truncates is refused" '{"method":"io.vaild'
  row "the complete request before a truncated one is served" "$GOOD\n{\"met" "$SERVED
$MALFORMED"
}

# Sends JSON values that do not call an existing method.
no_method() {
  local value

  for value in '[]' '17' '"text"' 'null' 'true' '{}' '{"method":17}' '{"method":null}'; do
    stays_open "JSON without a method is refused: $value" "$value" "$(invalid io.vaild method)"
  done
  stays_open "a member that stands twice is refused" '{"method":"a.b","method":"a.b"}' \
    "$(invalid io.vaild method)"
  stays_open "a parameter that stands twice is refused with its path" \
    '{"method":"io.vaild.ListSharedObjects","parameters":{"a":[{"b":1,"\\u0062":2}]}}' \
    "$(invalid io.vaild 'a[0].b')"
  stays_open "a member that stands twice in an ignored member is refused" \
    '{"method":"io.vaild.ListRegistrations","x":{"y":[0,{"z":1,"z":1}]}}' \
    "$(invalid io.vaild 'x.y[1].z')"
  stays_open "an upgrade is refused" '{"method":"io.vaild.ListRegistrations","upgrade":true}' \
    '{"error":"io.vaild.NotSupported","parameters":{"status":"STATUS_NOT_SUPPORTED","code":"0xC00000BB","message":"…"}}'
  stays_open "an unknown method is refused" '{"method":"io.vaild.Nothing"}' \
    '{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.vaild.Nothing"}}'
  stays_open "a method name without a dot is refused" '{"method":"nothing"}' \
    '{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"nothing"}}'
  stays_open "an unknown interface is refused" '{"method":"com.example.Thing.Do"}' \
    '{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"com.example.Thing"}}'
}

# Sends calls whose parameters or flags are wrong.
parameters() {
  local guid=88888888-8888-4888-8888-888888888888

  stays_open "a missing parameter is refused" '{"method":"io.vaild.RegisterVailProcess"}' \
    "$(invalid io.vaild virtualMachineGuid)"
  stays_open "a null parameter counts as absent" \
    '{"method":"io.vaild.RegisterVailProcess","parameters":{"virtualMachineGuid":null}}' \
    "$(invalid io.vaild virtualMachineGuid)"
  stays_open "an unknown parameter is refused" \
    '{"method":"io.vaild.ListRegistrations","parameters":{"colour":1}}' "$(invalid io.vaild colour)"
  stays_open "a parameter of the wrong type is refused" \
    '{"method":"io.vaild.RegisterVailProcess","parameters":{"virtualMachineGuid":17}}' \
    "$(invalid io.vaild virtualMachineGuid)"
  stays_open "parameters that are not an object are refused" \
    '{"method":"io.vaild.ListRegistrations","parameters":[]}' "$(invalid io.vaild parameters)"
  stays_open "the error names the path of a parameter in an array" \
    "{\"method\":\"io.vaild.Machine.RegisterVirtualMachine\",\
\"parameters\":{\"virtualMachineGuid\":\"$guid\",\"displayClients\":[{\"user\":\"a\"},{\"pid\":1.5}]}}" \
    "$(invalid io.vaild.Machine 'displayClients[1].pid')"
  stays_open "a number above the largest integer is refused" \
    "{\"method\":\"io.vaild.RevokeRegistration\",\
\"parameters\":{\"virtualMachineGuid\":\"$guid\",\"pid\":9223372036854775808}}" \
    "$(invalid io.vaild pid)"
  stays_open "a negative pid is refused" \
    "{\"method\":\"io.vaild.RevokeRegistration\",\
\"parameters\":{\"virtualMachineGuid\":\"$guid\",\"pid\":-1}}" "$(invalid io.vaild pid)"
  stays_open "unknown members beside parameters are ignored" \
    '{"method":"io.vaild.ListRegistrations","colour":1,"parameters":{}}' "$SERVED"
  stays_open "a flag of the wrong type is refused" \
    '{"method":"io.vaild.ListRegistrations","more":1}' \
    "$(invalid io.vaild more)"
  stays_open "more and oneway together are refused" \
    '{"method":"io.vaild.ListRegistrations","more":true,"oneway":true}' "$(invalid io.vaild more)"
}

# A connection with a partial message is closed after 10 s, even if further bytes of the message
# arrive, or if it waits for the end of a watch.
partial_messages() {
  local second

  session_open_with partial vail-alice "$HELPERS/send-part" "$SOCKET"
  session_open_with growing vail-alice "$HELPERS/send-part" "$SOCKET"
  session_open_with watching root "$HELPERS/send-part" "$SOCKET"
  session_open_with nul vail-alice "$HELPERS/send-part" "$SOCKET"
  expect_reply "a watch and a partial message are read" taken watching \
    'send {"method":"io.vaild.Watch","more":true}~{"method":'
  expect_reply "a partial message is read" taken partial 'send {"method":'
  expect_reply "a partial message behind one with NUL is read" taken nul "send $GOOD^{\"method\":"
  expect_reply "a second partial message is read" taken growing 'send {"a":[['
  for second in {1..9}; do
    advance_clock 1
    expect_reply "a further byte of it is read after $second s" taken growing "send  "
  done
  witness_is_served "with partial messages"
  expect_reply "the connection of a partial message is open after 9 s" open partial state
  advance_clock 1
  expect_reply "the connection of a partial message is closed after 10 s" closed partial state
  expect_reply "the connection of the growing message is closed after 10 s" closed growing state
  expect_reply "the connection of the watch is closed after 10 s" closed watching state
  session_ask partial rest
  expect_equal "a partial message gets an error that ends in LF" "$MALFORMED~" "$(readable <<<"$REPLY")"
  session_ask growing rest
  expect_match "the error says what to do" "did not end within 10 seconds; send all of it" "$REPLY"
  session_ask nul rest
  expect_equal "the error ends in NUL if the connection has used NUL" "$SERVED^$MALFORMED^" \
    "$(readable <<<"$REPLY")"
  session_ask watching rest
  expect_match "the error behind a watch is its last reply" \
    '"kind":"current".*~\{"error":"io.vaild.InvalidParameter"[^~]*~$' "$REPLY"
  witness_is_served "after partial messages"
}

# A malformed message without an end is refused at once. Its connection is closed after a second, so
# that its sender can finish sending it.
malformed_without_end() {
  session_open_with endless vail-alice "$HELPERS/send-part" "$SOCKET"
  session_open_with late vail-alice "$HELPERS/send-part" "$SOCKET"
  expect_reply "a malformed message without an end is read" taken endless 'send {"method":tru}'
  expect_reply "a further part of it is read" taken endless 'send {'
  expect_reply "its connection is open before a second is over" open endless state
  expect_reply "another malformed message is read" taken late 'send {"method":tru}'
  session_ask late 'send ^'
  session_ask late rest
  expect_equal "a NUL that ends it later is sent behind the error" "$MALFORMED~^" \
    "$(readable <<<"$REPLY")"
  advance_clock 1
  session_ask endless rest
  expect_equal "its connection is closed after a second" "$MALFORMED~" "$(readable <<<"$REPLY")"
  witness_is_served "after a malformed message without an end"
}

use_test_clock
start_daemon
session_open witness vail-bob
not_json
no_method
parameters
partial_messages
malformed_without_end
expect_clean_stop
finish
