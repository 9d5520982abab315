#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Whatever has become of what the daemon kept, it starts, or says what to do: what is sound is there,
# what is not is told, nothing hangs in the air, the books balance, and it serves.

# shellcheck source=tests/system/lib/system-test.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/system-test.sh"
# shellcheck source=tests/system/lib/saved-state.sh
. "$ROOT/tests/system/lib/saved-state.sh"

SEED=${SEED:-$RANDOM}
ORIGINAL=$PRIVATE/original
DAMAGED=$PRIVATE/damaged
DEGREE=${DEGREE:-1} # how many times as many are tried
TRIALS=$PRIVATE/trials
TRIED=0

# --- what is expected --------------------------------------------------------------------------

# What has to be so of a state, of which BEFORE is all that can be there: a line each that is not.
# shellcheck disable=SC2016
JUDGE='
def things: map(.parameters) | {
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
def wrong($what; $is): if $is then empty else $what end;
($before | things | identities) as $had | things as $now | ($now | identities) as $has |
($had | keys[] | . as $kind | $has[$kind] - $had[$kind] | wrong("a \($kind) of nowhere: \(.)"; . == [])),
($now.registrations[], $now.objects[] | .virtualMachineGuid as $guid |
  wrong("\(.) is of no VM"; $guid == null or ($has.machine | index([$guid])))),
($now.machines[] | .virtualMachineGuid as $guid |
  wrong("\($guid) has another number of registrations";
    .registrations == ([$now.registrations[] | select(.virtualMachineGuid == $guid)] | length)),
  wrong("\($guid) has another number of objects";
    .sharedObjects == ([$now.objects[] | select(.virtualMachineGuid == $guid)] | length))),
wrong("VMs are charged otherwise"; $now.limits.virtualMachines == ($has.machine | length)),
wrong("vGPUs are charged otherwise"; $now.limits.virtualGpus == ($has.virtualGpu | length)),
wrong("registrations are charged otherwise"; $now.limits.registrations == ($has.registration | length)),
wrong("GPU processes are charged otherwise"; $now.limits.gpuProcesses == ($has.process | length)),
wrong("contexts are charged otherwise"; $now.limits.contexts == ([$now.processes[].contexts] | add // 0)),
wrong("objects are charged otherwise"; $now.limits.objects >= ($has.object | length)),
wrong("holders are charged otherwise"; $now.limits.holders >= ($has.holder | length)),
wrong("ranges are charged otherwise"; $now.limits.userRanges == ([$now.processes[].ranges - 1] | add // 0)),
wrong("quarantines are others"; $now.quarantines == ($before | things | .quarantines)),
wrong("it does not serve: \($now.served)"; $now.served == ["STATUS_SUCCESS", "STATUS_SUCCESS"]),
wrong("it is not told"; $has == $had or $whole or ($now.status.remarks | length) > 0),
wrong("it is not all there"; $complete | not or $has == $had)'

# judge_answers: of each trial, whose answers stand behind {"trial":NUMBER} and what is known of it,
# a line for each thing that is not so, behind the number.
judge_answers() {
  jq -rn --slurpfile before "$PRIVATE/before" "
    reduce inputs as \$line ([]; if \$line.trial then . + [\$line + { answers: [] }]
      else .[-1].answers += [\$line] end) |
    .[] | .trial as \$trial | .complete as \$complete | .whole as \$whole | .answers |
    (if length < ${#LOOK[@]} then \"it does not answer\" else ($JUDGE) end) | \"\(\$trial) \(.)\""
}

# count_sound FILE...: of each a line: how many entities its sound lines say that there are, without
# the adapter; and whether all its lines are sound. Without its first line nothing is sound, and a
# line without its end is not. Behind each file's last byte stands END.
END=$'\001END'
count_sound() {
  LC_ALL=C awk -v end="$END" '
    NR == FNR { original[$0]; next }
    FNR == 1 { delete things; read = 0; whole = "true" }
    substr($0, length($0) - length(end) + 1) == end {
      if ($0 != end && !(substr($0, 1, length($0) - length(end)) in original)) whole = "false"
      count = 0
      for (serial in things) count += things[serial]
      print count, whole
      next
    }
    !($0 in original) { whole = "false"; next }
    read++ == 0 && !/"bootId"/ { lost = FILENAME }
    lost != FILENAME && match($0, /^[0-9a-f]* \{"serial":[0-9]+/) {
      serial = substr($0, 1, RLENGTH); sub(/.*:/, "", serial)
      if (/"record":null\}$/) delete things[serial]; else things[serial] = /"kind":"adapter"/ ? 0 : 1
    }' "$ORIGINAL" "$@"
}

# count_told LOG...: of each a line: how many records the daemon says that it has restored and
# dropped: "17", or "17 and 3 others".
count_told() {
  awk '
    FNR == 1 && NR > 1 { print sum + 0; sum = 0 }
    /^vaild: restored [0-9]+ records/ { sum += $3 }
    /^vaild: [a-zA-Z]+ [0-9]+ is not restored:/ { sum++ }
    /^vaild: [a-zA-Z]+ [0-9]+ and [0-9]+ others? are not restored:/ { sum += 1 + $5 }
    END { print sum + 0 }' "$@"
}

# --- trials ------------------------------------------------------------------------------------

# Kills the daemon, whose place one takes that finds the file as it is in DAMAGED, and in the store
# what was there in the beginning but for the order, where there is one.
start_damaged() {
  kill_hard "$DAEMON"
  session_ask manager restore
  [ -z "${1:-}" ] || session_ask manager "$1"
  rm -rf "$RECORDS"*
  cp "$DAMAGED" "$RECORDS"
  chown vaild:vaild "$RECORDS"
  start_kept
}

# try WHAT [COMPLETE [ORDER]]: one damage, which tried judges with the others.
try() {
  local trial=$((1000 + TRIED))
  TRIED=$((TRIED + 1))
  start_damaged "${3:-}"
  look >"$TRIALS/$trial.answers"
  mv "$LOG" "$TRIALS/$trial.log"
  cp "$DAMAGED" "$TRIALS/$trial.damaged"
  printf '%s\n' "$END" >>"$TRIALS/$trial.damaged"
  WHAT[trial]=$1 COMPLETE[trial]=${2:-false}
}

# tried WHAT: what has come of those since the last time.
tried() {
  local trial wrong failed=$FAILED
  declare -A WRONG=()

  mapfile -t SOUND < <(count_sound "$TRIALS"/*.damaged)
  mapfile -t TOLD < <(count_told "$TRIALS"/*.log)
  for trial in "${!WHAT[@]}"; do
    read -r SOUND_COUNT WHOLE <<<"${SOUND[trial - 1000]}"
    printf '{"trial":%d,"complete":%s,"whole":%s}\n' "$trial" "${COMPLETE[trial]}" "$WHOLE"
    cat "$TRIALS/$trial.answers"
    [ "${TOLD[trial - 1000]}" -eq "$SOUND_COUNT" ] ||
      echo "$trial of $SOUND_COUNT sound records it tells of ${TOLD[trial - 1000]}" >&3
  done 3>"$TRIALS/wrong" >"$TRIALS/all"
  judge_answers <"$TRIALS/all" >>"$TRIALS/wrong"
  for trial in $(grep -lE 'Sanitizer|runtime error|Assertion' "$TRIALS"/*.log); do
    echo "$(basename "$trial" .log) see the log" >>"$TRIALS/wrong"
  done
  while read -r trial wrong; do WRONG[$trial]+=" $wrong"; done <"$TRIALS/wrong"
  for trial in "${!WRONG[@]}"; do
    not_ok "${WHAT[trial]}" "${WRONG[$trial]}"
    sed 's/^/# log: /' "$TRIALS/$trial.log"
  done
  [ "$FAILED" -ne "$failed" ] || ok "$1: $TRIED starts"
  new_trials
}

new_trials() {
  rm -rf "$TRIALS"
  mkdir "$TRIALS"
  TRIED=0 WHAT=() COMPLETE=()
}

# --- damages -----------------------------------------------------------------------------------

# numbers SALT COUNT MAXIMUM: as many, from 0 to below the maximum.
numbers() {
  awk -v seed="$((SEED * 10000 + $1))" -v count="$2" -v maximum="$3" \
    'BEGIN { srand(seed); while (count-- > 0) print int(rand() * maximum) }'
}

# Where each line ends, and beside; and anywhere.
truncated() {
  local size end
  size=$(stat -c %s "$ORIGINAL")
  for end in $(awk '{ size += length + 1; print size - 1; print size; print size + 1 }' "$ORIGINAL") \
    $(numbers 0 $((20 * DEGREE)) "$size"); do
    head -c "$end" "$ORIGINAL" >"$DAMAGED"
    try "$1, truncated at $end"
  done
  tried "$1, truncated"
}

# put_byte OFFSET VALUE
put_byte() {
  # shellcheck disable=SC2059
  printf "\\x$(printf %x "$2")" | dd of="$DAMAGED" bs=1 seek="$1" conv=notrunc status=none
}

bytes_changed() {
  local size trial at
  size=$(stat -c %s "$ORIGINAL")
  for ((trial = 1; trial <= 50 * DEGREE; trial++)); do
    cp "$ORIGINAL" "$DAMAGED"
    for at in $(numbers "$trial" $((1 + trial % 5)) "$size"); do
      put_byte "$at" "$(numbers $((trial + at)) 1 256)"
    done
    try "$1, bytes changed, trial $trial"
  done
  tried "$1, bytes changed"
}

# The header stays where it is.
behind_header() {
  head -n 1 "$ORIGINAL" >"$DAMAGED"
  tail -n +2 "$ORIGINAL" | "$@" >>"$DAMAGED"
}

lines_moved() {
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
  behind_header tac
  try "$1, the last first"
  for line in $(numbers 0 $((5 * DEGREE)) 100000); do
    behind_header shuf --random-source=<(yes "$line")
    try "$1, shuffled by $line"
  done
  tried "$1, lines removed, repeated and moved"
}

descriptors_moved() {
  local name names
  cp "$ORIGINAL" "$DAMAGED"
  read -ra names <<<"$NAMES"
  for name in "${names[@]}"; do
    try "without the descriptor $name" false "forget $name"
  done
  try "a descriptor that nobody knows" true "add m4000"
  try "a process that is none" true "add p4000"
  try "a descriptor of no name of ours" true "add else"
  try "another descriptor of the same name" false "add m2"
  try "two descriptors swapped" false "swap m2 m5"
  try "two processes swapped" false "swap p2 p8"
  try "a process for a descriptor" false "swap p2 m2"
  tried "descriptors missing, added and swapped"
}

# header KEY VALUE: the first line, sound, with another value.
header() {
  local text
  text=$(head -n 1 "$ORIGINAL" | cut -d' ' -f2- | jq -c ".$1 = $2")
  printf '%s %s\n' "$(printf %s "$text" | gzip -c | tail -c 8 | od -An -tx4 -N4 | tr -d ' ')" "$text"
}

no_header() {
  : >"$DAMAGED"
  try "an empty file"
  head -c 100000 /dev/urandom >"$DAMAGED"
  try "noise"
  tail -n +2 "$ORIGINAL" >"$DAMAGED"
  try "no first line"
  tried "of nobody known"
}

# Nothing of it is so any more, and nothing of it is damaged.
of_another_boot() {
  (header bootId '"00000000000000000000000000000000"' && tail -n +2 "$ORIGINAL") >"$DAMAGED"
  start_damaged
  expect "of another boot: it says that it is dropped" grep -q "written before the machine was started" "$LOG"
  expect_equal "of another boot: nothing is there but quarantines" '[[],[],[],1]' "$(look |
    jq -cs 'map(.parameters) | [.[0].virtualMachines, .[1].registrations, .[2].sharedObjects,
      (.[4].quarantines | length)]')"
  expect "of another boot: no copy" [ ! -e "$RECORDS.damaged" ]
}

# refuses WHAT PATTERN: it does not start, and says what to do.
refuses() {
  try_daemon "${KEPT[@]}"
  expect_equal "$1: it does not start" 1 "$STATUS"
  expect_match "$1: it says what to do" "$2" "$(cat "$LOG")"
}

# follows WHAT: what it said was done, and it starts.
follows() {
  rm -rf "$RECORDS"
  start_kept
  expect_match "$1: what was said helps" "STATUS_SUCCESS STATUS_SUCCESS$" "$(look | statuses)"
}

of_a_newer_version() {
  (header version 2 && tail -n +2 "$ORIGINAL") >"$DAMAGED"
  kill_hard "$DAEMON"
  session_ask manager restore
  cp "$DAMAGED" "$RECORDS"
  chown vaild:vaild "$RECORDS"
  refuses "of a newer version" "start that version, or remove the file"
  expect "of a newer version: it is left as it is" cmp "$DAMAGED" "$RECORDS"
  follows "of a newer version"
}

no_file() {
  local make
  for make in "mkdir" "mkfifo" "ln -s /nowhere" "ln -s /dev/zero" "install -m 000 /dev/null"; do
    kill_hard "$DAEMON"
    session_ask manager restore
    rm -rf "$RECORDS"*
    $make "$RECORDS"
    refuses "in its place $make" "cannot use the file: .*; remove it"
    follows "in its place $make"
  done
}

# --- quarantines -------------------------------------------------------------------------------

# try_quarantine WHAT: one damage of the file, which is in DAMAGED, or is made by MAKE.
try_quarantine() {
  local file=$STATE/quarantine/$BANNED.json
  kill_hard "$DAEMON"
  session_ask manager restore
  cp "$ORIGINAL" "$RECORDS"
  rm -rf "$STATE/quarantine/"*
  "${@:2}" "$file"
  chown --no-dereference vaild:vaild "$file"
  start_kept
  expect_equal "a quarantine's file, $1: it is in quarantine" "$BANNED" "$(ask root \
    "$(call io.vaild.Machine.ListQuarantines)" | field '.parameters.quarantines[].virtualMachineGuid')"
}

quarantines_damaged() {
  local size trial at good=$PRIVATE/quarantine.json
  cp "$STATE/quarantine/$BANNED.json" "$good"
  size=$(stat -c %s "$good")
  for at in 0 1 $((size / 2)) $((size - 2)); do
    head -c "$at" "$good" >"$DAMAGED"
    try_quarantine "truncated at $at" cp "$DAMAGED"
  done
  for ((trial = 0; trial < 10 * DEGREE; trial++)); do
    cp "$good" "$DAMAGED"
    at=$(numbers "$trial" 1 "$size")
    put_byte "$at" "$(numbers $((trial + at)) 1 256)"
    try_quarantine "a byte changed at $at" cp "$DAMAGED"
  done
  try_quarantine "a folder" mkdir
  try_quarantine "a FIFO" mkfifo
  try_quarantine "a link" ln -s /dev/zero
  try_quarantine "unreadable" install -m 000 "$good"
  expect_match "a quarantine's file: it is told" "$BANNED.json.*cannot be read" "$("${CTL[@]}" status)"
}

# --- all of it ---------------------------------------------------------------------------------

# What lasts for good: with who had it, everything ends, and nothing is charged for.
nothing_is_left() {
  end_rich
  expect "with them all ends" eventually nothing_is_charged
  session_ask manager names
  expect_equal "and nothing is stored" "" "$REPLY"
}

nothing_is_charged() {
  local charged
  charged=$(look | jq -s '.[5].parameters.limits | map(select(.name |
    test("^(registrations|virtual|contexts|gpuProcesses|objects|holders|userRanges)")) | .used) | add')
  [ "$charged" -eq 0 ]
}

damaged_as() {
  truncated "$1"
  bytes_changed "$1"
  lines_moved "$1"
}

echo "# the seed: $SEED"
new_trials
start_manager 512
start_kept
make_rich
look >"$PRIVATE/before"
cp "$RECORDS" "$ORIGINAL"
session_ask manager save
session_ask manager names
NAMES=$REPLY
cp "$ORIGINAL" "$DAMAGED"
try "as it was" true
tried "as it was"
damaged_as "in order of time"
descriptors_moved
no_header
# After a start it is in order of kind, with what things need behind them.
cp "$ORIGINAL" "$DAMAGED"
start_damaged
cp "$RECORDS" "$ORIGINAL"
damaged_as "in order of kind"
of_another_boot
of_a_newer_version
no_file
quarantines_damaged
cp "$ORIGINAL" "$DAMAGED"
start_damaged
nothing_is_left
expect_clean_stop
finish
