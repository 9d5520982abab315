#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A filter refuses every system call that the examiner does not need. This test makes all calls of the
# kernel behind the filter. It makes those with a checked argument without the filter as well, where
# they must succeed. Some of these give the number of an own socket to the socket of another
# process, and then send.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

TRY=$HELPERS/try-call-filter

# result_of NAME RESULTS: prints the result of an attempt.
result_of() { sed -n "s|^$1 ||p" <<<"$2"; }

# expect_stopped NAME INSIDE OUTSIDE: checks that the attempt fails behind the filter only. A call of
# another architecture ends the process.
expect_stopped() {
  local expected=refused

  if [ "$(result_of "$1" "$3")" != allowed ]; then
    skip "the filter refuses $1" "this machine refuses it without the filter as well"
    return
  fi
  [ "$1" != call-as-i386 ] || expected=SIGSYS
  expect_equal "the filter refuses $1" "$expected" "$(result_of "$1" "$2")"
}

test_attempts() {
  local inside outside name

  inside=$("$TRY")
  outside=$("$TRY" --without)
  while read -r name _; do
    case $name in
    need:*)
      expect_equal "the filter allows what the examiner needs: ${name#need:}" allowed \
        "$(result_of "$name" "$inside")"
      ;;
    *) expect_stopped "$name" "$inside" "$outside" ;;
    esac
  done <<<"$outside"
  expect_equal "the filter refuses every other system call" "" \
    "$(sed -n 's/^unexpected //p' <<<"$inside" | paste -sd' ')"
}

# filters_of PID: prints the mode, and how many filters the process has.
filters_of() { sed -nE 's/^Seccomp(_filters)?:\t//p' "/proc/$1/status" | paste -sd' '; }

test_examiner_has_filter() {
  local examiner mine

  mine=$(filters_of $$)
  start_daemon
  examiner=$(pgrep --exact vaild-examiner --parent "$DAEMON")
  expect_equal "the main process has no filter of its own" "$mine" "$(filters_of "$DAEMON")"
  expect_equal "the examiner has one filter more" "2 $((${mine#* } + 1))" \
    "$(filters_of "$examiner")"
}

# Those tests ask the examiner every question.
test_examiner_answers() {
  local name result

  for name in graphics-context pid-namespaces; do
    result=passed
    "$ROOT/tests/system/test-$name.sh" >"$PRIVATE/$name.log" 2>&1 || result=failed
    [ "$result" = passed ] || cat "$PRIVATE/$name.log"
    expect_equal "test-$name passes behind the filter" passed "$result"
  done
}

# The daemon of the other tests has sanitizers, and therefore no filter.
export VAILD=$ROOT/build/vaild

if [ "$("$TRY" | head -n 1)" = no-filter ]; then
  skip "the examiner's filter" "this build has none"
else
  test_attempts
  test_examiner_has_filter
  test_examiner_answers
fi
finish
