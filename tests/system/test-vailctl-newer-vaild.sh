#!/bin/bash
# SPDX-License-Identifier: MIT
#
# vailctl with a played vaild that is newer, and names limits that vailctl does not know, or none.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

# Replies to the methods that it knows; refuses all others because of a limit.
cat >"$PRIVATE/newer-vaild.py" <<'EOP'
import json, os, socket, sys

LIMITS = [
    {"name": "tapirsPerUid", "highest": 3, "uid": 0, "maximum": 4},
    {"maximum": 10, "used": 2, "novelty": {"a": 1}},
    {"name": None, "maximum": 0, "used": 0},
    {"name": "registrationsPerUid"},
]
STATUS = {"status": "STATUS_SUCCESS", "pid": 1, "limits": LIMITS}
REFUSAL = {"status": "STATUS_QUOTA_EXCEEDED", "message": "too many tapirs", "used": 4, "maximum": 4}


def reply(method):
    if method == "io.vaild.Monitor.GetStatus":
        return {"parameters": STATUS}
    limit = {"limit": "tapirsPerUid"} if method.endswith("SetQuarantine") else {"limit": None}
    return {"error": "io.vaild.QuotaExceeded", "parameters": {**REFUSAL, **limit}}


def serve(client):
    text = b""
    while True:
        piece = client.recv(4096)
        if not piece:
            return
        text += piece
        while b"\0" in text:
            request, text = text.split(b"\0", 1)
            client.sendall(json.dumps(reply(json.loads(request)["method"])).encode() + b"\0")


listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen()
while True:
    serve(listener.accept()[0])
EOP

# says CHECK STATUS PATTERN ARGUMENT...
says() {
  local check=$1 pattern=$3
  expect_vailctl root "$2" "$check: exit status" "${@:4}"
  expect_match "$check" "$pattern" "$SAID"
}

mkdir -p "${SOCKET%/*}"
python3 "$PRIVATE/newer-vaild.py" "$SOCKET" &
eventually_unless_gone $! test -S "$SOCKET"
says "limits shows a limit that is unknown" 0 'tapirsPerUid +3 +4 +- +75 % +user root' limits
says "limits shows a limit without a name, or with null" 0 $'\n- +2 +10 +- +20 %' limits
says "limits shows a limit without numbers" 0 'registrationsPerUid +0 +0 ' limits
says "limits --used leaves out what is not used" 0 $'^LIMIT[^\n]*\ntapirs[^\n]*\n-[^\n]*$' limits --used
says "status shows a limit without a name that is reached" 0 'Limit: +-: 0 of 0 used' status
says "a refusal names a limit that is unknown" 1 \
  'too many tapirs \(STATUS_QUOTA_EXCEEDED, tapirsPerUid: 4 of 4 used\)' \
  vm quarantine 1b4e28ba-2c4e-4f4b-9b8b-0d5a3a4a7f13
says "a refusal without the name of its limit is a sentence" 1 \
  'too many tapirs \(STATUS_QUOTA_EXCEEDED\)$' adapters
finish
