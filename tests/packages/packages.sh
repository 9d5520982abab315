# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# A fresh Debian 12 for tests of the packages, as the root of a box. To be sourced after
# system-test.sh. tests/packages/run builds the packages and the Debian 12.

PACKAGES=$ROOT/build/packages
THIS=$PACKAGES/this # the packages of this source
NEXT=$PACKAGES/next # the same source as the next version
TREE=$PACKAGES/bookworm
BOX_SYSTEM=$TREE
# shellcheck source=tests/system/lib/box.sh
. "$ROOT/tests/system/lib/box.sh"

COMPILER=(gcc libc6-dev pkgconf)                  # what a program that uses libvail is built with
USER_SERVICES=(dbus-user-session libpam-systemd) # what services of users run with
NO_INTERACTION=(env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8)

# in_tree COMMAND...: runs a command in the Debian 12 itself, with the packages in /tmp.
in_tree() { chroot "$TREE" "${NO_INTERACTION[@]}" "$@"; }

# Downloads what the packages depend on, and what the tests install besides, into apt's cache in the
# Debian 12, because a box has no network.
download_dependencies() {
  local status=0

  touch "$TREE/etc/resolv.conf"
  cat /etc/resolv.conf >"$PRIVATE/resolv.conf"
  mount --bind "$PRIVATE/resolv.conf" "$TREE/etc/resolv.conf"
  mount -t tmpfs tmpfs "$TREE/tmp"
  cp "$THIS"/*.deb "$TREE/tmp/"
  in_tree apt-get update -qq &&
    in_tree sh -c 'apt-get install -y -qq --no-install-recommends --download-only "$@" /tmp/*.deb' \
      sh "${COMPILER[@]}" "${USER_SERVICES[@]}" >/dev/null || status=1
  umount "$TREE/tmp" "$TREE/etc/resolv.conf"
  return "$status"
}

# Boots the Debian 12, with the packages in /packages/this and /packages/next, and with the tests'
# helper programs.
start_debian() {
  local version

  expect "the packages' dependencies are downloaded" download_dependencies
  box_start
  # An image's policy-rc.d would have packages start and restart nothing.
  rm -f "$BOX_ROOT/usr/sbin/policy-rc.d"
  for version in this next; do
    mkdir -p "$BOX_ROOT/packages/$version"
    cp "$PACKAGES/$version"/*.deb "$BOX_ROOT/packages/$version/" 2>/dev/null || true
  done
  cp -r "$HELPERS" "$BOX_ROOT/usr/local/lib/helpers"
}

not() { ! "$@"; }

# apt COMMAND ARGUMENT...: runs apt-get in the box. Its output is in the file $PRIVATE/apt.
apt() { box "${NO_INTERACTION[@]}" apt-get -y --no-install-recommends "$@" >"$PRIVATE/apt" 2>&1; }

# expect_apt CHECK COMMAND ARGUMENT...: expects apt-get to succeed. Prints its output if it fails.
expect_apt() {
  local check=$1
  shift
  if apt "$@"; then
    ok "$check"
  else
    sed 's/^/# apt: /' "$PRIVATE/apt"
    not_ok "$check" "apt-get fails"
  fi
}

# expect_enabled CHECK: expects units of vaild to be enabled as the packages should leave them.
expect_enabled() {
  expect_equal "$1: service and socket are enabled, the timer is not" "enabled enabled disabled" \
    "$(box systemctl is-enabled vaild.service vaild.socket vaild-metrics.timer | paste -sd' ')"
}

# check_main_job GUID: a display client registers for a new VM, and another user is refused.
check_main_job() {
  ready_vm "$1" "$ALICE_CLIENT"
  expect_equal "a display client registers, and a stranger is refused" \
    "STATUS_SUCCESS STATUS_ACCESS_DENIED" \
    "$(for user in vail-alice vail-bob; do
      ask "$user" "$CONTEXT" "$(register "$1")" | tail -n 1
    done | statuses)"
}

# expect_install CHECK VERSION [NAME...]: installs the package files of a version, "this" or "next", as
# an upgrade or downgrade if need be. Without names, installs all.
expect_install() {
  local check=$1 version=$2 name files=()
  shift 2
  for name in "${@:-*}"; do
    mapfile -t -O "${#files[@]}" files < <(cd "$BOX_ROOT" && printf '/%s\n' "packages/$version"/$name"_"*.deb)
  done
  expect_apt "$check" install --allow-downgrades "${files[@]}"
}

# status_of NAME: prints dpkg's status of the package in the box, such as installed, or "unknown".
status_of() {
  # shellcheck disable=SC2016 # dpkg-query expands it
  box sh -c 'dpkg-query -W -f "\${db:Status-Status}" "$0" 2>/dev/null || echo unknown' "$1"
}

# none_runs NAME: tests whether no process in the box has this name. If pgrep itself fails, its status
# is not 1.
none_runs() { [ "$(box sh -c 'pgrep -x "$0" >/dev/null; echo $?' "$1")" = 1 ]; }

# Prints the version of vaild that is installed in the box.
version_of_vaild() { box dpkg-query -W -f '${Version}' vaild; }

# expect_fleet_quarantines CHECK STATUS: expects this status when the user of vaild-fleet puts a VM in
# quarantine, and when it releases the VM.
expect_fleet_quarantines() {
  local guid=44444444-4444-4444-8444-444444444444 quarantined

  expect_equal "$1" "$2 $2" "$(for quarantined in true false; do
    echo "$(call io.vaild.Machine.SetQuarantine "{\"virtualMachineGuid\":\"$guid\",\"quarantined\":$quarantined}")"
  done | box setpriv --reuid vaild-fleet --regid vaild-fleet --init-groups --inh-caps=-all -- \
    "${SOCAT[@]}" - "UNIX-CONNECT:$SOCKET" | statuses)"
}

start_vmm() {
  # shellcheck disable=SC2016
  VMM=$(box sh -c 'setpriv --reuid "$0" --regid "$0" --init-groups --inh-caps=-all -- \
    sleep infinity >/dev/null & echo $!' "$1")
}

# Starts fake-qemu, a guest with one console, and the service that shares its screen with vail-alice.
start_guest() {
  session_open_with qemu root /usr/local/lib/helpers/fake-qemu /run/guest.qmp "a guest" "$1" Graphic
  eventually box test -S /run/guest.qmp
  mkdir -p "$BOX_ROOT/etc/systemd/system/vail-qemu@.service.d"
  printf '%s\n' '[Service]' 'Environment="VAIL_QEMU_OPTIONS=--user vail-alice"' \
    >"$BOX_ROOT/etc/systemd/system/vail-qemu@.service.d/user.conf"
  box systemctl daemon-reload
  expect "vail-qemu@ starts" quietly box systemctl start vail-qemu@run-guest.qmp
  expect_reply "vail-qemu listens to the guest's console" ok qemu "listen 0 1"
  session_ask qemu "map 0 64 48"
  expect "the guest's screen is shared" eventually screen_is_shared
}

screen_is_shared() { box vailctl objects 2>/dev/null | grep -q 'console 0'; }
