# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
#
# Four hosts around the etcd of members.sh. Each has its own pid, mount, network, host name and boot
# time namespace, its own machine ID, /run and /sys, a vaild, a vaild-fleet, and VMs, which are real
# QEMUs. To be sourced after members.sh.

# shellcheck source=tests/system/lib/fake-devices.sh
. "$ROOT/tests/system/lib/fake-devices.sh"

HOSTS=(1 2 3 4)
TTL=5
CARD=0000:00:02.0
VMM_USER=vail-vmm
PROGRAMS=$PRIVATE/build/sanitized

declare -A INIT      # of each host, the pid of its first process
declare -A PROGRAM   # the pids of vaild-N, fleet-N and VM-N
declare -A WRAPPER   # of each program, the pid of the nsenter that waits for it
declare -A RUNS      # N-VM of each VM on a host
declare -A JUMPS     # of each host whose clocks can be moved: yes
declare -A VAILD_STATE FLEET_STATE # of each host: up, stopped or killed
declare -A BIG       # of each host, how many more virtual GPUs of the type "big" its GPU can have

# guid VM: prints the GUID of the VM with this number.
guid() { printf '%08d-1111-4111-8111-111111111111' "$1"; }

# machine_id HOST
machine_id() { printf '%032d' "$1"; }

## Processes on hosts

# exec_on_host N COMMAND...: executes a command on a host, as root. If this is run in the background, the
# command is the only child of $!.
exec_on_host() { exec nsenter --target "${INIT[$1]}" --mount --uts --net --pid --time -- "${@:2}"; }

# on_host N COMMAND...: runs a command on a host and waits for it.
on_host() { (exec_on_host "$@"); }

# Prints the pid of the only child process, or nothing.
child_of() { sed -n 's/^\([0-9]*\) .*/\1/p' "/proc/$1/task/$1/children" 2>/dev/null; }

has_child() { [ -n "$(child_of "$1")" ]; }

# start_program NAME HOST LOG COMMAND...: starts a program on a host.
start_program() {
  exec_on_host "$2" "${@:4}" >>"$3" 2>&1 &
  WRAPPER[$1]=$!
  eventually_unless_gone "${WRAPPER[$1]}" has_child "${WRAPPER[$1]}"
  PROGRAM[$1]=$(child_of "${WRAPPER[$1]}")
}

is_stopped() { grep -q '^State:	T' "/proc/$1/status"; }

# stop_program NAME: pauses a program. Its wrapper then stops itself.
stop_program() {
  kill -STOP "${PROGRAM[$1]}"
  eventually is_stopped "${WRAPPER[$1]}"
}

# continue_program NAME: the wrapper then continues its child.
continue_program() { kill -CONT "${WRAPPER[$1]}"; }

# end_program NAME SIGNAL: ends a program, even a stopped one. Sets STATUS to its exit status.
end_program() {
  STATUS=0
  kill "-$2" "${PROGRAM[$1]}" || true
  kill -CONT "${WRAPPER[$1]}" 2>/dev/null || true
  wait "${WRAPPER[$1]}" 2>/dev/null || STATUS=$?
  unset "PROGRAM[$1]"
}

# pid_on_host PID: prints the pid that a process has in its own pid namespace.
pid_on_host() { sed -n 's/^NSpid:.*	//p' "/proc/$1/status"; }

## Making hosts

# As it is in Debian's packages: vaild-fleet observes, and may impose quarantines.
make_fleet_user() {
  echo "vaild-fleet:x:949:949::/:/usr/sbin/nologin" >>"$PRIVATE/etc/passwd"
  printf '%s\n' vaild-fleet:x:949: vaild-observers:x:950: vaild-quarantine:x:951: >>"$PRIVATE/etc/group"
}

# make_files N: makes the files of a host, from within it.
make_files() {
  local i gpu=pci0000:00/$CARD

  mount --bind "$PRIVATE/host$1/machine-id" /etc/machine-id
  make_sys
  add_pci "$gpu" i915 0x8086
  add_node "$gpu" card0
  echo 4 >"/sys/devices/$gpu/sriov_totalvfs"
  mkdir -p "/sys/devices/$gpu/mdev_supported_types/big"
  # Numbers of other nodes, because the machine has no VFIO.
  add_function "pci0000:00/0000:00:02.1" "$CARD" 12 1:5
  add_function "pci0000:00/0000:00:02.2" "$CARD" 13 1:7
  mkdir -p /run/vaild /run/vaild-fleet
  chown vaild:vaild /run/vaild "$PRIVATE/host$1/state"
  chown vaild-fleet:vaild-fleet /run/vaild-fleet
  hostname "host$1"
}

# connect N: connects the network of a host with the bridge.
connect() {
  (in_hub ip link add "host$1" type veth peer name eth0 netns "${INIT[$1]}")
  (in_hub ip link set "host$1" master br0 up)
  on_host "$1" ip link set lo up
  on_host "$1" ip addr add "10.99.1.$1/16" dev eth0
  on_host "$1" ip link set eth0 up
}

# set_big N COUNT: changes how many more virtual GPUs of the type "big" a host can have.
set_big() {
  BIG[$1]=$2
  on_host "$1" sh -c 'echo "$0" >/sys/bus/pci/devices/$1/mdev_supported_types/big/available_instances' "$2" "$CARD"
}

# make_host N: makes a host. Its boot time is another one than that of the other hosts.
make_host() {
  local folder=$PRIVATE/host$1 wrapper endpoints

  mkdir -p "$folder"/{state,config}
  machine_id "$1" >"$folder/machine-id"
  [ -e "$folder/jump" ] || head -c 16 /dev/zero >"$folder/jump"
  endpoints=$(printf '"http://%s:2379",' "${ADDRESS[@]}")
  echo '{"quarantineGroup":"vaild-quarantine"}' >"$folder/config/vaild.json"
  echo "{\"endpoints\":[${endpoints%,}],\"prefix\":\"$PREFIX\",\"ttl\":$TTL}" >"$folder/config/fleet.json"
  unshare --mount --propagation private --uts --net --pid --time --boottime $((100000 * $1)) --fork --kill-child \
    --mount-proc sleep infinity 2>>"$folder/log" &
  wrapper=$!
  eventually_unless_gone "$wrapper" has_child "$wrapper"
  INIT[$1]=$(child_of "$wrapper")
  eventually runs_as "${INIT[$1]}" 0 sleep
  on_host "$1" "$BASH" -euc "$(declare -p PRIVATE CARD); $(declare -f make_files make_sys add_pci add_node add_function)
    make_files $1"
  set_big "$1" "$1"
  connect "$1"
}

## The programs of a host

start_vaild() {
  VAILD_STATE[$1]=up
  on_host "$1" rm -f /run/vaild/vaild.sock
  start_program "vaild-$1" "$1" "$PRIVATE/host$1/vaild.log" "${AS_DAEMON[@]}" "$PROGRAMS/vaild" \
    --socket /run/vaild/vaild.sock --runtime-dir /run/vaild --state-dir "$PRIVATE/host$1/state" \
    --config "$PRIVATE/host$1/config"
  eventually test -S "/proc/${INIT[$1]}/root/run/vaild/vaild.sock"
}

start_fleet() {
  local program=("$PROGRAMS/vaild-fleet")

  # A library that is loaded first is not possible with sanitizers.
  [ -z "${JUMPS[$1]:-}" ] ||
    program=(env "JUMP_CLOCK=$PRIVATE/host$1/jump" "LD_PRELOAD=$PROGRAMS/jump-clock.so" "$PRIVATE/build/vaild-fleet")
  FLEET_STATE[$1]=up
  on_host "$1" rm -f /run/vaild-fleet/socket
  start_program "fleet-$1" "$1" "$PRIVATE/host$1/fleet.log" setpriv --reuid vaild-fleet --regid vaild-fleet \
    --groups vaild-observers,vaild-quarantine --inh-caps=-all -- "${program[@]}" \
    --config "$PRIVATE/host$1/config/fleet.json"
  eventually test -S "/proc/${INIT[$1]}/root/run/vaild-fleet/socket"
}

# jump N BOOTTIME REALTIME: sets by how many seconds the clocks of vaild-fleet on a host are ahead. JUMPS must
# be set for the host.
jump() {
  { bytes_of "$2" && bytes_of "$3"; } | dd of="$PRIVATE/host$1/jump" conv=notrunc status=none
}

# bytes_of NUMBER: prints its 8 bytes, the lowest first.
bytes_of() {
  local i

  for ((i = 0; i < 64; i += 8)); do
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf %02x $((($1 >> i) & 255)))"
  done
}

# ask_vaild N REQUEST...: sends requests of root to the vaild of a host and prints the replies.
ask_vaild() {
  printf '%s\n' "${@:2}" | on_host "$1" "${SOCAT[@]}" - UNIX-CONNECT:/run/vaild/vaild.sock
}

## VMs

# VMs 1 and 2 have a virtual function of the GPU open, as with VFIO, and the others have none.
FUNCTION=([1]=/dev/zero [2]=/dev/full)

# start_qemu N VM: starts a QEMU on a host.
start_qemu() {
  # shellcheck disable=SC2016 # the inner shell's
  start_program "vm-$1-$2" "$1" "$PRIVATE/host$1/qemu.log" setpriv --reuid "$VMM_USER" --regid "$VMM_USER" --clear-groups \
    --inh-caps=-all -- "$BASH" -c 'exec 9<"$0" qemu-system-x86_64 -name "$1" -S -nodefaults -machine none -display none' \
    "${FUNCTION[$2]:-/dev/null}" "web$2"
  eventually runs_as "${PROGRAM[vm-$1-$2]}" 947 qemu-system-x86
  RUNS[$1-$2]=yes
}

# register_qemu N VM: registers the QEMU of start_qemu as the VM with this number. Sets STATUS.
register_qemu() {
  STATUS=$(ask_vaild "$1" "$(call io.vaild.Machine.RegisterVirtualMachine "{\"virtualMachineGuid\":\"$(guid "$2")\",
    \"vmmPid\":$(pid_on_host "${PROGRAM[vm-$1-$2]}"),\"name\":\"web$2\",\"displayClients\":[$ALICE_CLIENT],
    \"agent\":{\"user\":\"$VMM_USER\"}}" | tr -d '\n')" | statuses)
  begin
}

# give_gpu N VM: gives a VM its virtual GPU. That is the function that its QEMU has open, which vaild finds
# when the first client registers, or one of the software adapter. Sets STATUS.
give_gpu() {
  if [ -z "${FUNCTION[$2]:-}" ]; then
    STATUS=$(ask_vaild "$1" "$(call io.vaild.Machine.AssignVirtualGpu "{\"virtualMachineGuid\":\"$(guid "$2")\"}")" | statuses)
  elif serves "$1" "$2"; then
    STATUS=STATUS_SUCCESS
  else
    STATUS=$SAID
  fi
  begin
}

# register_vm N VM: registers the QEMU of start_qemu with a virtual GPU. Sets STATUS.
register_vm() {
  register_qemu "$1" "$2"
  [ "$STATUS" != STATUS_SUCCESS ] || give_gpu "$1" "$2"
}

# start_vm N VM: starts a VM with a virtual GPU on a host. Sets STATUS to the status of the registration.
start_vm() {
  start_qemu "$1" "$2"
  register_vm "$1" "$2"
}

# end_vm N VM
end_vm() {
  unset "RUNS[$1-$2]"
  end_program "vm-$1-$2" KILL
  begin
}

# serves N VM: tests whether the vaild of a host serves the VM: its agent shares an object, the display
# client registers and opens it. Sets SAID to the statuses.
serves() {
  local handle folder=$PRIVATE/host$1

  rm -f "$folder/shared" "$folder/sharer"
  mkfifo "$folder/sharer"
  on_host "$1" setpriv --reuid "$VMM_USER" --regid "$VMM_USER" --clear-groups --inh-caps=-all -- \
    "$HELPERS/share-object" /run/vaild/vaild.sock "$(guid "$2")" <"$folder/sharer" >"$folder/shared" 2>&1 &
  {
    echo "share read memory" >&3
    eventually test -s "$folder/shared"
    read -r SAID handle _ <"$folder/shared"
    SAID+=" $(printf '%s\n' register "open ${handle:-none}" |
      on_host "$1" setpriv --reuid vail-alice --regid vail-alice --init-groups --inh-caps=-all -- \
        "$HELPERS/open-object" /run/vaild/vaild.sock "$(guid "$2")" | grep -o 'STATUS_[A-Z_]*' | paste -sd' ')"
  } 3>"$folder/sharer"
  wait $!
  [ "$SAID" = "STATUS_SUCCESS STATUS_SUCCESS STATUS_SUCCESS STATUS_SUCCESS" ]
}

## Faults of hosts

# kill_host N: ends a host with everything that runs there. Connections that could not end may keep its
# network for minutes, so the way there is removed.
kill_host() {
  local name

  kill -KILL "${INIT[$1]}"
  for name in "vaild-$1" "fleet-$1" "${VMS[@]/#/vm-$1-}"; do
    [ -z "${PROGRAM[$name]:-}" ] || end_program "$name" KILL
  done 2>/dev/null
  for name in "${VMS[@]}"; do unset "RUNS[$1-$name]"; done
  eventually is_gone_or_zombie "${INIT[$1]}"
  begin
  (in_hub ip link del "host$1") 2>/dev/null || true # it may have gone with the network
}

# boot_host N: starts a host that was killed.
boot_host() {
  eventually has_no_link "$1"
  make_host "$1"
  start_vaild "$1"
  start_fleet "$1"
}

has_no_link() { ! (in_hub ip link show "host$1") >/dev/null 2>&1; }

# cut_off N: drops all packets between a host and the others.
cut_off() {
  if [ -n "$HAS_NFT" ]; then
    on_host "$1" nft 'add table ip cut; add chain ip cut in { type filter hook input priority 0; policy drop; };
      add chain ip cut out { type filter hook output priority 0; policy drop; }'
  else
    on_host "$1" ip link set eth0 down
  fi
}

reconnect() {
  if [ -n "$HAS_NFT" ]; then on_host "$1" nft 'delete table ip cut'; else on_host "$1" ip link set eth0 up; fi
}

HAS_NFT=
! unshare --net nft 'add table ip cut' 2>/dev/null || HAS_NFT=yes
