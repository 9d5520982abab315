# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Bash completion for the programs of vaild, which print their completions
# themselves: see client/common/completion.h. Nothing that was typed or that vaild lists is evaluated.

# Splits a command line like the shell, but expands nothing. Sets words, and for the last word quote to
# its open quote, and broken to the number of characters before the part that readline replaces.
__vail_split() {
  local text=$1 character word='' is_word='' i

  words=() quote='' broken=0
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case ${quote:-n}$character in
    \'\' | \"\") quote='' ;;
    \'*) word+=$character ;;
    \"\\)
      character=${text:++i:1}
      [[ $character == [\$\`\"\\] ]] || word+=\\
      word+=$character
      ;;
    \"*) word+=$character ;;
    n\' | n\") quote=$character is_word=1 ;;
    n\\) word+=${text:++i:1} ;;
    n' ' | n$'\t')
      [ -z "$is_word$word" ] || words+=("$word")
      word='' is_word='' broken=0
      ;;
    *)
      word+=$character
      [[ $character != [=:] || $COMP_WORDBREAKS != *"$character"* ]] || broken=${#word}
      ;;
    esac
  done
  words+=("$word")
}

# Prints a candidate as it must stand on the command line, behind the open quote if there is one.
__vail_quote() {
  local value=$1

  case $quote in
  \') printf '%s\n' "${value//\'/\'\\\'\'}" ;;
  \")
    value=${value//\\/\\\\}
    value=${value//\"/\\\"}
    value=${value//\$/\\\$}
    printf '%s\n' "${value//\`/\\\`}"
    ;;
  *)
    # A comma is only special in braces, and those are quoted.
    value=$(printf '%q' "$value")
    printf '%s\n' "${value//\\,/,}"
    ;;
  esac
}

# Completes the words behind "--" or --exec as a command line of their own.
__vail_command() {
  local i=1

  while [ "$i" -lt "$COMP_CWORD" ] && [[ ${COMP_WORDS[i]} != @(--|--exec) ]]; do ((++i)); done
  if declare -F _command_offset >/dev/null; then
    _command_offset $((i + 1))
  elif ((COMP_CWORD == i + 1)); then
    mapfile -t COMPREPLY < <(compgen -c -- "${words[-1]}")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]}")
  fi
}

_vail() {
  local program=${1/#\~\//$HOME/} words quote broken lines line

  COMPREPLY=()
  __vail_split "${COMP_LINE:0:COMP_POINT}"
  mapfile -t lines < <("$program" --complete "${words[@]:1}" 2>/dev/null </dev/null)
  case ${lines[0]-} in
  files)
    compopt -o filenames 2>/dev/null
    line=${words[-1]#"${lines[1]}"}
    mapfile -t COMPREPLY < <(compgen -f -- "$line")
    ;;
  program*) __vail_command ;;
  values)
    for line in "${lines[@]:1}"; do
      line=${line%%$'\t'*}
      COMPREPLY+=("$(__vail_quote "${line:broken}")")
    done
    ;;
  esac
}

complete -F _vail vailctl vail-view vail-qemu vail-libvirt

# The daemons print no completions. The values of its options are paths.
complete -o default \
  -W '--socket --runtime-dir --state-dir --config --check-config --version --help' vaild
complete -o default \
  -W '--config --socket --vaild-socket --check-config --version --help' vaild-fleet
