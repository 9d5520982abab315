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

box_is_up() {
  box systemctl is-active --quiet box.target 2>/dev/null
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
  within 10 box_find_leader "$nspawn" && within 20 box_is_up && return
  echo "not ok $NAME: systemd does not come up"
  sed 's/^/# console: /' "$BOX/console"
  exit 1
}

# What happened in there, where a check failed.
box_log_on_failure() {
  [ "$FAILED" -eq 0 ] || box journalctl --no-pager --lines 300 | sed 's/^/# log: /'
}

# box COMMAND...: as root in the box, as if typed there.
box() {
  nsenter -t "$BOX_LEADER" -m -u -i -n -p -C -r -w -- "$@"
}

# Whatever is left in the box, and of what was sent into it.
box_stop() {
  [ -n "$CGROUPS" ] || return 0
  echo 0 >"/sys/fs/cgroup$CGROUP_BEFORE/cgroup.procs"
  echo 1 >"$CGROUPS/cgroup.kill"
  within 10 grep -q '^populated 0' "$CGROUPS/cgroup.events" || true
  find "$CGROUPS" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
