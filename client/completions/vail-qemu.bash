# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Bash completion for vail-qemu(1): options, sockets, users, and the adapters that vaild knows.

# Prints the adapters' handles, or nothing if vaild is not reachable within 2 seconds. Uses the
# vailctl in the folder of vail-qemu.
__vail_qemu_adapters() {
  local vailctl=vailctl

  [[ ${COMP_WORDS[0]} != */* ]] || vailctl=${COMP_WORDS[0]%/*}/vailctl
  timeout 2 "$vailctl" "$@" --no-pager --json adapters 2>/dev/null </dev/null |
    grep -oE '"adapter":"[^"]*"' | sed -E 's/^[^:]*://; s/"//g' | sort -u
}

_vail_qemu() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local socket=() i

  for ((i = 1; i < COMP_CWORD - 1; i++)); do
    [ "${COMP_WORDS[i]}" != --socket ] || socket=(--socket "${COMP_WORDS[i + 1]}")
  done
  case $before in
  --display-fd | --bus) COMPREPLY=() ;;
  --qmp | --socket) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
  --user) mapfile -t COMPREPLY < <(compgen -u -- "$current") ;;
  --adapter)
    mapfile -t COMPREPLY < <(compgen -W "$(__vail_qemu_adapters "${socket[@]}")" -- "$current")
    ;;
  *) mapfile -t COMPREPLY < <(compgen -W "--qmp --display-fd --bus --user --adapter --socket --help --version" -- "$current") ;;
  esac
}

complete -F _vail_qemu vail-qemu
