# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# A box: a real systemd as PID 1, on an overlay of this machine's own root, in about a second. To be
# sourced behind lib.sh, in whose namespaces it runs, and with which it goes. What it leaves on the
# host is a cgroup without processes, which box_stop, or the next box, takes away.

BOX=$PRIVATE/box
BOX_ROOT=$BOX/root
BOX_LEADER=
CGROUPS=

# A hierarchy of version 2 of its own to look at, and a /run that is nobody's.
box_mounts() {
  mount -t tmpfs -o mode=755 run /run
  umount --lazy /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir -p "$BOX_ROOT"
  mount -t tmpfs -o mode=755 box "$BOX"
  mkdir "$BOX/upper" "$BOX/work" "$BOX_ROOT"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$BOX/upper,workdir=$BOX/work" "$BOX_ROOT"
}

# This shell moves into a cgroup of the box's, and those of boxes that were killed go.
box_cgroup() {
  local old

  for old in /sys/fs/cgroup/vaild-box.*; do
    if grep -q '^populated 0' "$old/cgroup.events" 2>/dev/null; then
      find "$old" -depth -type d -exec rmdir {} + 2>/dev/null || true
    fi
  done
  CGROUP_BEFORE=$(sed -n 's/^0:://p' /proc/self/cgroup)
  CGROUPS=$(mktemp -d /sys/fs/cgroup/vaild-box.XXXXXX)
  echo 0 >"$CGROUPS/cgroup.procs"
}

# Nothing of the host's is started; its users and ours, but no user vaild yet.
box_prepare() {
  rm -rf "$BOX_ROOT"/etc/systemd/system/*.{wants,requires} "$BOX_ROOT/var/log/journal" \
    "$BOX_ROOT/etc/vaild" "$BOX_ROOT/var/lib/vaild"
  : >"$BOX_ROOT/etc/machine-id"
  grep -v '^vaild:' "$PRIVATE/etc/passwd" >"$BOX_ROOT/etc/passwd"
  sed -e '/^vaild:/d' "$PRIVATE/etc/group" >"$BOX_ROOT/etc/group"
  box_has_no_deadlines
  printf '%s\n' '[Unit]' 'Requires=sysinit.target sockets.target' 'After=sysinit.target' \
    'AllowIsolate=yes' >"$BOX_ROOT/etc/systemd/system/box.target"
  ln -sf box.target "$BOX_ROOT/etc/systemd/system/default.target"
  mkdir "$BOX_ROOT/etc/systemd/system/sysinit.target.wants"
  local unit
  for unit in systemd-udevd systemd-udev-trigger systemd-hwdb-update systemd-timesyncd \
    systemd-update-utmp systemd-firstboot systemd-machine-id-commit apparmor keyboard-setup; do
    ln -sf /dev/null "$BOX_ROOT/etc/systemd/system/$unit.service"
  done
}

# Systemd ends no service because this machine is slow, neither by its own deadlines nor by those of
# our units. Later drop-ins, such as override's, come after this one and win.
box_has_no_deadlines() {
  local deadlines=$BOX_ROOT/etc/systemd/system/vaild.service.d

  mkdir -p "$deadlines" "$BOX_ROOT/etc/systemd/system.conf.d"
  printf '%s\n' '[Service]' TimeoutStartSec=infinity TimeoutStopSec=infinity WatchdogSec=1d \
    >"$deadlines/00-no-deadlines.conf"
  printf '%s\n' '[Manager]' DefaultTimeoutStartSec=infinity DefaultTimeoutStopSec=infinity \
    DefaultTimeoutAbortSec=infinity DefaultDeviceTimeoutSec=infinity \
    >"$BOX_ROOT/etc/systemd/system.conf.d/no-deadlines.conf"
}

# nspawn's child that is PID 1 in its namespace.
box_find_leader() {
  local child

  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    BOX_LEADER=$child
    grep -qE '^NSpid:.*	1$' "/proc/$child/status" 2>/dev/null && return
    box_find_leader "$child" && return
  done
  return 1
}

box_is_up_or_gone() {
  is_gone "$1" ||
    { box_find_leader "$1" && box systemctl is-active --quiet box.target 2>/dev/null; }
}

box_start() {
  box_mounts
  box_cgroup
  box_prepare
  setpriv --pdeathsig TERM systemd-nspawn --quiet --register=no --keep-unit -D "$BOX_ROOT" \
    -M vaild-box --private-network --link-journal=no --console=read-only \
    --capability=CAP_BPF,CAP_PERFMON --system-call-filter='bpf pidfd_getfd kcmp' \
    -b >"$BOX/console" 2>&1 &
  local nspawn=$!
  disown "$nspawn" # that it is killed in the end is no news
  eventually box_is_up_or_gone "$nspawn"
  ! is_gone "$nspawn" && return
  echo "not ok $NAME: systemd does not come up"
  sed 's/^/# console: /' "$BOX/console"
  exit 1
}

# What happened in there, where a check failed.
box_log_on_failure() {
  [ "$FAILED" -eq 0 ] || box journalctl --no-pager --lines 300 | sed 's/^/# log: /'
}

# How long systemctl and its like wait for an answer of systemd's.
export SYSTEMD_BUS_TIMEOUT=1000000

# box COMMAND...: as root in the box, as if typed there.
box() {
  nsenter -t "$BOX_LEADER" -m -u -i -n -p -C -r -w -- "$@"
}

## The box stands in for the daemon and the processes of lib.sh

SOCKET=/run/vaild/vaild.sock
UNIT=vaild.service

exec_as() {
  local user=$1
  shift
  exec nsenter -t "$BOX_LEADER" -m -u -i -n -p -C -r -w -- \
    setpriv --reuid "$user" --regid "${GIDS[$user]:-$(id -g "$user")}" --init-groups --inh-caps=-all -- "$@"
}

quietly() { "$@" >"$PRIVATE/output" 2>&1 || { sed 's/^/# /' "$PRIVATE/output"; return 1; }; }

# property NAME [UNIT]
property() { box systemctl show --property "$1" --value "${2:-$UNIT}"; }

property_is() { [ "$(property "$1")" = "$2" ]; }

# Whether another process than DAEMON is the unit's.
is_another_and_up() { [ "$(property MainPID)" != "$DAEMON" ] && property_is ActiveState active; }

# Stops DAEMON, whose watchdog then waits for it for one second only. It is told so in the daemon's
# name, because a WatchdogSec that short could end a daemon that a busy machine keeps waiting.
get_stuck() {
  box kill -STOP "$DAEMON"
  box env NOTIFY_SOCKET=/run/systemd/notify systemd-notify --pid="$DAEMON" WATCHDOG_USEC=1000000
}

# Nothing here happens often enough by itself to be limited.
forget_starts() { box systemctl reset-failed vaild.service vaild.socket 2>/dev/null || true; }

# override LINE...: of the unit's section Service; without any it is as installed.
override() {
  box mkdir -p "/run/systemd/system/$UNIT.d"
  printf '%s\n' '[Service]' "$@" >"$PRIVATE/override"
  nsenter -t "$BOX_LEADER" -m tee "/run/systemd/system/$UNIT.d/override.conf" \
    <"$PRIVATE/override" >/dev/null
  box systemctl daemon-reload
}

# log_has PATTERN: any line of the unit's.
log_has() {
  box journalctl --sync
  box journalctl --quiet --no-pager -o cat --unit "$UNIT" | grep -E "$1" >/dev/null
}

# The daemon as it is installed, and the tools.
box_install() {
  expect "make install" quietly make -s -C "$ROOT" install DESTDIR="$BOX_ROOT" prefix=/usr
  box systemd-sysusers vaild.conf
  box systemd-tmpfiles --create vaild.conf
  cp -r "$HELPERS" "$BOX_ROOT/usr/local/lib/helpers"
  box systemctl daemon-reload
  expect "the service starts" quietly box systemctl start vaild.socket vaild.service
}

STARTED=

# box_session NAME USER TOOL ARGUMENT...: a session, whose pid in the box is in PID.
box_session() {
  local name=$1 user=$2 tool=$3
  shift 3
  session_open_with "$name" "$user" "/usr/local/lib/helpers/$tool" "$SOCKET" "$@"
  eventually has_started "$tool"
  STARTED+=" $PID"
}

# Each that has been started is the newest of its name, but not the newest so far.
has_started() {
  PID=$(box pgrep --newest --exact "$1") && [[ " $STARTED " != *" $PID "* ]]
}

# What is charged, but for what those have who ask.
charged() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c '[.parameters.limits[] | select(.name | test("onnection|ebug") | not) | [.name, .used]]'
}

# Whatever is left in the box, and of what was sent into it.
box_stop() {
  [ -n "$CGROUPS" ] || return 0
  echo 0 >"/sys/fs/cgroup$CGROUP_BEFORE/cgroup.procs"
  echo 1 >"$CGROUPS/cgroup.kill"
  eventually grep -q '^populated 0' "$CGROUPS/cgroup.events"
  find "$CGROUPS" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
