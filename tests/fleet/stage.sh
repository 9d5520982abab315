# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# Three members of etcd, four hosts and four VMs, for the tests in this folder. To be sourced by them.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"

# needs CONDITION REASON: skips the whole test unless the command succeeds.
needs() {
  eval "$1" >/dev/null 2>&1 && return
  skip "$NAME" "$2"
  finish
}

VMS=(1 2 3 4)

# shellcheck source=tests/fleet/members.sh
. "$ROOT/tests/fleet/members.sh"
# shellcheck source=tests/fleet/hosts.sh
. "$ROOT/tests/fleet/hosts.sh"
# shellcheck source=tests/fleet/bounds.sh
. "$ROOT/tests/fleet/bounds.sh"
# shellcheck source=tests/fleet/shown.sh
. "$ROOT/tests/fleet/shown.sh"
# shellcheck source=tests/fleet/history.sh
. "$ROOT/tests/fleet/history.sh"

needs '[ -x "$ROOT/build/sanitized/vaild-fleet" ]' "vaild-fleet is not built here, because libcurl's development files are missing"
needs 'command -v etcd' "etcd is not installed"
needs 'command -v ip && unshare --net --time true' "this machine does not allow network and time namespaces"

## Hangs

# No wait has a deadline, because machines differ in speed. But a run hangs if it prints no result for
# HANG_SECONDS.
HANG_SECONDS=${VAILD_HANG_SECONDS:-1800}
PROGRESS=$PRIVATE/progress

ok() {
  echo "ok $*"
  : >"$PROGRESS"
}

# note_wait COMMAND...: says what a check waits for, and what the hosts show meanwhile.
note_wait() {
  local host

  echo "# still waiting: $*"
  for host in "${HOSTS[@]}"; do
    echo "#   host $host: $(timeout 10 nsenter --target "${INIT[$host]}" --mount --uts --net --pid -- \
      "$PRIVATE/build/vailctl" fleet vms --json 2>&1)"
  done
}

# Ends the test if it hangs. The test is the first process of its pid namespace, which nobody can kill
# from within, and notices the signal when its command has ended.
watch_for_hangs() {
  : >"$PROGRESS"
  while [ $(($(date +%s) - $(stat -c %Y "$PROGRESS"))) -lt "$HANG_SECONDS" ]; do sleep 5; done
  echo "not ok $NAME: HANG: it printed no result for $HANG_SECONDS s"
  kill -USR1 $$
  kill -KILL -1
}

make_stage() {
  local member host

  trap 'exit 1' USR1
  watch_for_hangs &

  mkdir "$PROGRAMS"
  cp "$ROOT"/build/sanitized/vaild{,-fleet} "$ROOT/build/tests/jump-clock.so" "$PROGRAMS"
  cp "$ROOT/build/vaild-fleet" "$PRIVATE/build/"
  make_fleet_user
  make_hub
  for member in "${MEMBERS[@]}"; do start_member "$member"; done
  for host in "${HOSTS[@]}"; do
    make_host "$host"
    start_vaild "$host"
    start_fleet "$host"
  done
}

# Checks that nothing that was stopped in an orderly way, or that runs, has reported a mistake of itself.
check_ends() {
  local host

  for host in "${HOSTS[@]}"; do
    end_program "fleet-$host" TERM
    expect_equal "vaild-fleet of host $host ends cleanly" 0 "$STATUS"
    end_program "vaild-$host" TERM
    expect_equal "vaild of host $host ends cleanly" 0 "$STATUS"
  done
  expect_equal "no sanitizer has reported anything" "" \
    "$(grep -hE 'Sanitizer|runtime error|Assertion' "$PRIVATE"/host*/*.log || true)"
}
