# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Checks that something is so within the time that the fleet promises. To be sourced after hosts.sh.
#
# A slow machine must not fail a check, so two things do not count. A wrong answer counts from the time of
# its question, so the duration of a question does not matter. And the bound grows by the time for which the
# kernel has let etcd, vaild and vaild-fleet wait for a CPU, and by what a hypervisor has taken meanwhile.

SINCE=0 # when the change has happened, on the clock of now
LATE=0  # milliseconds from then until the question that was the last to be answered wrongly
WAITS=$PRIVATE/waits

# Prints milliseconds on a clock that never jumps.
now() {
  local up

  read -r up _ </proc/uptime
  echo $((10#${up/./} * 10))
}

# Prints "THREAD NANOSECONDS" for each thread of the fleet's programs: how long it has waited for a CPU
# since it began. Prints the same for the hypervisor.
read_waits() {
  local name pid file wait

  for name in "${!MEMBER[@]}" "${!PROGRAM[@]}"; do
    [[ $name != vm-* ]] || continue
    pid=${MEMBER[$name]:-${PROGRAM[$name]:-}}
    for file in /proc/"$pid"/task/*/schedstat; do
      read -r _ wait _ 2>/dev/null <"$file" || continue # the thread has ended
      echo "$file $wait"
    done 2>/dev/null
  done
  read -r _ _ _ _ _ _ _ _ wait _ </proc/stat
  echo "hypervisor $((wait * 10000000))"
}

# begin: the change whose time is measured has happened now.
begin() {
  SINCE=$(now) LATE=0
  read_waits >"$WAITS"
}

# Prints the milliseconds for which the machine has kept the fleet waiting since begin.
machine_delay() {
  read_waits | awk 'NR == FNR { before[$1] = $2; next }
    $2 > before[$1] { sum += $2 - before[$1] }
    END { printf "%d\n", sum / 1000000 }' "$WAITS" -
}

# is_so COMMAND...: tests it, and notes in LATE when it was asked for if it is not so.
is_so() {
  local asked

  asked=$(now)
  if "$@"; then return; fi
  LATE=$((asked - SINCE))
  return 1
}

# check_bound CHECK MILLISECONDS: checks that LATE is not more than that after begin.
check_bound() {
  local delay

  delay=$(machine_delay)
  expect "$1 (wrong until $LATE ms; the promise is $2 ms, and the machine was late by $delay ms)" \
    [ "$LATE" -le "$(($2 + delay))" ]
}

# expect_within MILLISECONDS CHECK HOSTS COMMAND ARGUMENT...: waits until "COMMAND HOST ARGUMENT..."
# succeeds for each host. Checks that all failures were asked for within that time since begin.
expect_within() {
  local host

  for host in $3; do eventually is_so "$4" "$host" "${@:5}"; done
  check_bound "$2" "$1"
}
