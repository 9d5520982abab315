# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# A QEMU guest, vail-qemu beside it, and what is asked of both. To be sourced behind lib.sh. What
# QEMU and the users write lies in folders that all may write to.

GUID=af0dcd1a-a0fd-59a0-998e-cad0c3834a2c
VAIL_QEMU=$ROOT/build/sanitized/vail-qemu
QMP=$PRIVATE/guest/qmp
SERIAL=$PRIVATE/guest/serial
PICTURES=$PRIVATE/pictures
mkdir -m 777 "$PRIVATE/guest" "$PICTURES"

## Beginning

# Who runs QEMU, and where: a function that executes its arguments.
exec_qemu() { exec qemu-system-x86_64 "$@"; }

qemu_answers() { monitor >/dev/null 2>&1; }
qemu_answers_or_is_gone() { qemu_answers || is_gone_or_zombie "$QEMU"; }

# start_guest OPTION...
start_guest() {
  rm -f "$QMP"
  exec_qemu -accel tcg -m "${MEMORY:-64}" -nodefaults -no-user-config -vga none \
    -qmp "unix:$QMP,server=on,wait=off" "$@" 2>"$PRIVATE/qemu.log" &
  QEMU=$!
  eventually qemu_answers_or_is_gone
  qemu_answers && return
  not_ok "$NAME: QEMU starts" "$(cat "$PRIVATE/qemu.log")"
  exit 1
}

WITH_DISPLAY=(-name "a guest" -uuid "$GUID" -display "dbus,p2p=yes" -device "virtio-vga,id=gpu0")

# start_agent OPTION...
start_agent() {
  "$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" "$@" 2>"$PRIVATE/agent.log" &
  AGENT=$!
}

# A guest that at each key changes from text to graphics with a pattern, or back.
make_changing_disk() {
  {
    printf '\x30\xe4\xcd\x16\xb8\x13\x00\xcd\x10' # xor ah,ah; int 16; mov ax,13; int 10
    printf '\xb8\x00\xa0\x8e\xc0\x31\xff\x31\xc9' # mov ax,a000; mov es,ax; xor di,di; xor cx,cx
    printf '\x88\xc8\xaa\xe2\xfb'                 # mov al,cl; stosb; loop to mov
    printf '\x30\xe4\xcd\x16\xb8\x03\x00\xcd\x10' # xor ah,ah; int 16; mov ax,3; int 10
    printf '\xeb\xde'                             # jmp to the beginning
  } | boot_sector >"$PRIVATE/guest/disk"
  chmod 666 "$PRIVATE/guest/disk"
  WITH_DISK=(-drive "file=$PRIVATE/guest/disk,format=raw,if=ide")
}

# A Linux guest of ours says on its serial port when all is to be seen. It takes three seconds where
# nothing else runs, without KVM.
has_drawn() { grep -q drawn "$SERIAL" 2>/dev/null; }
guest_draws() { eventually has_drawn; }

## Ending

# process_ends CHECK PID EXIT-STATUS PATTERN LOG: what it says last.
process_ends() {
  local status=0

  wait "$2" || status=$?
  expect_equal "$1: exit status" "$3" "$status"
  expect_match "$1: a sentence" "$4" "$(cat "$5")"
}

# agent_ends CHECK EXIT-STATUS PATTERN
agent_ends() { process_ends "$1" "$AGENT" "$2" "$3" "$PRIVATE/agent.log"; }

## Asking QEMU

# monitor COMMAND...: QEMU's answers.
monitor() {
  printf '%s\n' '{"execute":"qmp_capabilities"}' "$@" | "${SOCAT[@]}" - "UNIX-CONNECT:$QMP"
}

press_key() {
  monitor '{"execute":"send-key","arguments":{"keys":[{"type":"qcode","data":"a"}]}}' >/dev/null
}

# screendump FILE [DEVICE]: what QEMU itself says that it shows.
screendump() {
  monitor '{"execute":"screendump","arguments":{"filename":"'"$1"'","format":"png"'"${2:+",\"device\":\"$2\",\"head\":0"}"'}}' \
    >/dev/null
}

## Asking vaild

# A console is meant by its number, 0 where it is left out.
objects() { "${CTL[@]}" --json objects | jq -r ".sharedObjects[] | $1"; }
console() { objects "select(.object.name == \"console ${2:-0}\") | $1"; }
console_handle() { console .handle; }
console_is() { [ "$(console '"\(.object.width)x\(.object.height)"' "${2:-0}")" = "$1" ]; }
console_is_other_than() { [ -n "$(console_handle)" ] && [ "$(console_handle)" != "$1" ]; }
no_object() { [ -z "$(console_handle)" ]; }
