# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# A box is a container with a real systemd as PID 1, whose root is an overlay over the root of this
# machine or, if that is set, over the system in the folder BOX_SYSTEM. It starts in about a second.
# Source this file after system-test.sh: the box runs in the namespaces of the test and ends with them.
# It leaves a cgroup without processes on the host, which box_stop removes, or the next box if box_stop
# did not run.

BOX=$PRIVATE/box
BOX_ROOT=$BOX/root
BOX_BEFORE_BOOT=true # a command that runs when the root is prepared, before systemd starts
BOX_LEADER= # the pid of the box's PID 1 in the test's pid namespace
CGROUPS=    # the folder of the box's cgroup

# Mounts an empty /run, the cgroup v2 hierarchy alone, and the overlay.
box_mounts() {
  mount -t tmpfs -o mode=755 run /run
  umount --lazy /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir -p "$BOX_ROOT"
  mount -t tmpfs -o mode=755 box "$BOX"
  mkdir "$BOX/upper" "$BOX/work" "$BOX_ROOT"
  mount -t overlay overlay -o "lowerdir=${BOX_SYSTEM:-/},upperdir=$BOX/upper,workdir=$BOX/work" "$BOX_ROOT"
}

# Moves this shell into a new cgroup for the box. Removes the cgroups of boxes that were killed.
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

# add_test_users FILE: replaces in the box's passwd or group the host's users of vaild by those of the
# test, without vaild, which box_install adds.
add_test_users() {
  local users

  users=$(sed '/^vail/d' "$BOX_ROOT/etc/$1" && sed -n '/^vaild:/d; /^vail/p' "$PRIVATE/etc/$1")
  echo "$users" >"$BOX_ROOT/etc/$1"
}

# Prepares the root of the box: the units that are enabled on the host are not started.
box_prepare() {
  local unit

  rm -rf "$BOX_ROOT"/etc/systemd/system/*.{wants,requires} "$BOX_ROOT/var/log/journal" \
    "$BOX_ROOT/etc/vaild" "$BOX_ROOT/var/lib/vaild"
  : >"$BOX_ROOT/etc/machine-id"
  add_test_users passwd
  add_test_users group
  box_disable_timeouts
  printf '%s\n' '[Unit]' 'Requires=sysinit.target sockets.target' 'After=sysinit.target' \
    'AllowIsolate=yes' >"$BOX_ROOT/etc/systemd/system/box.target"
  ln -sf box.target "$BOX_ROOT/etc/systemd/system/default.target"
  mkdir "$BOX_ROOT/etc/systemd/system/sysinit.target.wants"
  for unit in systemd-udevd systemd-udev-trigger systemd-hwdb-update systemd-timesyncd \
    systemd-update-utmp systemd-firstboot systemd-machine-id-commit apparmor keyboard-setup; do
    ln -sf /dev/null "$BOX_ROOT/etc/systemd/system/$unit.service"
  done
}

# Disables systemd's timeouts and those of vaild's units, because a slow machine would exceed them.
# Drop-ins that are read later, such as override's, take precedence over this one.
box_disable_timeouts() {
  local drop_ins=$BOX_ROOT/etc/systemd/system/vaild.service.d

  mkdir -p "$drop_ins" "$BOX_ROOT/etc/systemd/system.conf.d"
  printf '%s\n' '[Service]' TimeoutStartSec=infinity TimeoutStopSec=infinity WatchdogSec=1d \
    >"$drop_ins/00-no-timeouts.conf"
  printf '%s\n' '[Manager]' DefaultTimeoutStartSec=infinity DefaultTimeoutStopSec=infinity \
    DefaultTimeoutAbortSec=infinity DefaultDeviceTimeoutSec=infinity \
    >"$BOX_ROOT/etc/systemd/system.conf.d/no-timeouts.conf"
}

# box_find_leader PID: sets BOX_LEADER to the descendant of PID, nspawn, that is PID 1 in its own
# pid namespace. Fails if there is no such process yet.
box_find_leader() {
  local child

  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    BOX_LEADER=$child
    grep -qE '^NSpid:.*	1$' "/proc/$child/status" 2>/dev/null && return
    box_find_leader "$child" && return
  done
  return 1
}

# box_is_up_or_gone NSPAWN-PID: tests whether the box has booted or nspawn has exited.
box_is_up_or_gone() {
  is_gone "$1" ||
    { box_find_leader "$1" && box systemctl is-active --quiet box.target 2>/dev/null; }
}

# Boots the box and waits until it is up. Exits if it does not boot.
box_start() {
  box_mounts
  box_cgroup
  box_prepare
  "$BOX_BEFORE_BOOT"
  setpriv --pdeathsig TERM systemd-nspawn --quiet --register=no --keep-unit -D "$BOX_ROOT" \
    -M vaild-box --private-network --link-journal=no --console=read-only \
    --capability=CAP_BPF,CAP_PERFMON --system-call-filter='bpf pidfd_getfd kcmp' \
    -b >"$BOX/console" 2>&1 &
  local nspawn=$!
  disown "$nspawn" # otherwise the shell reports its end
  eventually box_is_up_or_gone "$nspawn"
  ! is_gone "$nspawn" && return
  echo "not ok $NAME: systemd in the box does not start"
  sed 's/^/# console: /' "$BOX/console"
  exit 1
}

# Prints the end of the box's journal if a check has failed.
box_log_on_failure() {
  [ "$FAILED" -eq 0 ] || box journalctl --no-pager --lines 300 | sed 's/^/# log: /'
}

# The time in microseconds that systemctl and similar tools wait for a reply of systemd.
export SYSTEMD_BUS_TIMEOUT=1000000

# box COMMAND...: runs COMMAND as root in the box.
box() {
  nsenter -t "$BOX_LEADER" -m -u -i -n -p -C -r -w -- "$@"
}

## Replacements of functions and variables of system-test.sh, for a daemon and processes in the box

SOCKET=/run/vaild/vaild.sock
UNIT=vaild.service

# exec_as USER COMMAND...: executes COMMAND as USER in the box.
exec_as() {
  local user=$1
  shift
  exec nsenter -t "$BOX_LEADER" -m -u -i -n -p -C -r -w -- \
    setpriv --reuid "$user" --regid "${GIDS[$user]:-$(id -g "$user")}" --init-groups --inh-caps=-all -- "$@"
}

# property NAME [UNIT]: prints a property of UNIT, by default of the unit in the variable UNIT.
property() { box systemctl show --property "$1" --value "${2:-$UNIT}"; }

# property_is NAME VALUE
property_is() { [ "$(property "$1")" = "$2" ]; }

# Tests whether the unit is active with another main process than DAEMON.
has_restarted() { [ "$(property MainPID)" != "$DAEMON" ] && property_is ActiveState active; }

# Stops DAEMON with SIGSTOP and shortens its watchdog timeout to 1 s. The timeout is changed by a
# message on behalf of the daemon: a unit with such a short WatchdogSec could kill a running daemon
# on a busy machine.
hang_daemon() {
  box kill -STOP "$DAEMON"
  box env NOTIFY_SOCKET=/run/systemd/notify systemd-notify --pid="$DAEMON" WATCHDOG_USEC=1000000
}

# Resets systemd's start limit, because a test restarts the units more often than it allows.
reset_start_limits() { box systemctl reset-failed vaild.service vaild.socket 2>/dev/null || true; }

# override LINE...: replaces the test's drop-in for UNIT by one with these lines in the section
# Service. Without lines the unit is as installed.
override() {
  box mkdir -p "/run/systemd/system/$UNIT.d"
  printf '%s\n' '[Service]' "$@" >"$PRIVATE/override"
  nsenter -t "$BOX_LEADER" -m tee "/run/systemd/system/$UNIT.d/override.conf" \
    <"$PRIVATE/override" >/dev/null
  box systemctl daemon-reload
}

# log_has PATTERN: tests whether a line of UNIT's log matches an extended regular expression.
log_has() {
  box journalctl --sync
  box journalctl --quiet --no-pager -o cat --unit "$UNIT" | grep -E "$1" >/dev/null
}

# Installs the daemon and the tests' helper programs in the box, and starts the daemon.
box_install() {
  expect "make install succeeds" quietly make -s -C "$ROOT" install DESTDIR="$BOX_ROOT" prefix=/usr
  box systemd-sysusers vaild.conf
  box systemd-tmpfiles --create vaild.conf
  cp -r "$HELPERS" "$BOX_ROOT/usr/local/lib/helpers"
  box systemctl daemon-reload
  expect "the service starts" quietly box systemctl start vaild.socket vaild.service
}

STARTED= # the pids in the box of all sessions that box_session has started

# box_session NAME USER TOOL ARGUMENT...: opens a session with a helper program in the box. Sets PID
# to its pid in the box.
box_session() {
  local name=$1 user=$2 tool=$3
  shift 3
  session_open_with "$name" "$user" "/usr/local/lib/helpers/$tool" "$SOCKET" "$@"
  eventually has_started "$tool"
  STARTED+=" $PID"
}

# has_started TOOL: tests whether the newest process of this name is a new one, that is, not in
# STARTED. Sets PID to its pid in the box.
has_started() {
  PID=$(box pgrep --newest --exact "$1") && [[ " $STARTED " != *" $PID "* ]]
}

# Prints the use of each limit except that of connections, because this request opens one.
charged() {
  ask root "$(call io.vaild.Monitor.GetStatus)" |
    jq -c '[.parameters.limits[] | select(.name | test("onnection|^closesUnderWay") | not) | [.name, .used]]'
}

# Kills all processes of the box, also those that were started with nsenter, and removes its cgroup.
box_stop() {
  [ -n "$CGROUPS" ] || return 0
  echo 0 >"/sys/fs/cgroup$CGROUP_BEFORE/cgroup.procs"
  echo 1 >"$CGROUPS/cgroup.kill"
  eventually grep -q '^populated 0' "$CGROUPS/cgroup.events"
  find "$CGROUPS" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
