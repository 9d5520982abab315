#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Damages the persisted state in many ways and starts the daemon with it. The daemon either starts
# or refuses with an error that says what to do. If it starts, it restores all entities whose
# records are sound, reports the damage, lists no entity whose VM is missing, charges exactly the
# entities that exist, and serves requests.
#
# SEED=NUMBER repeats the random damages of a run. DEGREE=NUMBER multiplies how many are tried.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

SEED=${SEED:-$RANDOM}
ORIGINAL=$PRIVATE/original
DAMAGED=$PRIVATE/damaged
DEGREE=${DEGREE:-1}
TRIALS=$PRIVATE/trials
TRIED=0

# --- judging the restored state ----------------------------------------------------------------

# A jq expression on the array of a snapshot's replies, with $before, the replies before the damage,
# $whole, whether all lines of the record file are sound, and $complete, whether every entity must
# be restored. Prints one line for each property that the snapshot lacks.
# shellcheck disable=SC2016
PROBLEMS='
def state: map(.parameters) | {
    machines: .[0].virtualMachines, registrations: .[1].registrations, objects: .[2].sharedObjects,
    processes: [.[3].processes[] | select(.systemProcess | not)], quarantines: .[4].quarantines,
    status: .[5], limits: ([.[5].limits[] | {(.name): .used}] | add),
    served: [.[6,7].status] };
def identities: {
    machine: [.machines[].virtualMachineGuid],
    registration: [.registrations[] | [.virtualMachineGuid, .pid]],
    object: [.objects[].handle], process: [.processes[].process],
    virtualGpu: [.machines[].virtualGpus[].virtualGpu],
    holder: [.objects[] | .handle as $handle | .holders[] | [$handle, .pid]] };
def require($holds; $problem): if $holds then empty else $problem end;
def charged($limit; $valid): require($valid; "the number of charged \($limit) is wrong");
($before | state | identities) as $had | state as $now | ($now | identities) as $has |
($had | keys[] | . as $kind | $has[$kind] - $had[$kind] |
  require(. == []; "entities of the kind \($kind) did not exist before: \(.)")),
($now.registrations[], $now.objects[] | .virtualMachineGuid as $guid |
  require($guid == null or ($has.machine | index([$guid])); "the VM of \(.) does not exist")),
($now.machines[] | .virtualMachineGuid as $guid |
  require(.registrations ==
    ([$now.registrations[] | select(.virtualMachineGuid == $guid)] | length);
    "the VM \($guid) reports a wrong number of registrations"),
  require(.sharedObjects ==
    ([$now.objects[] | select(.virtualMachineGuid == $guid)] | length);
    "the VM \($guid) reports a wrong number of objects")),
charged("VMs"; $now.limits.virtualMachines == ($has.machine | length)),
charged("vGPUs"; $now.limits.virtualGpus == ($has.virtualGpu | length)),
charged("registrations"; $now.limits.registrations == ($has.registration | length)),
charged("GPU processes"; $now.limits.gpuProcesses == ($has.process | length)),
charged("contexts"; $now.limits.contexts == ([$now.processes[].contexts] | add // 0)),
charged("objects"; $now.limits.objects >= ($has.object | length)),
charged("holders"; $now.limits.holders >= ($has.holder | length)),
charged("ranges"; $now.limits.userRanges == ([$now.processes[].ranges - 1] | add // 0)),
require($now.quarantines == ($before | state | .quarantines); "the quarantines have changed"),
require($now.served == ["STATUS_SUCCESS", "STATUS_SUCCESS"];
  "a new VM is not served: \($now.served)"),
require($has == $had or $whole or
  any($now.status.remarks[]; .subject != "the VMs of systemd-machined");
  "entities are missing, but the status has no remark"),
require(($complete | not) or $has == $had; "entities are missing")'

# Reads, for each trial, an object with its number, $complete and $whole, and then the replies of
# its snapshot. Prints the number of the trial and a problem on each line.
find_problems() {
  jq -rn --slurpfile before "$PRIVATE/before" "
    reduce inputs as \$line ([]; if \$line.trial then . + [\$line + { replies: [] }]
      else .[-1].replies += [\$line] end) |
    .[] | .trial as \$trial | .complete as \$complete | .whole as \$whole | .replies |
    (if length < ${#SNAPSHOT_REQUESTS[@]} then \"a request got no reply\" else ($PROBLEMS) end) |
    \"\(\$trial) \(.)\""
}

# count_sound FILE...: prints a line for each record file: the number of entities in its sound
# lines, without the software adapter, and whether all of its lines are sound. A line is sound if
# the original has it. If the first line is damaged, no entity counts. A last line without a line
# break does not count either. END must have been added to each file.
END=$'\001END'
count_sound() {
  LC_ALL=C awk -v end="$END" '
    NR == FNR { original[$0]; next }
    FNR == 1 { delete entities; read = 0; whole = "true" }
    substr($0, length($0) - length(end) + 1) == end {
      if ($0 != end && !(substr($0, 1, length($0) - length(end)) in original)) whole = "false"
      count = 0
      for (serial in entities) count += entities[serial]
      print count, whole
      next
    }
    !($0 in original) { whole = "false"; next }
    read++ == 0 && !/"bootId"/ { lost = FILENAME }
    lost != FILENAME && match($0, /^[0-9a-f]* \{"serial":[0-9]+/) {
      serial = substr($0, 1, RLENGTH); sub(/.*:/, "", serial)
      if (/"record":null\}$/) delete entities[serial]; else entities[serial] = /"kind":"adapter"/ ? 0 : 1
    }' "$ORIGINAL" "$@"
}

# count_reported LOG...: prints a line for each log: the number of records that the daemon reports
# as restored or not restored. The latter are reported as "KIND 17" or "KIND 17 and 3 others".
count_reported() {
  awk '
    FNR == 1 && NR > 1 { print sum + 0; sum = 0 }
    { sub(/^[A-Z][a-z]+ +[0-9]+ [0-9:]+ /, "") } # the time
    /^vaild: restored [0-9]+ records?:/ { sum += $3 }
    /^vaild: [a-zA-Z]+ [0-9]+ is not restored:/ { sum++ }
    /^vaild: [a-zA-Z]+ [0-9]+ and [0-9]+ others? are not restored:/ { sum += 1 + $5 }
    END { print sum + 0 }' "$@"
}

# --- trials ------------------------------------------------------------------------------------

# start_damaged [COMMAND]: kills the daemon and starts another one with the record file DAMAGED. The
# fd store has its original entries, which COMMAND, a command of the fake service manager, can
# change.
start_damaged() {
  kill_and_wait "$DAEMON"
  session_ask manager restore
  [ -z "${1:-}" ] || session_ask manager "$1"
  rm -rf "$RECORDS"*
  cp "$DAMAGED" "$RECORDS"
  chown vaild:vaild "$RECORDS"
  start_service
}

# try NAME [COMPLETE [COMMAND]]: starts the daemon with DAMAGED and saves its snapshot and log for
# judge_trials. COMPLETE is true if all entities must be restored. COMMAND is that of start_damaged.
try() {
  local trial=$((1000 + TRIED)) # four digits, so that file names sort by number
  TRIED=$((TRIED + 1))
  start_damaged "${3:-}"
  snapshot >"$TRIALS/$trial.replies"
  mv "$LOG" "$TRIALS/$trial.log"
  cp "$DAMAGED" "$TRIALS/$trial.damaged"
  printf '%s\n' "$END" >>"$TRIALS/$trial.damaged"
  TRIAL_NAMES[trial]=$1 COMPLETE[trial]=${2:-false}
}

# judge_trials CHECK: judges all trials since the last call together, because a jq process for each
# trial would take much longer. Reports a failed check for each trial with problems, or else one
# passed check.
judge_trials() {
  local trial problem failed=$FAILED
  declare -A FOUND=()

  mapfile -t SOUND < <(count_sound "$TRIALS"/*.damaged)
  mapfile -t REPORTED < <(count_reported "$TRIALS"/*.log)
  for trial in "${!TRIAL_NAMES[@]}"; do
    read -r SOUND_COUNT WHOLE <<<"${SOUND[trial - 1000]}"
    printf '{"trial":%d,"complete":%s,"whole":%s}\n' "$trial" "${COMPLETE[trial]}" "$WHOLE"
    cat "$TRIALS/$trial.replies"
    # In a file without damage, a record that is missing has been removed, because its entity had
    # ended. The records of what had ended with it are not reported.
    [ "${REPORTED[trial - 1000]}" -eq "$SOUND_COUNT" ] ||
      { [ "$WHOLE" = true ] && [ "${REPORTED[trial - 1000]}" -lt "$SOUND_COUNT" ]; } ||
      echo "$trial the log reports ${REPORTED[trial - 1000]} of $SOUND_COUNT sound records" >&3
  done 3>"$TRIALS/problems" >"$TRIALS/all"
  find_problems <"$TRIALS/all" >>"$TRIALS/problems"
  for trial in $(grep -lE 'Sanitizer|runtime error|Assertion' "$TRIALS"/*.log); do
    echo "$(basename "$trial" .log) a sanitizer or an assertion has failed, see the log" \
      >>"$TRIALS/problems"
  done
  while read -r trial problem; do FOUND[$trial]+="$problem; "; done <"$TRIALS/problems"
  for trial in "${!FOUND[@]}"; do
    not_ok "${TRIAL_NAMES[trial]}" "${FOUND[$trial]}"
    sed 's/^/# log: /' "$TRIALS/$trial.log"
  done
  [ "$FAILED" -ne "$failed" ] || ok "$1 ($TRIED starts)"
  new_trials
}

# Forgets all trials.
new_trials() {
  rm -rf "$TRIALS"
  mkdir "$TRIALS"
  TRIED=0 TRIAL_NAMES=() COMPLETE=()
}

# --- damages -----------------------------------------------------------------------------------

# numbers SALT COUNT MAXIMUM: prints COUNT random numbers from 0 to MAXIMUM - 1, which depend on
# SEED and SALT.
numbers() {
  awk -v seed="$((SEED * 10000 + $1))" -v count="$2" -v maximum="$3" \
    'BEGIN { srand(seed); while (count-- > 0) print int(rand() * maximum) }'
}

# The following functions try one kind of damage on ORIGINAL. Argument: the name of this state.

# Truncates the file at, before and after the end of each line, and at random places.
try_truncations() {
  local size end
  size=$(stat -c %s "$ORIGINAL")
  for end in $(awk '{ size += length + 1; print size - 1; print size; print size + 1 }' "$ORIGINAL") \
    $(numbers 0 $((20 * DEGREE)) "$size"); do
    head -c "$end" "$ORIGINAL" >"$DAMAGED"
    try "$1, truncated at $end"
  done
  judge_trials "$1 may be truncated"
}

# put_byte OFFSET VALUE: changes a byte of DAMAGED.
put_byte() {
  # shellcheck disable=SC2059
  printf "\\x$(printf %x "$2")" | dd of="$DAMAGED" bs=1 seek="$1" conv=notrunc status=none
}

# Changes one to five random bytes.
try_changed_bytes() {
  local size trial at
  size=$(stat -c %s "$ORIGINAL")
  for ((trial = 1; trial <= 50 * DEGREE; trial++)); do
    cp "$ORIGINAL" "$DAMAGED"
    for at in $(numbers "$trial" $((1 + trial % 5)) "$size"); do
      put_byte "$at" "$(numbers $((trial + at)) 1 256)"
    done
    try "$1, bytes changed, trial $trial"
  done
  judge_trials "$1 may have changed bytes"
}

# after_header COMMAND...: sets DAMAGED to the header of ORIGINAL and the other lines piped through
# COMMAND.
after_header() {
  head -n 1 "$ORIGINAL" >"$DAMAGED"
  tail -n +2 "$ORIGINAL" | "$@" >>"$DAMAGED"
}

# Removes, repeats, reverses and shuffles lines.
try_moved_lines() {
  local line lines
  lines=$(wc -l <"$ORIGINAL")
  for ((line = 2; line <= lines; line++)); do
    sed "${line}d" "$ORIGINAL" >"$DAMAGED"
    try "$1, without line $line"
  done
  cat "$ORIGINAL" <(tail -n 1 "$ORIGINAL") >"$DAMAGED"
  try "$1, the last line twice" true
  sed p "$ORIGINAL" >"$DAMAGED"
  try "$1, each line twice" true
  after_header tac
  try "$1, lines reversed"
  for line in $(numbers 0 $((5 * DEGREE)) 100000); do
    after_header shuf --random-source=<(yes "$line")
    try "$1, lines shuffled with seed $line"
  done
  judge_trials "$1 may be removed, repeated and moved"
}

# Removes, adds and exchanges entries of the fd store.
try_other_fds() {
  local name names
  cp "$ORIGINAL" "$DAMAGED"
  read -ra names <<<"$NAMES"
  for name in "${names[@]}"; do
    try "the store entry $name missing" false "forget $name"
  done
  try "an additional fd" true "add m4000"
  try "an additional process whose fd is not a pidfd" true "add p4000"
  try "an entry with an unknown name" true "add else"
  try "a second fd with the same name" false "add m2"
  try "two fds exchanged" false "swap m2 m5"
  try "two processes exchanged" false "swap p2 p8"
  try "a process exchanged with an fd" false "swap p2 m2"
  judge_trials "entries of the fd store may be missing, added and exchanged"
}

# header KEY VALUE: prints the first line of ORIGINAL with another value and a valid checksum.
header() {
  local text
  text=$(head -n 1 "$ORIGINAL" | cut -d' ' -f2- | jq -c ".$1 = $2")
  printf '%s %s\n' "$(printf %s "$text" | gzip -c | tail -c 8 | od -An -tx4 -N4 | tr -d ' ')" "$text"
}

# Tries files without a valid header.
try_no_header() {
  : >"$DAMAGED"
  try "an empty file"
  head -c 100000 /dev/urandom >"$DAMAGED"
  try "a file of random bytes"
  tail -n +2 "$ORIGINAL" >"$DAMAGED"
  try "a file without its first line"
  judge_trials "the header of the record file may be missing or damaged"
}

# Tries records from before a reboot: they are valid, but their processes and fds do not exist any
# more.
try_other_boot() {
  (header bootId '"00000000000000000000000000000000"' && tail -n +2 "$ORIGINAL") >"$DAMAGED"
  start_damaged
  expect "records of another boot: the daemon logs that it drops them" \
    grep -q "written before the machine was started" "$LOG"
  expect_equal "records of another boot: only the quarantine is restored" '[[],[],[],1]' \
    "$(snapshot | jq -cs 'map(.parameters) | [.[0].virtualMachines, .[1].registrations, .[2].sharedObjects,
      (.[4].quarantines | length)]')"
  expect "records of another boot: the daemon keeps no copy" [ ! -e "$RECORDS.damaged" ]
}

# expect_refusal NAME PATTERN: checks that the daemon does not start and that its error, which says
# what to do, matches PATTERN.
expect_refusal() {
  try_daemon "${AS_SERVICE[@]}"
  expect_equal "$1: the daemon does not start" 1 "$STATUS"
  expect_match "$1: the error says what to do" "$2" "$(cat "$LOG")"
}

# expect_remedy NAME: removes the file, as the error says, and checks that the daemon starts and
# serves.
expect_remedy() {
  rm -rf "$RECORDS"
  start_service
  expect_match "$1: the daemon serves once the file is removed" "STATUS_SUCCESS STATUS_SUCCESS$" \
    "$(snapshot | statuses)"
}

# entities FILE: prints the VMs, registrations and objects of a snapshot.
entities() {
  jq -cs 'map(.parameters) | [.[0].virtualMachines, .[1].registrations, .[2].sharedObjects]' "$1"
}

# Tries records as the first version of the daemon wrote them.
try_first_version() {
  (header version 1 && tail -n +2 "$ORIGINAL") >"$DAMAGED"
  start_damaged
  snapshot >"$PRIVATE/after"
  expect_equal "records of version 1 are restored" "$(entities "$PRIVATE/before")" \
    "$(entities "$PRIVATE/after")"
  expect "then the file has a newer version, so that an older daemon refuses it" \
    [ "$(head -n 1 "$RECORDS" | cut -d' ' -f2- | jq .version)" -gt 1 ]
}

# Tries records of a newer version of the daemon.
try_newer_version() {
  (header version 3 && tail -n +2 "$ORIGINAL") >"$DAMAGED"
  kill_and_wait "$DAEMON"
  session_ask manager restore
  cp "$DAMAGED" "$RECORDS"
  chown vaild:vaild "$RECORDS"
  expect_refusal "records of a newer version" "start that version, or remove the file"
  expect "records of a newer version: the file is left as it is" cmp "$DAMAGED" "$RECORDS"
  expect_remedy "records of a newer version"
}

# Tries paths that are not a readable regular file.
try_no_regular_file() {
  local make
  for make in "mkdir" "mkfifo" "ln -s /nowhere" "ln -s /dev/zero" "install -m 000 /dev/null"; do
    kill_and_wait "$DAEMON"
    session_ask manager restore
    rm -rf "$RECORDS"*
    $make "$RECORDS"
    expect_refusal "$make instead of the record file" "cannot use the file: .*; remove it"
    expect_remedy "$make instead of the record file"
  done
}

# --- quarantines -------------------------------------------------------------------------------

# try_quarantine NAME COMMAND...: starts the daemon with a quarantine's file that COMMAND, with its
# path as the last argument, makes. Checks that the VM is still in quarantine.
try_quarantine() {
  local file=$STATE/quarantine/$QUARANTINED_GUID.json
  kill_and_wait "$DAEMON"
  session_ask manager restore
  cp "$ORIGINAL" "$RECORDS"
  rm -rf "$STATE/quarantine/"*
  "${@:2}" "$file"
  chown --no-dereference vaild:vaild "$file"
  start_service
  expect_equal "the VM stays in quarantine if its quarantine file is $1" "$QUARANTINED_GUID" \
    "$(ask root "$(call io.vaild.Machine.ListQuarantines)" |
      field '.parameters.quarantines[].virtualMachineGuid')"
}

try_quarantines() {
  local size trial at good=$PRIVATE/quarantine.json
  cp "$STATE/quarantine/$QUARANTINED_GUID.json" "$good"
  size=$(stat -c %s "$good")
  for at in 0 1 $((size / 2)) $((size - 2)); do
    head -c "$at" "$good" >"$DAMAGED"
    try_quarantine "truncated at $at" cp "$DAMAGED"
  done
  for ((trial = 0; trial < 10 * DEGREE; trial++)); do
    cp "$good" "$DAMAGED"
    at=$(numbers "$trial" 1 "$size")
    put_byte "$at" "$(numbers $((trial + at)) 1 256)"
    try_quarantine "changed at byte $at" cp "$DAMAGED"
  done
  try_quarantine "a folder" mkdir
  try_quarantine "a FIFO" mkfifo
  try_quarantine "a symbolic link" ln -s /dev/zero
  try_quarantine "unreadable" install -m 000 "$good"
  expect_match "vailctl status reports a damaged quarantine file" \
    "$QUARANTINED_GUID.json.*cannot be read" "$("${CTL[@]}" status)"
}

# --- the test ----------------------------------------------------------------------------------

# Kills the processes of all entities and checks that nothing stays charged or stored.
expect_clean_end() {
  kill_owners
  expect "all entities end with their processes" eventually nothing_is_charged
  session_ask manager names
  expect_equal "the fd store is empty when all entities have ended" "" "$REPLY"
}

# Tests whether the use of all limits for entities is 0.
nothing_is_charged() {
  local charged
  charged=$(snapshot | jq -s '.[5].parameters.limits | map(select(.name |
    test("^(registrations|virtual|contexts|gpuProcesses|objects|holders|userRanges)")) | .used) | add')
  [ "$charged" -eq 0 ]
}

# try_record_file STATE: tries all damages of the record file ORIGINAL.
try_record_file() {
  try_truncations "$1"
  try_changed_bytes "$1"
  try_moved_lines "$1"
}

echo "# the seed: $SEED"
new_trials
start_manager 512
start_service
make_entities
snapshot >"$PRIVATE/before"
cp "$RECORDS" "$ORIGINAL"
session_ask manager save
session_ask manager names
NAMES=$REPLY
cp "$ORIGINAL" "$DAMAGED"
try "undamaged records" true
judge_trials "undamaged records are restored completely"
try_record_file "records in order of creation"
try_other_fds
try_no_header
# The daemon rewrites the file when it starts, with the records sorted by kind.
cp "$ORIGINAL" "$DAMAGED"
start_damaged
cp "$RECORDS" "$ORIGINAL"
try_record_file "records in order of kind"
try_other_boot
try_first_version
try_newer_version
try_no_regular_file
try_quarantines
cp "$ORIGINAL" "$DAMAGED"
start_damaged
expect_clean_end
expect_clean_stop
finish
