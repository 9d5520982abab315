#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Shares the RAM of a real guest, which is a memfd of QEMU, with a registered process of another
# user. No copy is made: the process reads a text that the guest's processor has written, and the
# guest replies to a byte that the process writes.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee
ADDRESS=$((0x9000)) # the physical address where the guest writes the text
TEXT="what the guest's processor wrote, and its answer"
REQUEST_OFFSET=${#TEXT} # the guest replies to the byte at this offset in the next byte

# Prints the guest's code. It writes the text. Then, at each timer interrupt, it reads the byte
# after the text and writes it with its case changed to the next address.
guest_code() {
  printf '\x31\xc0\x8e\xc0\x8e\xd8'             # xor ax,ax; mov es,ax; mov ds,ax
  printf '\xbe\x1e\x7c\xbf\x00\x90\xb9\x30\x00' # mov si,7c1e; mov di,9000; mov cx,30
  printf '\xfc\xf3\xa4\xfb'                     # cld; rep movsb; sti
  printf '\xf4\xa0\x30\x90\x34\x20\xa2\x31\x90' # hlt; mov al,[9030]; xor al,20; mov [9031],al
  printf '\xeb\xf5%s' "$TEXT"                   # jmp to hlt
}

# Prints, as QEMU's monitor shows them, the two bytes in guest memory that follow the text.
guest_bytes() {
  printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"human-monitor-command",
    "arguments":{"command-line":"xp /2xb '$((ADDRESS + REQUEST_OFFSET))'"}}' |
    "${SOCAT[@]}" - "UNIX-CONNECT:$PRIVATE/guest/qmp" |
    jq -r 'select(.return | type == "string").return' | tr -d '\r\n' | sed 's/.*: //'
}

# Tests whether the guest runs.
monitor_replies() { [ -n "$(guest_bytes 2>/dev/null)" ]; }

# Starts QEMU and waits until its monitor replies. Its memfd exists then, with its final size.
start_guest() {
  mkdir "$PRIVATE/guest"
  guest_code | boot_sector >"$PRIVATE/guest/disk"
  chown -R vail-vmm "$PRIVATE/guest"
  exec_as vail-vmm qemu-system-x86_64 -accel tcg -display none -nodefaults -no-user-config \
    -object memory-backend-memfd,id=ram,size=64M,share=on -machine pc,memory-backend=ram \
    -drive "file=$PRIVATE/guest/disk,format=raw,if=ide" -uuid "$GUID" \
    -qmp "unix:$PRIVATE/guest/qmp,server=on,wait=off" &
  QEMU=$!
  eventually_unless_gone "$QEMU" monitor_replies
}

# Shares the guest's RAM by an agent. Sets HANDLE and INODE, those of the object and of the memfd.
share_guest_memory() {
  session_open_with agent vail-vmm "$HELPERS/share-guest-memory" "$SOCKET" "$GUID" "$QEMU" "$ADDRESS"
  expect_equal "the VM of QEMU is registered" STATUS_SUCCESS \
    "$(add_vm "$GUID" "$QEMU" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  expect_equal "a process that is not the VMM becomes the VM's agent" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.Machine.UpdateVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"agent\":{\"pid\":${SESSION_PID[agent]}}}")" | statuses)"
  session_ask agent go
  read -r STATUS HANDLE INODE <<<"$REPLY"
  expect_equal "the agent shares the RAM of the guest" STATUS_SUCCESS "$STATUS"
}

# reads TEXT: tests whether the viewer reads TEXT at the beginning of the object.
reads() {
  session_ask viewer "read 0"
  [[ $REPLY == "STATUS_SUCCESS $1"* ]]
}

test_access() {
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  expect_reply "the viewer registers" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_reply "the viewer opens the same memory, by inode, as QEMU has" \
    "STATUS_SUCCESS $INODE:readWrite" \
    viewer "open $HANDLE"
  expect "the viewer reads the text that the guest has written" eventually reads "$TEXT"
  expect_reply "the viewer writes a byte" STATUS_SUCCESS viewer "write 0 $REQUEST_OFFSET v"
  expect "the guest replies in the next byte" eventually reads "${TEXT}vV"
  expect_equal "QEMU shows both bytes in the memory of its guest" "0x76 0x56" "$(guest_bytes)"
}

test_end() {
  expect_equal "the memory has a sealed size, and its access mode is not enforced" \
    "memfd true false" \
    "$(ask root "$(call io.vaild.ListSharedObjects)" | field \
      '.parameters.sharedObjects[0].memory | "\(.kind) \(.sizeSealed) \(.accessEnforced)"')"
  kill_and_wait "$QEMU"
  expect "the object ends with QEMU" eventually nothing_is_shared
}

# Tests whether no object is listed.
nothing_is_shared() {
  [ "$(ask root "$(call io.vaild.ListSharedObjects)" | field '.parameters.sharedObjects[]')" = "" ]
}

start_daemon
start_guest
share_guest_memory
test_access
test_end
expect_clean_stop
finish
