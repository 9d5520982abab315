#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Installs the packages, and nothing else, in a fresh Debian 12 under a real systemd: first those of
# a server, then the viewer, then the rest. vaild, vailctl, vail-qemu and vail-view work.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"

VM=11111111-1111-4111-8111-111111111111
GUEST=22222222-2222-4222-8222-222222222222

# expect_without CHECK NAME...: checks that none of these packages is installed.
expect_without() {
  local check=$1 name
  shift
  for name; do
    expect_match "$check: $name is not installed" '^(unknown|not-installed|config-files)$' "$(status_of "$name")"
  done
}

check_server() {
  expect_install "the daemon and the library install" this vaild libvail0
  expect_without "a server" vaild-fleet libcurl4 libsdl2-2.0-0 libvirt0 libx11-6 libwayland-client0
  expect "the service runs" property_is ActiveState active
  expect "systemctl start succeeds" quietly box systemctl start vaild
  expect_enabled "a server"
  expect_equal "the service runs as its own user" vaild \
    "$(box stat -c %U "/proc/$(property MainPID)")"
  expect_match "a plain user runs vailctl" 'Version: +[0-9]' "$(run_as vail-alice vailctl status)"
  expect_match "vailctl has the version of the package" "^vailctl $(version_of_vaild | sed 's/-.*//')$" \
    "$(box vailctl --version)"
  expect "the journal knows vaild's messages" grep_quietly '^f8cbc522b6714bd1b1c78139035ce42b ' \
    box journalctl --no-pager --list-catalog
}

# grep_quietly PATTERN COMMAND...: tests whether the output of a command has the pattern.
grep_quietly() { grep -E -- "$1" <<<"$("${@:2}")" >/dev/null; }

check_viewer() {
  expect_install "the viewer installs" this vail-view
  expect_without "a host with a viewer" libvirt0 vail-qemu vail-libvirt
  expect_match "vail-view runs without libvirt" '^vail-view [0-9]' "$(run_as vail-alice vail-view --version)"
}

check_agent() {
  expect_install "the agent of QEMU installs" this vail-qemu
  expect_without "a host with QEMU" libvirt0 vail-libvirt
  start_guest "$GUEST"
  session_ask qemu "update 0 0 0 8 8"
  expect "vail-view reads the guest's screen" run_as vail-alice sh -c \
    'vail-view "a guest" --png - >/tmp/screen.png && test -s /tmp/screen.png'
}

# It starts only with a configuration, and may then impose quarantines.
check_fleet() {
  expect_equal "vaild-fleet is enabled, and does not start without fleet.json" "enabled inactive success" \
    "$(box systemctl is-enabled vaild-fleet) $(property ActiveState vaild-fleet) $(property Result vaild-fleet)"
  expect_without "a host of a fleet" etcd-server
  expect_match "its user is in both groups" '^vaild-fleet : vaild-fleet vaild-(observers vaild-quarantine|quarantine vaild-observers)$' \
    "$(box sh -c 'echo "vaild-fleet : $(id -Gn vaild-fleet)"')"
  expect "the configuration of vaild is right" quietly box vaild --check-config
  expect_fleet_quarantines "its user imposes quarantines" STATUS_SUCCESS
}

# A program that uses libvail is built and runs.
check_development() {
  expect_apt "a compiler installs" install "${COMPILER[@]}"
  printf '%s\n' '#include <vail.h>' 'int main(void) { return !vail_status_name(STATUS_SUCCESS); }' \
    >"$BOX_ROOT/root/user.c"
  # shellcheck disable=SC2016 # the shell in the box expands it
  expect "a program is compiled and linked with what pkg-config prints" quietly box sh -c \
    'gcc -Wall -Werror -o /root/user /root/user.c $(pkg-config --cflags --libs vail)'
  expect "it runs" quietly box /root/user
}

check_rest() {
  expect_install "all packages install" this
  expect_match "vail-libvirt is not failed without a libvirtd" '^(active|activating)$' \
    "$(property ActiveState vail-libvirt.service)"
  expect_equal "the user service is enabled for no user" disabled \
    "$(box systemctl --global is-enabled vail-libvirt.service)"
}

trap box_stop EXIT
start_debian
check_server
check_main_job "$VM"
check_viewer
check_agent
check_rest
check_fleet
check_development
box_log_on_failure
finish
