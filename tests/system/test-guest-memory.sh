#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A real guest's RAM, the memfd that QEMU runs it in, reaches a registered process of another user
# without a copy: what the guest's processor writes is read there, and what is written there the
# guest answers.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

GUID=eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee
PLACE=$((0x9000)) # of what the guest writes, in its physical memory
TEXT="what the guest's processor wrote, and its answer"
ANSWER=${#TEXT} # it answers the byte behind the text in the one after that

# Writes the text, and then, at each tick of its clock, answers.
guest_code() {
  printf '\x31\xc0\x8e\xc0\x8e\xd8'             # xor ax,ax; mov es,ax; mov ds,ax
  printf '\xbe\x1e\x7c\xbf\x00\x90\xb9\x30\x00' # mov si,7c1e; mov di,9000; mov cx,30
  printf '\xfc\xf3\xa4\xfb'                     # cld; rep movsb; sti
  printf '\xf4\xa0\x30\x90\x34\x20\xa2\x31\x90' # hlt; mov al,[9030]; xor al,20; mov [9031],al
  printf '\xeb\xf5%s' "$TEXT"                   # jmp to hlt
}

start_guest() {
  mkdir "$PRIVATE/guest"
  guest_code | boot_sector >"$PRIVATE/guest/disk"
  chown -R vail-vmm "$PRIVATE/guest"
  exec_as vail-vmm qemu-system-x86_64 -accel tcg -display none -nodefaults -no-user-config \
    -object memory-backend-memfd,id=ram,size=64M,share=on -machine pc,memory-backend=ram \
    -drive "file=$PRIVATE/guest/disk,format=raw,if=ide" -uuid "$GUID" \
    -qmp "unix:$PRIVATE/guest/qmp,server=on,wait=off" &
  QEMU=$!
  eventually runs_as "$QEMU" "$(id -u vail-vmm)" qemu-system-x86
}

# What QEMU itself says of its guest's memory: the answer's place, as two bytes.
guest_has() {
  printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"human-monitor-command",
    "arguments":{"command-line":"xp /2xb '$((PLACE + ANSWER))'"}}' |
    "${SOCAT[@]}" - "UNIX-CONNECT:$PRIVATE/guest/qmp" |
    jq -r 'select(.return | type == "string").return' | tr -d '\r\n' | sed 's/.*: //'
}

share_guest_memory() {
  session_open_with agent vail-vmm "$HELPERS/share-guest-memory" "$SOCKET" "$GUID" "$QEMU" "$PLACE"
  expect_equal "QEMU's VM" STATUS_SUCCESS "$(add_vm "$GUID" "$QEMU" "$ALICE_CLIENT")"
  assign_gpu "$GUID" >/dev/null
  expect_equal "its agent, which is no VMM" STATUS_SUCCESS "$(ask root \
    "$(call io.vaild.Machine.UpdateVirtualMachine \
      "{\"virtualMachineGuid\":\"$GUID\",\"agent\":{\"pid\":${SESSION_PID[agent]}}}")" | statuses)"
  session_ask agent go
  read -r STATUS HANDLE INODE <<<"$REPLY"
  expect_equal "shares the guest's RAM" STATUS_SUCCESS "$STATUS"
}

# reads TEXT: the guest needs its time to boot, and to answer.
reads() {
  session_ask viewer "read 0"
  [[ $REPLY == "STATUS_SUCCESS $1"* ]]
}

both_ways() {
  session_open_with viewer vail-alice "$HELPERS/open-object" "$SOCKET" "$GUID"
  expect_reply "the viewer is registered" "STATUS_SUCCESS STATUS_SUCCESS" viewer register
  expect_reply "and opens QEMU's own memory" "STATUS_SUCCESS $INODE:readWrite" \
    viewer "open $HANDLE"
  expect "it reads what the guest wrote" eventually reads "$TEXT"
  expect_reply "what it writes" STATUS_SUCCESS viewer "write 0 $ANSWER v"
  expect "the guest answers" eventually reads "${TEXT}vV"
  expect_equal "and QEMU sees both in its guest" "0x76 0x56" "$(guest_has)"
}

the_end() {
  expect_equal "its size is sealed, and nobody is kept from writing" "memfd true false" \
    "$(ask root "$(call io.vaild.ListSharedObjects)" | field \
      '.parameters.sharedObjects[0].memory | "\(.kind) \(.sizeSealed) \(.accessEnforced)"')"
  kill_hard "$QEMU"
  expect "with QEMU it ends for all" eventually nothing_is_shared
}

nothing_is_shared() {
  [ "$(ask root "$(call io.vaild.ListSharedObjects)" | field '.parameters.sharedObjects[]')" = "" ]
}

start_daemon
start_guest
share_guest_memory
both_ways
the_end
expect_clean_stop
finish
