#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the examples of the README in one shell, as a user would paste them: as root, and as a user
# with sudo. test-readme-libvirt.sh and test-readme-systemd.sh run the sections that need systemd.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/readme.sh
. "$ROOT/tests/system/lib/readme.sh"

SECTIONS=("Start here" "Your own QEMU" "A script that starts QEMU, as in Proxmox"
  "A program of yours in C" "JSON by hand")
ELSEWHERE=("A libvirt guest" "A host under systemd")
TREE=$PRIVATE/tree

# Checks that a test runs each example, and that the README has at most 200 lines.
check_document() {
  expect_equal "each section with examples is run by a test" \
    "$(printf '%s\n' "${SECTIONS[@]}" "${ELSEWHERE[@]}" | sort)" "$(headings | sort)"
  expect "the README has at most 200 lines" [ "$(wc -l <"$ROOT/README.md")" -le 200 ]
}

# output_has CHECK NUMBER PATTERN: checks how many lines of the output match an extended pattern.
output_has() {
  expect_equal "$WHO: $1" "$2" "$(grep -cE "$3" "$PRIVATE/output" || true)"
}

# no_process_left: tests whether no process of the examples runs any more.
no_process_left() { ! pgrep '^(vail|qemu)' >/dev/null; }

# run_examples USER: runs the examples as this user, and checks what they print and leave behind.
run_examples() {
  local status=0 before
  WHO=$1

  before=$(find "$TREE" | sort)
  (cd "$TREE" && run_as "$WHO" env TMPDIR="$PRIVATE/tmp" "$BASH" -e "$PRIVATE/pasted") \
    >"$PRIVATE/output" 2>&1 </dev/null || status=$?
  expect_equal "$WHO: the examples work as pasted" 0 "$status"
  output_has "vailctl list shows the VM under QEMU's name" 1 ' own '
  output_has "the screens of both QEMUs and the vGPU of the VM without one have handles" 3 \
    '^[0-9a-f]{32}$'
  output_has "the program with libvail registers" 1 '^STATUS_SUCCESS *$'
  output_has "socat creates a context and registers" 2 \
    '^\{"parameters":\{"status":"STATUS_SUCCESS","(context|registration)"'
  output_has "vailctl exec runs a registered program, which sees itself" 1 ' vaild +0 +[0-9]+ s +shell$'
  expect "$WHO: no process of the examples is left" eventually no_process_left
  expect_equal "$WHO: no file is left in the temporary folder" "" "$(ls -A "$PRIVATE/tmp")"
  expect_equal "$WHO: no file is left in the tree" "$before" "$(find "$TREE" | sort)"
  [ "$FAILED" -eq 0 ] || sed 's/^/# output: /' "$PRIVATE/output"
}

# The shell ends without a job, as after a vaild that did not start, or one that was killed.
check_end_without_jobs() {
  local trap
  trap=$(examples "Start here" | sed -n 's/^.*\(trap .* EXIT\)$/\1/p')
  expect "the first section sets a trap" [ -n "$trap" ]
  expect_equal "a shell without jobs ends without a message" "" \
    "$(SUDO='' TMP=$(mktemp -d) "$BASH" -c "$trap"$'\nexit 0' 2>&1)"
}

needs_readme
check_document
check_end_without_jobs
copy_tree "$TREE"
mkdir -m 1777 "$PRIVATE/tmp"
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
{
  example_prologue | sed '/^sudo()/d'
  examples "${SECTIONS[@]}"
} >"$PRIVATE/pasted"
[ ! -d /etc/sudoers.d ] || mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d
for_readers run_examples /etc
finish
