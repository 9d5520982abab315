# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The examples of the README, for the tests that run them. To be sourced after system-test.sh.

# copy_tree FOLDER: copies the sources, and what `make run` has built of the programs, to FOLDER.
copy_tree() {
  mkdir -p "$1"
  (cd "$ROOT" && tar --create --exclude=build/{coverage,demo,fuzz,interop,kernel,proofs,qemu,sanitized,tests,tidy} \
    Makefile client containers daemon packaging proto systemd tests/install-packages build) | tar --extract -C "$1"
  chmod -R a+rX "$1"
}

# examples HEADING...: prints the shell examples of these sections of the README, as they stand.
examples() {
  local heading

  for heading; do
    awk -v heading="## $heading" '
      /^## / { wanted = $0 == heading }
      /^```/ { inside = $0 == "```sh"; next }
      inside && wanted' "$ROOT/README.md"
  done
}

# Prints the headings of all sections that have shell examples.
headings() {
  awk '/^## / { heading = substr($0, 4) } /^```sh/ && !seen[heading]++ { print heading }' \
    "$ROOT/README.md"
}

# Skips the test if this tree has no README.
needs_readme() {
  [ -f "$ROOT/README.md" ] && return
  skip "$NAME" "this tree has no README.md"
  finish
}

# for_readers FUNCTION ETC: calls the function with each user as whom the examples have to work: root,
# and vail-alice, who may use sudo. ETC is the folder /etc of the system that they use.
for_readers() {
  "$1" root
  if ! command -v sudo >/dev/null; then
    skip "the examples work for a user with sudo" "sudo is not installed"
    return
  fi
  printf '%s\n' 'Defaults !pam_session, !pam_acct_mgmt' 'vail-alice ALL=(ALL) NOPASSWD: ALL' \
    >"$2/sudoers.d/vail-alice"
  "$1" vail-alice
}

## With box.sh

SOURCES=/srv/vaild # a copy of the source tree in the box

# open_shell USER: starts a shell of the user in the box, in a copy of the source tree. Its output is
# in the file output there.
open_shell() {
  rm -rf "$BOX_ROOT$SOURCES"
  copy_tree "$BOX_ROOT$SOURCES"
  install -m 666 /dev/null "$BOX_ROOT$SOURCES/output"
  session_open_with shell "$1" bash -e
  session_ask shell "cd $SOURCES && exec 3>&1 >output 2>&1 && echo ready >&3"
}

# paste_file CHECK FILE: pastes the lines of a file into this shell and waits until they have run. The
# shell exits when a command fails, and then the test ends.
paste_file() {
  session_ask shell "$(cat "$2")"$'\n''echo pasted >&3'
  expect_equal "$1" pasted "$REPLY"
  [ "$REPLY" = pasted ] && return
  close_shell
  box_log_on_failure
  box_stop
  finish
}

# said PATTERN: prints how many lines of the output in the box match an extended pattern.
said() { grep -cE "$1" "$BOX_ROOT$SOURCES/output" || true; }

# Ends the shell, and waits until the processes that it has started have ended. Prints its output if a
# check has failed.
close_shell() {
  session_ask shell exit
  session_kill shell
  [ "$FAILED" -eq 0 ] || sed 's/^/# output: /' "$BOX_ROOT$SOURCES/output"
}
