# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A VM whose display client is a plain user, and a registered process of that user. To be sourced.
set -eu

GUID=$(cat /proc/sys/kernel/random/uuid)
CLIENT=vail-autopkgtest
STRANGER=vail-autopkgtest-other

# fail SENTENCE
fail() {
  echo "$*" >&2
  exit 1
}

# exec_as USER COMMAND...: executes COMMAND as USER. In the background, $! is its pid.
exec_as() { exec setpriv --reuid "$1" --regid "$1" --init-groups --inh-caps=-all -- "${@:2}"; }

# Prints the pids that are registered for the VM.
registered() {
  vailctl --json registrations | jq -r --arg guid "$GUID" \
    '.registrations[] | select(.virtualMachineGuid == $guid) | .pid'
}

# Ends everything that the test has started, and removes its users.
clean_up() {
  for pid in $(jobs -p); do
    kill "$pid" 2>/dev/null || true
  done
  wait
  for user in "$CLIENT" "$STRANGER"; do
    userdel "$user" || true
  done
}

# Starts vaild, the VM and the process. Sets REGISTERED to its pid.
set_stage() {
  for user in "$CLIENT" "$STRANGER"; do
    useradd "$user"
  done
  trap clean_up EXIT
  systemctl start vaild
  sleep infinity &
  vailctl vm add "$GUID" --name autopkgtest --pid $! --user "$CLIENT"
  vailctl vgpu assign "$GUID"
  exec_as "$CLIENT" vailctl exec "$GUID" -- sleep infinity &
  REGISTERED=$!
  until [ "$(registered)" = "$REGISTERED" ]; do
    kill -0 "$REGISTERED" || fail "the display client cannot register"
    sleep 0.1
  done
}

# expect_refusal USER: expects that vaild refuses to register a process of this user for the VM.
expect_refusal() {
  local said

  if said=$(exec_as "$1" vailctl exec "$GUID" -- true 2>&1); then
    fail "a process of $1 is registered"
  fi
  grep STATUS_ACCESS_DENIED <<<"$said" || fail "a process of $1 is not registered for another reason: $said"
}

# expect_stage: expects the VM and the registration to exist.
expect_stage() {
  [ "$(registered)" = "$REGISTERED" ] || fail "the registration is lost"
  vailctl show autopkgtest
}
