#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Upgrades the vaild of release 0.1.0, whose records have version 1, at work: VMs, registrations, shared
# objects and a quarantine are the same after the upgrade. That release had no packages, so the test puts
# its program into the installed package.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"

RELEASE=38f307984e03c71559a2ceb95d7b02b4f4990ed7
OLD=$PACKAGES/vaild-0.1.0
MANY=100
VM=88888888-8888-4888-8888-888888888888
OTHER=99999999-9999-4999-8999-999999999999

# Another user may own the clone.
in_clone() { git -C "$ROOT" -c safe.directory='*' "$@"; }

# Builds the program of the release, once.
build_old() {
  [ ! -x "$OLD/build/vaild" ] || return 0
  rm -rf "$OLD"
  mkdir "$OLD"
  in_clone archive "$RELEASE" | tar --extract --directory="$OLD"
  env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --silent -C "$OLD" build/vaild
}

start_old() {
  box systemctl stop vaild.service
  install "$OLD/build/vaild" "$BOX_ROOT/usr/sbin/vaild"
  expect "the vaild of the release starts" quietly box systemctl start vaild.service
  expect_equal "it runs" 0.1.0 "$(ask root "$(call io.vaild.Monitor.GetStatus)" | field .parameters.version)"
}

set_up() {
  box_session sharer vail-vmm share-object "$VM"
  expect_equal "a VM is registered" STATUS_SUCCESS "$(add_vm "$VM" "$PID" "$ALICE_CLIENT")"
  assign_gpu "$VM" >/dev/null
  expect_reply "its VMM shares $MANY objects" STATUS_SUCCESS sharer "share-many $MANY"
  box_session many vail-alice register-many "$VM"
  expect_reply "$MANY processes register" "$MANY" many "register $MANY"
  session_ask sharer "share read memory"
  read -r STATUS HANDLE _ <<<"$REPLY"
  expect_equal "it shares one more" STATUS_SUCCESS "$STATUS"
  box_session viewer vail-alice open-object "$VM"
  expect_reply "a viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  session_ask viewer "open $HANDLE"
  expect_match "the viewer opens it" '^STATUS_SUCCESS ' "$REPLY"
  expect "a quarantine begins" quietly box vailctl vm quarantine "$OTHER" --reason "since before"
}

# Prints what both versions tell of each VM, registration, object and quarantine.
lists() {
  ask root "$(call io.vaild.Machine.ListVirtualMachines)" "$(call io.vaild.ListRegistrations)" \
    "$(call io.vaild.ListSharedObjects)" "$(call io.vaild.Machine.ListQuarantines)" |
    jq -c '.parameters[] | arrays | .[] | [.virtualMachineGuid, .vmmPid, .pid, .handle, .sharedByPid,
      .object.size, .reason, [.displayClients[]?.user], [.virtualGpus[]?.virtualGpu], [.holders[]?.pid]]'
}

version_of_records() { box head -n 1 /run/vaild/state/records | sed 's/.*{"version":\([0-9]*\).*/\1/'; }

check_upgrade() {
  DAEMON=$(property MainPID)
  lists >"$PRIVATE/before"
  expect "everything is listed" test "$(wc -l <"$PRIVATE/before")" -ge $((2 * MANY + 3))
  expect_equal "its records have version 1" 1 "$(version_of_records)"
  expect_install "the next version installs" next vaild libvail0
  expect "the daemon runs again" eventually has_restarted
  lists >"$PRIVATE/after"
  expect "the lists are the same" quietly diff "$PRIVATE/before" "$PRIVATE/after"
  expect_equal "no record is dropped" "[]" \
    "$(ask root "$(call io.vaild.Monitor.GetStatus)" |
      jq -c '.parameters.remarks | map(select(.subject | test("machined") | not))')"
  expect "older versions refuse the records now" test "$(version_of_records)" -gt 1
  expect_reply "the VMM writes to the object" STATUS_SUCCESS sharer "write 0 upgraded"
  expect_reply "the viewer reads it" "STATUS_SUCCESS upgraded" viewer "read 0"
  expect_reply "the viewer closes it" STATUS_SUCCESS viewer close
}

if ! in_clone cat-file -e "$RELEASE^{commit}" 2>/dev/null; then
  skip "an upgrade from release 0.1.0" "this source is no git clone with that commit"
  finish
fi
expect "the program of the release builds" quietly build_old
[ "$FAILED" -eq 0 ] || finish
trap box_stop EXIT
start_debian
expect_install "this version installs" this vaild libvail0
start_old
set_up
check_upgrade
box_log_on_failure
finish
