# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Bash completion for vailctl(1): commands, options, and values from vaild like GUIDs.

# Runs vailctl. Prints nothing if vaild is not reachable within 2 seconds.
__vailctl_ask() {
  timeout 2 "${COMP_WORDS[0]}" "${__vailctl_socket[@]}" --no-pager "$@" 2>/dev/null </dev/null
}

# Prints all values of a member in the JSON document on stdin.
__vailctl_values() {
  grep -oE "\"$1\":(\"[^\"]*\"|[0-9]+)" | sed -E 's/^[^:]*://; s/"//g' | sort -u
}

__vailctl_guids() {
  case $1 in
  "vm release") __vailctl_ask --json vm quarantines ;;
  *) __vailctl_ask --json --no-legend list ;;
  esac | __vailctl_values virtualMachineGuid
}

# __vailctl_options COMMAND: prints the options of a command.
__vailctl_options() {
  local vm="--name --user --client-pid --agent-user --agent-pid"

  case $1 in
  "vm add" | "vm update") echo "--pid $vm" ;;
  "vm quarantine") echo --reason ;;
  "vgpu assign") echo "--adapter --profile" ;;
  register) echo --context ;;
  call) echo --more ;;
  esac
  echo "--socket --json --no-legend --no-pager --help --version"
}

# __vailctl_argument COMMAND POSITION GUID: prints the choices for an argument of a command.
__vailctl_argument() {
  case $1:$2 in
  describe:0 | watch:0 | objects:0 | register:0 | exec:0 | revoke:0 | "vm update:0" | \
    "vm remove:0" | "vm quarantine:0" | "vm release:0" | "vgpu assign:0")
    __vailctl_guids "$1"
    ;;
  revoke:1) __vailctl_ask --no-legend registrations | awk -v guid="$3" '$1 == guid { print $2 }' ;;
  holders:0 | save:0) __vailctl_ask --json objects | __vailctl_values handle ;;
  "gpu map:0") __vailctl_ask --json gpu processes | __vailctl_values process ;;
  "vgpu remove:0") __vailctl_ask --json list | __vailctl_values virtualGpu ;;
  call:0)
    printf '%s\n' io.vaild.{RegisterVailProcess,UnregisterVailProcess,RevokeRegistration} \
      io.vaild.{ListRegistrations,Watch,ShareObjectWithHost,UpdateObject,UnshareObject} \
      io.vaild.{OpenSharedObject,CloseSharedObject,ListSharedObjects} \
      io.vaild.Gpu.{ListAdapters,CreateContext,DestroyContext} \
      io.vaild.Gpu.{RegisterAdapter,UnregisterAdapter,ListProcesses,DescribeAddressSpace} \
      io.vaild.Gpu.{CreateProcess,CompleteCreateProcess,DestroyProcess,SetReservedPageTableEntry} \
      io.vaild.Gpu.{EvictPageTable,MakePageTableResident,ReserveGpuVirtualAddressRange} \
      io.vaild.Gpu.{Reserve,Map,Free,Translate}GpuVirtualAddress \
      io.vaild.Machine.{Register,Update,Unregister,Describe}VirtualMachine \
      io.vaild.Machine.{AssignVirtualGpu,RemoveVirtualGpu,ListVirtualMachines,SetQuarantine} \
      io.vaild.Machine.ListQuarantines io.vaild.Monitor.{GetStatus,GetMetrics,ReloadConfiguration} \
      org.varlink.service.{GetInfo,GetInterfaceDescription}
    ;;
  esac
}

# __vailctl_value OPTION PREFIX: prints the choices for the value of an option.
__vailctl_value() {
  case $1 in
  --socket) compgen -f -- "$2" ;;
  --user | --agent-user) compgen -u -- "$2" ;;
  --pid | --client-pid | --agent-pid) compgen -W "$(ps -eo pid= 2>/dev/null)" -- "$2" ;;
  --adapter) compgen -W "$(__vailctl_ask --json adapters | __vailctl_values adapter)" -- "$2" ;;
  esac
}

_vailctl() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local words=() command i choices
  local __vailctl_socket=()
  local values=' --socket --name --user --pid --client-pid --agent-user --agent-pid --adapter --profile --reason '

  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --)
      COMPREPLY=()
      return
      ;;
    --socket) __vailctl_socket=(--socket "${COMP_WORDS[++i]}") ;;
    -*) [[ $values != *" ${COMP_WORDS[i]} "* ]] || ((++i)) ;;
    *) words+=("${COMP_WORDS[i]}") ;;
    esac
  done
  command=${words[0]:-}
  [[ $command != vm && $command != vgpu && $command != gpu ]] || command="$command ${words[1]:-}"
  if [[ $values == *" $before "* ]]; then
    mapfile -t COMPREPLY < <(__vailctl_value "$before" "$current")
    return
  fi
  if [[ $command == save && ${#words[@]} -eq 2 && $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  case ${#words[@]}:$current:$command in
  *:-*:*) choices=$(__vailctl_options "$command") ;;
  0:*) choices="list describe registrations objects holders save adapters watch status limits \
    metrics reload register exec revoke vm vgpu gpu call" ;;
  1:*:"vm ") choices="add update remove quarantine release quarantines" ;;
  1:*:"vgpu ") choices="assign remove" ;;
  1:*:"gpu ") choices="adapters processes map" ;;
  *)
    local -a named
    read -ra named <<<"$command"
    i=${#named[@]}
    choices=$(__vailctl_argument "$command" $((${#words[@]} - i)) "${words[i]:-}")
    ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}

complete -F _vailctl vailctl
