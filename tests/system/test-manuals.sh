#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The man pages render without warnings and name every method, command, option, function and limit.
# Their examples work as printed. An example is the text between .Bd and .Ed that follows a comment
# "example: NAME".

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"

PAGES=(daemon/man/vaild.8 daemon/man/vaild.json.5 daemon/man/vaild-machines.5
  daemon/man/vaild-fleet.8 daemon/man/fleet.json.5 daemon/man/io.vaild.7
  daemon/man/vaild-containers.7 client/man/vailctl.1
  client/man/libvail.3 client/man/vail-view.1 client/man/vail-qemu.1
  client/man/vail-libvirt.1)
GUID=17171717-1717-4717-8717-171717171717

# example PAGE NAME: prints an example as a reader of the page sees it.
example() {
  awk -v marker=".\\\\\" example: $2" '
    index($0, marker) == 1 { found = 1; next }
    found && /^\.Bd/ { inside = 1; next }
    /^\.Ed/ { if (inside) exit }
    inside' "$ROOT/$1" |
    sed -e 's/\\&//g' -e "s/\\\\(aq/'/g" -e 's/\\-/-/g' -e 's/\\e/\\/g'
}

# Checks that man(1) renders each page without warnings.
rendering() {
  local page output

  for page in "${PAGES[@]}"; do
    if command -v man >/dev/null && command -v groff >/dev/null; then
      output=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$ROOT/$page" 2>&1 >/dev/null || echo failed)
      expect_equal "$page renders without warnings" "" "$output"
      # A macro for quotes that stands inside of another one makes nested or open quotes.
      # shellcheck disable=SC1112 # these are the quotes of the page
      output=$(man -E UTF-8 -l -Tutf8 "$ROOT/$page" 2>/dev/null | col -b | tr -s ' \t\n' ' ' |
        LC_ALL=C.UTF-8 grep -oE '‘[^’]*‘.{20}' || true)
      expect_equal "$page: each quote is closed before the next one opens" "" "$output"
    else
      skip "$page renders without warnings" "man-db or groff is not installed"
    fi
  done
}

# names_each CHECK PAGE NAME...: checks that PAGE names each of at least four names.
names_each() {
  local check=$1 page=$ROOT/$2 name missing=
  shift 2
  expect "$check: the test finds names to look for" [ $# -gt 3 ]
  for name; do
    grep -qE -- "^\..*(Cm|Fl|Fn|,) $name( |\$)" "$page" || missing="$missing $name"
  done
  expect_equal "$check" "" "$missing"
}

# Checks that io.vaild(7) names the interfaces, and the errors of which each interface has its own.
interfaces() {
  local interfaces errors

  mapfile -t interfaces < <(sed -n 's/^interface //p' "$ROOT"/proto/*.varlink)
  names_each "io.vaild.7 names each interface" daemon/man/io.vaild.7 "${interfaces[@]}"
  mapfile -t errors < <(cd "$ROOT/proto" && grep -l '^error InvalidParameter(' ./*.varlink |
    sed 's/^..\(.*\)varlink$/\1InvalidParameter/')
  names_each "io.vaild.7 names the error for a wrong parameter of each interface" \
    daemon/man/io.vaild.7 "${errors[@]}"
}

# Checks that the pages name all methods, commands, options and functions.
completeness() {
  local methods commands options functions

  mapfile -t methods < <(sed -n 's/^method \([A-Za-z]*\)(.*/\1/p' "$ROOT"/proto/*.varlink)
  names_each "io.vaild.7 names each method" daemon/man/io.vaild.7 "${methods[@]}"
  mapfile -t commands < <("$PRIVATE/build/vailctl" --help |
    sed -nE 's/^  ([a-z]+( [a-z]+)?)  .*/\1/p')
  names_each "vailctl.1 names each command" client/man/vailctl.1 "${commands[@]}"
  mapfile -t options < <(sed -nE 's/.*(FLAG|VALUE|OPTIONAL)\(OPTION_[A-Z_]+, "([a-z-]+)"\),/\2/p
    s/.*"([a-z]+)", (required|no)_argument.*/\1/p' "$ROOT/client/vailctl/options.c" \
    "$ROOT/client/common/program-options.h" | sed 's/-/\\\\-/g; s/^/\\\\-/')
  names_each "vailctl.1 names each option" client/man/vailctl.1 "${options[@]}"
  local program
  for program in vail-qemu vail-libvirt; do
    mapfile -t options < <(sed -nE 's/.*"([a-z-]+)", (required|no)_argument.*/\1/p' \
      "$ROOT/client/$program/"*.c "$ROOT/client/common/program-options.h" |
      sed 's/-/\\\\-/g; s/^/\\\\-/')
    names_each "$program.1 names each option" "client/man/$program.1" "${options[@]}"
  done
  mapfile -t options < <("$PRIVATE/build/vail-view" --help |
    sed -nE 's/^  (-h, )?--([a-z-]+) .*/-\2/p' | sed 's/-/\\\\-/g')
  names_each "vail-view.1 names each option" client/man/vail-view.1 "${options[@]}"
  mapfile -t functions < <(nm -D --defined-only "$ROOT/build/libvail.so" |
    sed -n 's/.* T \(.*\)@@.*/\1/p')
  names_each "libvail.3 names each function" client/man/libvail.3 "${functions[@]}"
}

# Checks that vaild.json(5) names each limit with its default.
limits() {
  local row rows wrong=

  rows=$(vailctl --json limits | jq -r '.limits[] | .name + " Ta " + (.maximum | tostring)')
  while read -r row; do
    grep -q -- "$row\b" "$ROOT/daemon/man/vaild.json.5" || wrong="$wrong, $row"
  done <<<"$rows"
  expect "vaild.json.5: the test finds limits to look for" [ "$(wc -l <<<"$rows")" -ge 16 ]
  expect_equal "vaild.json.5 names each limit with its default" "" "$wrong"
}

# run_example PAGE NAME EXPECTED-STATUS PATTERN: runs an example and checks its exit status, and
# that its output matches PATTERN. Sets SAID to the output.
run_example() {
  local page=$1 name=$2 expected=$3 pattern=$4 status=0
  {
    example_prologue
    example "$page" "$name"
  } >"$PRIVATE/example"
  expect "$page, $name: the page has the example" [ "$(wc -l <"$PRIVATE/example")" -gt 1 ]
  # The examples name the VM by GUID, its VMM by PID, and their own process as the display client.
  SAID=$(PID=$VMM GUID=$GUID "$BASH" -e "$PRIVATE/example" 2>&1 </dev/null) || status=$?
  expect_equal "$page, $name: the exit status is right" "$expected" "$status"
  expect_match "$page, $name: the output is right" "$pattern" "$SAID"
}

# Compiles the example program of libvail(3) and runs it.
test_program() {
  local folder=$PRIVATE/program

  mkdir -p "$folder"
  example client/man/libvail.3 "program c" >"$folder/wait.c"
  gcc -Wall -Wextra -Wno-unused-parameter -Werror -std=c11 -D_GNU_SOURCE \
    -I"$ROOT/client/include" -I"$ROOT/proto" -o "$folder/wait" "$folder/wait.c" \
    -L"$PRIVATE/build" -lvail \
    -Wl,-rpath,"$PRIVATE/build" || true
  expect "libvail.3: the program compiles" [ -x "$folder/wait" ]
  "$folder/wait" "$GUID" >"$folder/output" 2>&1 &
  local pid=$!
  expect "libvail.3: the program registers" eventually_unless_gone "$pid" grep -q '^registered' "$folder/output"
  vailctl revoke "$GUID" "$pid"
  expect "libvail.3: the program exits when its registration is revoked" wait "$pid"
  expect_match "libvail.3: the program prints why it was unregistered" "unregistered: revoked" \
    "$(cat "$folder/output")"
  expect_match "libvail.3: the program prints why it cannot register" STATUS_NOT_FOUND \
    "$("$folder/wait" 99999999-9999-4999-8999-999999999999 2>&1 || true)"
}

# Runs a program of libvail(3), for a VM and for a GUID without one.
# try_program LANGUAGE PATTERN COMMAND...
try_program() {
  local language=$1 pattern=$2
  shift 2
  expect_match "libvail.3: the program in $language works" "$pattern" "$("$@" "$GUID" 2>&1 || true)"
  expect_match "libvail.3: the program in $language prints why it cannot register" \
    '^STATUS_NOT_FOUND: .*[a-z]' "$("$@" 99999999-9999-4999-8999-999999999999 2>&1 || true)"
}

# Compiles the C++ program of libvail(3), and runs it and the Python program.
other_languages() {
  local folder=$PRIVATE/program

  example client/man/libvail.3 "program c++" >"$folder/objects.cpp"
  g++ -Wall -Wextra -pedantic -Werror -std=c++17 -I"$ROOT/client/include" -I"$ROOT/proto" \
    -o "$folder/objects" "$folder/objects.cpp" -L"$PRIVATE/build" -lvail \
    -Wl,-rpath,"$PRIVATE/build" || true
  expect "libvail.3: the program in C++ compiles" [ -x "$folder/objects" ]
  try_program C++ '^0 objects$' "$folder/objects"
  example client/man/libvail.3 "program python" >"$folder/client.py"
  try_program Python $'^vaild\nregistered: [0-9]+$' \
    env LD_LIBRARY_PATH="$PRIVATE/build" python3 "$folder/client.py"
}

# Runs the client of io.vaild(7), and sees it fail with a refused call.
python_client() {
  local said

  example daemon/man/io.vaild.7 "client python" >"$PRIVATE/client.py"
  session_open registered root
  session_ask registered "$CONTEXT"
  session_ask registered "$(register "$GUID")"
  said=$(python3 "$PRIVATE/client.py" 2>&1) || true
  expect_match "io.vaild.7: the client in Python shows a registration with its date, and the entities" \
    "^${SESSION_PID[registered]} $(date +%Y-).*virtualMachineAdded.*registered.*current\$" "$said"
  printf '%s\n' 'try:' '    list(call("io.vaild.RegisterVailProcess", virtualMachineGuid="x"))' \
    'except RuntimeError as error:' '    print(error.args[0], error.args[1]["parameter"])' \
    >>"$PRIVATE/client.py"
  sed -i '/^for reply in call("io.vaild.Watch"/,/break/d' "$PRIVATE/client.py"
  expect_match "io.vaild.7: the client in Python shows the reason of a refusal" \
    'io.vaild.InvalidParameter virtualMachineGuid$' "$(python3 "$PRIVATE/client.py" 2>&1 || true)"
  session_kill registered
}

# Runs the examples of all pages. Later ones need what earlier ones have set up.
examples() {
  run_example daemon/man/io.vaild.7 machine 0 '"virtualGpu":"[0-9a-f]{32}"'
  vailctl vm update "$GUID" --client-pid $$
  run_example daemon/man/io.vaild.7 register 0 '"registration":\{'
  run_example daemon/man/io.vaild.7 watch 124 '"kind":"current"'
  run_example daemon/man/io.vaild.7 address-space 0 '"kind":"mapping"'
  run_example daemon/man/io.vaild.7 status 0 "^$DAEMON\$"
  run_example daemon/man/io.vaild.7 description 0 'interface io.vaild'
  python_client
  test_program
  other_languages
  run_example client/man/vailctl.1 map 0 'root at 0x0'
  run_example client/man/vailctl.1 exec 0 "$GUID"
  run_example client/man/vailctl.1 script 0 ''
  run_example client/man/vailctl.1 watch 0 current
  (cd "$PRIVATE/by-hand" && SAID='' && run_example client/man/vail-view.1 picture 1 'no frame came')
  run_example client/man/vailctl.1 quarantine 0 'GPU hang'
  vailctl vm remove "$GUID"
  run_example client/man/vailctl.1 add 0 'demo'
  run_example client/man/vailctl.1 wait 0 '^(Process )?[0-9]+'
  run_example daemon/man/vaild.json.5 reload 0 ''
  example daemon/man/vaild.json.5 "configuration json" >"$CONFIG/vaild.json"
  run_example daemon/man/vaild.json.5 reload 0 ''
  expect_match "vaild.json.5, configuration: the daemon uses it" \
    "virtualMachinesPerUid +[0-9]+ +8" \
    "$(vailctl limits)"
  (cd "$PRIVATE/by-hand" && SAID='' && run_example daemon/man/vaild.8 by-hand 0 'running')
}

# The examples expect the socket in its default place and the programs in PATH.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/vaild "$PRIVATE/bin" "$PRIVATE/by-hand"
ln -s "$SOCKET" /run/vaild/vaild.sock
cp "$ROOT/build/vaild" "$ROOT/build/vail-view" "$PRIVATE/build/"
ln -s "$PRIVATE/build/vailctl" "$PRIVATE/build/vail-view" "$PRIVATE/build/vaild" "$PRIVATE/bin/"
PATH=$PRIVATE/bin:$PATH
rendering
interfaces
completeness
start_daemon
start_vmm vail-vmm
limits
examples
expect_clean_stop
finish
