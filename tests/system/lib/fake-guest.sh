# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# A guest in fake-qemu, whose display vail-qemu serves on channels. To be sourced after system-test.sh.

# shellcheck source=tests/system/lib/fake-qemu.sh
. "$(dirname "${BASH_SOURCE[0]}")/fake-qemu.sh"

GUID=1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f10
QMP=$PRIVATE/guest/qmp
PREFIX=org.qemu.Display1
DENIED=org.freedesktop.DBus.Error.AccessDenied

# needs_gdbus WHAT: skips the whole test, which checks WHAT, if GDBus is missing.
needs_gdbus() {
  ! /usr/bin/python3 -c 'import gi' 2>/dev/null || return 0
  skip "$1" "this machine has no python3-gi"
  finish
}

start_qemu() {
  rm -f "$QMP"
  session_open_with qemu root "$HELPERS/fake-qemu" "$QMP" "a guest" "$GUID" Graphic
  eventually test -S "$QMP"
}

# Starts vail-qemu. Sets AGENT to its pid.
start_agent() {
  "$PRIVATE/vail-qemu" --qmp "$QMP" --socket "$SOCKET" --user vail-alice \
    2>"$PRIVATE/agent.log" &
  AGENT=$!
}
