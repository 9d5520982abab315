# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Bash completion for vail-libvirt(1).

_vail_libvirt() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

  case $before in
  --socket) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
  --connect) mapfile -t COMPREPLY < <(compgen -W "qemu:///system qemu:///session" -- "$current") ;;
  *) mapfile -t COMPREPLY < <(compgen -W "status --connect --socket --help --version" -- "$current") ;;
  esac
}

complete -F _vail_libvirt vail-libvirt
