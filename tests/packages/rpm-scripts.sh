#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The scripts of the RPM packages run, with systemd's own macros and triggers, in a copy of this system:
# an installation before the first boot, an upgrade of a vaild at work, a downgrade that is refused, and
# removals. Users, groups, folders and the states of units are right after each.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib/system-test.sh"
# shellcheck source=tests/packages/packages.sh
. "$ROOT/tests/packages/packages.sh"
# shellcheck source=tests/packages/systemd-rpm.sh
. "$ROOT/tests/packages/systemd-rpm.sh"
BOX_SYSTEM=/ # because the packages were linked with its libraries

VM=88888888-8888-4888-8888-888888888888
GUEST=22222222-2222-4222-8222-222222222222
CONFIG=$BOX_ROOT/etc/vaild
DROP_IN=$CONFIG/vaild.json.d/50-vaild-fleet.json
METRICS=$BOX_ROOT/var/lib/prometheus/node-exporter/vaild.prom
UNITS=(vaild.service vaild.socket vaild-metrics.timer vail-libvirt.service vaild-fleet.service)
RPM=(rpm --dbpath /var/lib/rpm-test)
CHANGE=("${RPM[@]}" --nodeps) # this RPM knows no Debian packages

# expect_rpm CHECK COMMAND...: expects that rpm succeeds, and that it does not report a script that failed.
expect_rpm() {
  local check=$1
  shift
  if "$@" >"$PRIVATE/rpm" 2>&1 && ! grep -qE '^(error|warning):' "$PRIVATE/rpm"; then
    ok "$check"
  else
    sed 's/^/# rpm: /' "$PRIVATE/rpm"
    not_ok "$check" "rpm fails"
  fi
}

# files_of VERSION [NAME...]: prints the paths in the box of the packages of a version, "this" or
# "next". Without names, of all.
files_of() {
  local version=$1 name
  shift
  for name in "${@:-*}"; do
    (cd "$BOX_ROOT" && printf '/%s\n' "packages/$version"/$name-[0-9]*.rpm)
  done
}

# expect_install CHECK VERSION [NAME...]: installs or upgrades packages.
expect_install() {
  local files
  mapfile -t files < <(files_of "${@:2}")
  expect_rpm "$1" box "${CHANGE[@]}" -U "${files[@]}"
}

# Prints the names of all packages of vaild that are installed in the box.
installed() { box "${RPM[@]}" -qa --qf '%{NAME}\n' 'vail*' 'libvail*' | LC_ALL=C sort | paste -sd' '; }

version_of_vaild() { box "${RPM[@]}" -q --qf '%{VERSION}' vaild; }

build_next() {
  rm -rf "$PACKAGES/rpm-next"
  "$PACKAGES/next-source/packaging/build-rpm" "$PACKAGES/rpm-next" --load "$SYSTEMD_MACROS"
}

# The first installation is in a system that does not run. Its presets enable only vaild, as those of a
# distribution may.
build_image() {
  local presets=$BOX_ROOT/etc/systemd/system-preset version triggers files

  cp "$SYSTEMD_RPM/systemd-update-helper" "$BOX_ROOT/usr/lib/systemd/"
  mkdir -p "$presets"
  printf '%s\n' 'enable vaild.service' 'enable vaild.socket' 'disable *' >"$presets/00-test.preset"
  for version in this next; do
    mkdir -p "$BOX_ROOT/packages/$version"
  done
  cp "$PACKAGES"/rpm/*.rpm "$BOX_ROOT/packages/this/"
  cp "$PACKAGES"/rpm-next/*.rpm "$BOX_ROOT/packages/next/"
  rm -f "$BOX_ROOT"/packages/*/*debug*.rpm "$BOX_ROOT"/packages/*/*.src.rpm
  triggers=$(build_systemd_rpm)
  cp "$triggers" "$BOX_ROOT/packages/"
  mapfile -t files < <(files_of this)
  rpm --eval '%{_libdir}' >"$BOX_ROOT/etc/ld.so.conf.d/rpm.conf" # which RPM's own systems search
  mount -t proc proc "$BOX_ROOT/proc"
  mount -t tmpfs tmpfs "$BOX_ROOT/run"
  chroot "$BOX_ROOT" "${CHANGE[@]}" -U "/packages/${triggers##*/}" 2>"$PRIVATE/rpm"
  expect_rpm "the packages install without systemd" chroot "$BOX_ROOT" "${CHANGE[@]}" -U "${files[@]}"
  umount "$BOX_ROOT/run" "$BOX_ROOT/proc"
  cp -r "$HELPERS" "$BOX_ROOT/usr/local/lib/helpers"
}

# states: prints whether each unit is enabled and active.
states() {
  local unit

  for unit in "${UNITS[@]}"; do
    echo "$unit $(box systemctl is-enabled "$unit") $(property ActiveState "$unit")"
  done
}

check_first_boot() {
  expect_match "vaild has a user and a group" '^vaild:[^:]*:[0-9]+:[0-9]+:VAIL Broker:.* vaild:[^:]*:[0-9]+:' \
    "$(box getent passwd vaild) $(box getent group vaild)"
  expect_match "the user of vaild-fleet is in both groups" \
    '^vaild-fleet (vaild-observers vaild-quarantine|vaild-quarantine vaild-observers)$' "$(box id -Gn vaild-fleet)"
  expect_equal "the presets decide what is enabled" "enabled enabled disabled disabled disabled" \
    "$(box systemctl is-enabled "${UNITS[@]}" | paste -sd' ')"
  expect_equal "the socket is open" active "$(property ActiveState vaild.socket)"
  expect "the service starts" quietly box systemctl start vaild.service
  expect_equal "it runs as its own user" vaild "$(box stat -c %U "/proc/$(property MainPID)")"
  expect_equal "folders are those of root and of vaild" "755 root 700 vaild 755 root" \
    "$(box stat -c '%a %U' /run/vaild /var/lib/vaild /etc/vaild | paste -sd' ')"
  expect "the journal knows vaild's messages" quietly box sh -c \
    'journalctl --no-pager --list-catalog | grep f8cbc522b6714bd1b1c78139035ce42b'
  expect_fleet_quarantines "the user of vaild-fleet imposes quarantines" STATUS_SUCCESS
}

# Changes what an administrator may change, and starts what an upgrade must leave alone.
set_up() {
  box_session many vail-alice register-many "$VM"
  expect_reply "processes register" 3 many "register 3"
  expect "a quarantine begins" quietly box vailctl vm quarantine 99999999-9999-4999-8999-999999999999
  start_guest "$GUEST"
  echo '{ "limits": { "connectionsPerUid": 300 } }' >"$CONFIG/vaild.json.d/mine.json"
  mkdir -p "${METRICS%/*}"
  expect "the administrator enables the timer" quietly box systemctl enable --now vaild-metrics.timer
  expect "the metrics are written" eventually test -s "$METRICS"
  expect "the administrator disables the service" quietly box systemctl disable vaild.service
  expect "the administrator enables the socket alone" quietly box systemctl enable vaild.socket
}

# Prints what an upgrade must leave alone: the states of units, the socket, the agent, and registrations.
bystanders() {
  states
  property InvocationID vaild.socket
  property MainPID vail-qemu@run-guest.qmp
  registered_pids
}

check_upgrade() {
  local before

  before=$(bystanders)
  DAEMON=$(property MainPID)
  rm "$DROP_IN"
  expect_install "the next version installs" next
  expect "upgrade: the service restarts" eventually has_restarted
  expect_equal "upgrade: the new daemon runs" "$(version_of_vaild)" \
    "$(ask root "$(call io.vaild.Monitor.GetStatus)" | field .parameters.version)"
  expect_equal "upgrade: units, socket, agent and registrations are as before" "$before" "$(bystanders)"
  expect "upgrade: a drop-in that was deleted stays deleted" not test -e "$DROP_IN"
}

# The scripts read only the first line of the records. The running daemon has its file open.
check_refused_downgrade() {
  local before files

  before="$(installed) $(version_of_vaild) $(property MainPID) $(bystanders)"
  box sh -c 'cd /run/vaild/state && mv records kept && echo "00000000 {\"version\":9999}" >records'
  mapfile -t files < <(files_of this vaild libvail)
  expect_match "a downgrade to a version that cannot read the records fails" '^[1-9]' \
    "$(box "${CHANGE[@]}" -U --oldpackage "${files[@]}" >"$PRIVATE/rpm" 2>&1 || echo $?)"
  expect "it says so, and how to go on" grep -q "cannot read the records" "$PRIVATE/rpm"
  box sh -c 'cd /run/vaild/state && mv kept records'
  expect_equal "everything stays" "$before" \
    "$(installed) $(version_of_vaild) $(property MainPID) $(bystanders)"
}

# A running vaild knows at once what vaild-fleet may do.
check_fleet() {
  expect_rpm "vaild-fleet is removed" box "${CHANGE[@]}" -e vaild-fleet
  expect_install "vaild-fleet installs" next vaild-fleet
  expect_fleet_quarantines "installed: its user imposes quarantines at once" STATUS_SUCCESS
  expect_rpm "vaild-fleet is removed again" box "${CHANGE[@]}" -e vaild-fleet
  expect "removed: its drop-in is gone" not test -e "$DROP_IN"
  expect_fleet_quarantines "removed: its user imposes no quarantines any more" STATUS_ACCESS_DENIED
  echo '{ "quarantineGroup": "vaild" }' >"$DROP_IN"
  expect_install "vaild-fleet installs beside a drop-in of the administrator" next vaild-fleet
  expect_rpm "vaild-fleet is removed once more" box "${CHANGE[@]}" -e vaild-fleet
  expect_equal "the administrator's drop-in stays" '{ "quarantineGroup": "vaild" }' "$(cat "$DROP_IN")"
}

check_removal() {
  local names

  read -ra names <<<"$(installed)"
  expect_rpm "all packages are removed" box "${CHANGE[@]}" -e "${names[@]}"
  expect_equal "removed: no unit runs" "inactive inactive inactive inactive inactive" \
    "$(for unit in "${UNITS[@]}"; do property ActiveState "$unit"; done | paste -sd' ')"
  expect_silent "removed: no unit is failed" box systemctl list-units --failed --plain --no-legend 'vail*'
  expect "removed: no daemon is left" none_runs vaild
  expect "removed: no agent is left" none_runs vail-qemu
  expect_silent "removed: no link to a unit is left" find "$BOX_ROOT/etc/systemd/system" -type l -name 'vail*'
  expect "removed: the metrics are not reported for ever" not test -e "$METRICS"
  expect "removed: the configuration stays" test -e "$CONFIG/vaild.json.d/mine.json"
  expect_match "removed: the user stays" '^vaild:' "$(box getent passwd vaild)"
  expect_install "vaild installs again" this vaild libvail
  expect "installed again: it starts" quietly box systemctl start vaild.service
  expect_match "installed again: the quarantine is in force" 99999999-9999 "$(box vailctl vm quarantines)"
}

if ! command -v rpmbuild >/dev/null; then
  skip "the scripts of the RPM packages" "rpmbuild is not installed"
  finish
fi
if ! get_systemd_rpm; then
  skip "the scripts of the RPM packages" "apt cannot download Debian's source of systemd"
  finish
fi
expect "the packages of the next version build" quietly build_next
BOX_BEFORE_BOOT=build_image
trap box_stop EXIT
box_start
check_first_boot
check_main_job "$VM"
set_up
check_upgrade
check_refused_downgrade
check_fleet
check_removal
box_log_on_failure
finish
