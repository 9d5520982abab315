# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# Starts a QEMU guest and vail-qemu, and queries them. To be sourced after system-test.sh. QEMU and
# the users write to folders that are writable for all.

GUID=af0dcd1a-a0fd-59a0-998e-cad0c3834a2c
VAIL_QEMU=$ROOT/build/sanitized/vail-qemu
QMP=$PRIVATE/guest/qmp
SERIAL=$PRIVATE/guest/serial
PICTURES=$PRIVATE/pictures
mkdir -m 777 "$PRIVATE/guest" "$PICTURES"

## Starting

# exec_qemu ARGUMENT...: executes QEMU. Scripts that run it as another user or in a chroot redefine
# this function.
exec_qemu() { exec qemu-system-x86_64 "$@"; }

qemu_answers() { monitor >/dev/null 2>&1; }
qemu_answers_or_is_gone() { qemu_answers || is_gone_or_zombie "$QEMU"; }

# start_guest OPTION...: starts QEMU with MEMORY megabytes, 64 by default, and waits until it answers
# on QMP. Sets QEMU to its pid. Ends the test if QEMU exits.
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

# start_agent OPTION...: starts vail-qemu. Sets AGENT to its pid.
start_agent() {
  "$VAIL_QEMU" --qmp "$QMP" --socket "$SOCKET" "$@" 2>"$PRIVATE/agent.log" &
  AGENT=$!
}

# Makes a disk whose boot code changes between text mode and a graphics pattern at each key. Sets
# WITH_DISK to QEMU's options for it.
make_changing_disk() {
  {
    printf '\x30\xe4\xcd\x16\xb8\x13\x00\xcd\x10' # xor ah,ah; int 16; mov ax,13; int 10
    printf '\xb8\x00\xa0\x8e\xc0\x31\xff\x31\xc9' # mov ax,a000; mov es,ax; xor di,di; xor cx,cx
    printf '\x88\xc8\xaa\xe2\xfb'                 # mov al,cl; stosb; loop to mov
    printf '\x30\xe4\xcd\x16\xb8\x03\x00\xcd\x10' # xor ah,ah; int 16; mov ax,3; int 10
    printf '\xeb\xde'                             # jmp to the start
  } | boot_sector >"$PRIVATE/guest/disk"
  chmod 666 "$PRIVATE/guest/disk"
  WITH_DISK=(-drive "file=$PRIVATE/guest/disk,format=raw,if=ide")
}

# The tests' Linux guests write "drawn" to the serial port when the screen is complete. This takes
# three seconds on an idle machine without KVM.
has_drawn() { grep -q drawn "$SERIAL" 2>/dev/null; }
guest_draws() { eventually has_drawn; }

## Stopping

# process_ends CHECK PID EXIT-STATUS PATTERN LOG: waits for a child process, and checks its exit
# status and its log.
process_ends() {
  local status=0

  wait "$2" || status=$?
  expect_equal "$1: exit status" "$3" "$status"
  expect_match "$1: message" "$4" "$(cat "$5")"
}

# agent_ends CHECK EXIT-STATUS PATTERN: the same for vail-qemu.
agent_ends() { process_ends "$1" "$AGENT" "$2" "$3" "$PRIVATE/agent.log"; }

## Querying QEMU

# monitor COMMAND...: sends QMP commands and prints the replies.
monitor() {
  printf '%s\n' '{"execute":"qmp_capabilities"}' "$@" | "${SOCAT[@]}" - "UNIX-CONNECT:$QMP"
}

press_key() {
  monitor '{"execute":"send-key","arguments":{"keys":[{"type":"qcode","data":"a"}]}}' >/dev/null
}

# screendump FILE [DEVICE [FORMAT]]: makes QEMU save a screenshot of its first or of another display
# device, as PNG or in another format.
screendump() {
  monitor '{"execute":"screendump","arguments":{"filename":"'"$1"'","format":"'"${3:-png}"'"'"${2:+",\"device\":\"$2\",\"head\":0"}"'}}' \
    >/dev/null
}

## Querying vaild

# objects EXPRESSION: prints a jq expression of each shared object.
objects() { "${CTL[@]}" --json objects | jq -r ".sharedObjects[] | $1"; }

# console EXPRESSION [NUMBER]: prints it of the object of a console, by default console 0.
console() { objects "select(.object.name == \"console ${2:-0}\") | $1"; }
console_handle() { console .handle; }

# console_is WIDTHxHEIGHT [NUMBER]
console_is() { [ "$(console '"\(.object.width)x\(.object.height)"' "${2:-0}")" = "$1" ]; }
console_is_other_than() { [ -n "$(console_handle)" ] && [ "$(console_handle)" != "$1" ]; }
no_object() { [ -z "$(console_handle)" ]; }
