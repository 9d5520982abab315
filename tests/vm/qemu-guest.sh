# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # the script uses what is set here
#
# Starts a QEMU guest and vail-qemu, and queries them. To be sourced after system-test.sh. QEMU and
# the users write to folders that are writable for all.

GUID=af0dcd1a-a0fd-59a0-998e-cad0c3834a2c
VAIL_QEMU=$ROOT/build/sanitized/vail-qemu
QMP=$PRIVATE/guest/qmp
SERIAL=$PRIVATE/guest/serial
AWAITS_KEYS=$PRIVATE/guest/awaits-keys
PICTURES=$PRIVATE/pictures
mkdir -m 777 "$PRIVATE/guest" "$PICTURES"

## Starting

# QEMU_TREE is the root folder of another Debian, whose QEMU is run instead of this machine's.
# Paths below PRIVATE are the same there.
if [ -n "${QEMU_TREE:-}" ]; then
  mount --bind "$PRIVATE" "$QEMU_TREE$PRIVATE"
  mount -t proc proc "$QEMU_TREE/proc"
fi

# Skips the whole test if only the QEMU of this machine is there.
needs_qemu_tree() {
  [ -z "${QEMU_TREE:-}" ] || return 0
  skip "$NAME" "it needs Debian 13's QEMU; run it with tests/vm/qemu"
  finish
}

# exec_qemu ARGUMENT...: executes QEMU as QEMU_USER. Scripts that need more redefine this function.
QEMU_USER=root
exec_qemu() {
  [ -n "${QEMU_TREE:-}" ] || exec_as "$QEMU_USER" qemu-system-x86_64 "$@"
  exec chroot --userspec="$(id -u "$QEMU_USER"):$(id -g "$QEMU_USER")" --groups= "$QEMU_TREE" \
    qemu-system-x86_64 "$@"
}

qemu_answers() { monitor >/dev/null 2>&1; }
qemu_answers_or_is_gone() { qemu_answers || is_gone_or_zombie "$QEMU"; }

# start_guest OPTION...: starts QEMU with MEMORY megabytes, 64 by default, and waits until it answers
# on QMP. Sets QEMU to its pid. Ends the test if QEMU exits.
start_guest() {
  rm -f "$QMP" "$AWAITS_KEYS"
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

# Makes a disk whose boot code changes between text mode and a graphics pattern at each key. Before
# that, it writes "!" to the file AWAITS_KEYS. Sets WITH_DISK to QEMU's options for it.
make_changing_disk() {
  {
    printf '\xb0\x21\xe6\xe9'                     # mov al,"!"; out e9,al
    printf '\x30\xe4\xcd\x16\xb8\x13\x00\xcd\x10' # xor ah,ah; int 16; mov ax,13; int 10
    printf '\xb8\x00\xa0\x8e\xc0\x31\xff\x31\xc9' # mov ax,a000; mov es,ax; xor di,di; xor cx,cx
    printf '\x88\xc8\xaa\xe2\xfb'                 # mov al,cl; stosb; loop to mov
    printf '\x30\xe4\xcd\x16\xb8\x03\x00\xcd\x10' # xor ah,ah; int 16; mov ax,3; int 10
    printf '\xeb\xde'                             # jmp to xor ah,ah
  } | boot_sector >"$PRIVATE/guest/disk"
  chmod 666 "$PRIVATE/guest/disk"
  WITH_DISK=(-drive "file=$PRIVATE/guest/disk,format=raw,if=ide" -debugcon "file:$AWAITS_KEYS")
}

# Makes a disk whose boot code writes "!", and then each character that is typed, to the serial line
# and to the screen. It writes "<" when a shift key goes down, and ">" when none is down any more.
make_echo_disk() {
  {
    printf '\xb4\x01\xb9\x07\x26\xcd\x10'         # mov ah,1; mov cx,2607; int 10: hide the cursor
    printf '\xb8\xe3\x00\x31\xd2\xcd\x14'         # mov ax,e3; xor dx,dx; int 14
    printf '\x31\xdb\xb0\x21\xe8\x26\x00'         # xor bx,bx; mov al,"!"; call send
    printf '\xb4\x01\xcd\x16\x74\x07'             # mov ah,1; int 16; jz to the shift keys
    printf '\x30\xe4\xcd\x16\xe8\x19\x00'         # xor ah,ah; int 16; call send
    printf '\xb4\x02\xcd\x16\x24\x03\x38\xd8'     # mov ah,2; int 16; and al,3; cmp al,bl
    printf '\x74\xe9\x88\xc3\x84\xc0'             # je to mov ah,1; mov bl,al; test al,al
    printf '\xb0\x3c\x75\x02\xb0\x3e'             # mov al,"<"; jnz over the next; mov al,">"
    printf '\xe8\x02\x00\xeb\xda'                 # call send; jmp to mov ah,1
    printf '\x53\x50\x31\xd2\xb4\x01\xcd\x14\x58' # send: push bx, ax; xor dx,dx; mov ah,1; int 14
    printf '\xb4\x0e\xbb\x07\x00\xcd\x10\x5b\xc3' # pop ax; mov ah,e; mov bx,7; int 10; pop bx; ret
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

# Waits until the guest with the changing disk awaits a key. SeaBIOS loses keys that are pressed before.
guest_awaits_keys() { eventually_unless_gone "$QEMU" test -s "$AWAITS_KEYS"; }

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
