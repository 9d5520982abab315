# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Requests to the fake QEMU that is the session "qemu". To be sourced after system-test.sh.

# qemu COMMAND: sends a command to fake-qemu, whose reply must begin with "ok". Sets REPLY to the rest
# of the reply.
qemu() {
  session_ask qemu "$1"
  [[ $REPLY = ok* ]] || not_ok "fake-qemu: $1" "it said '$REPLY'"
  REPLY=${REPLY#ok}
  REPLY=${REPLY# }
}
