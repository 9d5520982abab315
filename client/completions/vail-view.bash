# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Bash completion for vail-view(1): options, GUIDs and the names of shared objects.

# Runs vailctl, from the folder of vail-view. Prints nothing if vaild is not reachable within 2 seconds.
__vail_view_ask() {
  local vailctl=vailctl

  [[ $__vail_view_program != */* ]] || vailctl=${__vail_view_program%/*}/vailctl
  timeout 2 "$vailctl" "${__vail_view_socket[@]}" --no-pager --json "$@" 2>/dev/null </dev/null
}

# Prints all string values of a member in the JSON document on stdin.
__vail_view_values() {
  grep -oE "\"$1\":\"[^\"]*\"" | sed -E 's/^[^:]*://; s/"//g' | sort -u
}

_vail_view() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local __vail_view_program=${COMP_WORDS[0]} __vail_view_socket=()
  local guid='' choices names i IFS=$'\n'

  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --socket) __vail_view_socket=(--socket "${COMP_WORDS[++i]}") ;;
    --png | --frames | --name | --timeout) ((++i)) ;;
    -*) ;;
    *) guid=${COMP_WORDS[i]} ;;
    esac
  done
  case $before:$current in
  --png:* | --socket:*)
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
    ;;
  --frames:* | --timeout:*)
    COMPREPLY=()
    return
    ;;
  --name:*)
    choices=$(__vail_view_ask objects ${guid:+"$guid"} | __vail_view_values name)
    mapfile -t names < <(compgen -W "$choices" -- "$current")
    COMPREPLY=()
    for i in "${!names[@]}"; do printf -v "COMPREPLY[i]" %q "${names[i]}"; done
    return
    ;;
  *:-*) choices=$(printf '%s\n' --png --raw --frames --name --timeout --socket --help --version) ;;
  *) choices=$([ -n "$guid" ] || __vail_view_ask list | __vail_view_values virtualMachineGuid) ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}

complete -F _vail_view vail-view
