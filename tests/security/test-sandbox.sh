#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs a program instead of the daemon in the sandbox of vaild.service. It has exactly the documented
# capability, like the examiner, can write only to two folders, and cannot make system calls that the daemon does not
# need. It makes each attempt outside of the sandbox as well, where it must succeed. Attempts that
# this machine refuses there are skipped by name.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

TRY=/usr/local/lib/helpers/try-sandbox

# Every user can write to these folders outside of the sandbox.
OPEN=(/etc/open /usr/open /var/open /var/lib/open /run/open /run/vaild/open /srv/open /tmp /var/tmp
  /dev/shm)
OWN=(/run/vaild/state /var/lib/vaild)

# in_sandbox COMMAND...: runs the command as the main process of vaild.service. Prints its output.
in_sandbox() {
  override Type=oneshot Restart=no WatchdogSec=0 ExecStart= "ExecStart=$*" \
    StandardOutput=truncate:/run/output StandardError=journal
  reset_start_limits
  quietly box systemctl start vaild.service || true
  cat "$BOX_OUTPUT"
}

BOX_OUTPUT= # the file /run/output of the box, set when the box has started

# result_of NAME RESULTS: prints the result of an attempt.
result_of() { sed -n "s|^$1 ||p" <<<"$2"; }

# expect_refused NAME INSIDE OUTSIDE: checks that an attempt fails in the sandbox and not outside.
expect_refused() {
  local outside

  outside=$(result_of "$1" "$3")
  if [ "$outside" != allowed ]; then
    skip "the sandbox refuses $1" "this machine refuses it outside of the sandbox as well: $outside"
    return
  fi
  expect_match "the sandbox refuses $1" '^E(PERM|ACCES|ROFS|AFNOSUPPORT)$' \
    "$(result_of "$1" "$2")"
}

# The outside attempts are those of root, with all capabilities that this machine gives.
check_attempts() {
  local inside outside name

  inside=$(in_sandbox "$TRY" "$OTHER" "${OPEN[@]}" "${OWN[@]}")
  outside=$("$HELPERS/try-sandbox" $$)
  while read -r name _; do
    case $name in
    need:*)
      expect_equal "the sandbox allows what vaild needs: ${name#need:}" allowed \
        "$(result_of "$name" "$inside")"
      ;;
    *) expect_refused "$name" "$inside" "$outside" ;;
    esac
  done <<<"$outside"
  check_folders "$inside"
}

# check_folders INSIDE
check_folders() {
  local outside folder

  outside=$(box setpriv --reuid vaild --regid vaild --clear-groups "$TRY" "$OTHER" "${OPEN[@]}")
  for folder in "${OPEN[@]}"; do
    expect_refused "$folder" "$1" "$outside"
  done
  for folder in "${OWN[@]}"; do
    expect_equal "the sandbox allows writing to $folder" allowed "$(result_of "$folder" "$1")"
  done
}

# Prints the values of these lines of /proc/self/status in the sandbox.
status_in_sandbox() {
  in_sandbox /bin/cat /proc/self/status | sed -nE "s/^($1):\t//p" | paste -sd' '
}

check_capabilities() {
  local ptrace=0000000000080000

  expect_equal "the only capability in all five sets is CAP_SYS_PTRACE" \
    "$ptrace $ptrace $ptrace $ptrace $ptrace" "$(status_in_sandbox 'Cap(Inh|Prm|Eff|Bnd|Amb)')"
  expect_equal "no privileges can be gained, and system calls are filtered" "1 2" \
    "$(status_in_sandbox 'NoNewPrivs|Seccomp')"
  expect_equal "every id is that of vaild, without further groups" \
    "$(box id -u vaild) $(box id -g vaild)" \
    "$(in_sandbox /bin/cat /proc/self/status | awk '$1 == "Uid:" || $1 == "Gid:" {
      print $2 == $3 && $3 == $4 && $4 == $5 ? $2 : "differ" }' | paste -sd' ')"
}

check_limits() {
  expect_equal "no core dump is written" 0 \
    "$(in_sandbox /bin/cat /proc/self/limits | sed -nE 's/^Max core file size +[0-9a-z]+ +([0-9]+) .*/\1/p')"
  expect_equal "memory is limited" "3221225472 0" \
    "$(property MemoryMax) $(property MemorySwapMax)"
}

# Only systemd knows a dynamic user, so libnss_systemd asks it over a socket.
check_user_lookup() {
  quietly box systemd-run --unit dynamic -p DynamicUser=yes -p User=vail-dynamic sleep infinity
  if ! box getent passwd vail-dynamic >/dev/null; then
    skip "the sandbox allows looking up a user of another service" \
      "this machine does not find users with libnss_systemd"
    return
  fi
  expect_match "the sandbox allows looking up a user of another service" '^vail-dynamic:' \
    "$(in_sandbox /usr/bin/getent passwd vail-dynamic)"
}

trap box_stop EXIT
box_start
box_install
BOX_OUTPUT=/proc/$BOX_LEADER/root/run/output
box mkdir -m 777 "${OPEN[@]:0:7}"
quietly box systemd-run --unit other -p User=vail-alice sleep infinity
OTHER=$(property MainPID other.service)
box systemctl stop vaild.service
check_capabilities
check_limits
check_attempts
check_user_lookup
box_log_on_failure
finish
