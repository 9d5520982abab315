#compdef vailctl vail-view vail-qemu vail-libvirt vaild vaild-fleet
# SPDX-License-Identifier: MIT
# Zsh completion for the programs of vaild, which print their completions
# themselves: see client/common/completion.h. Nothing that was typed or that vaild lists is evaluated.

_vail() {
  local program=${(Q)words[1]} line number
  local -a lines values labels

  program=${program/#\~\//$HOME/}
  lines=("${(@f)$("$program" --complete "${(@Q)words[2,CURRENT-1]}" "$IPREFIX${(Q)PREFIX}" \
    2>/dev/null </dev/null)}")
  case $lines[1] in
  files)
    [[ -z $lines[2] ]] || compset -P '*='
    _files
    ;;
  program*)
    number=$((${lines[1]#program } + 1))
    shift $number words
    ((CURRENT -= number))
    _normal
    ;;
  values)
    for line in "${(@)lines[2,-1]}"; do
      values+=("${line%%$'\t'*}")
      labels+=("${line/$'\t'/  }")
    done
    compadd -l -d labels -a values
    ;;
  esac
}

# The daemons print no completions.
_vaild() {
  _arguments \
    '--socket[listen on this Unix socket]:socket:_files' \
    '--runtime-dir[state of the current boot]:folder:_files -/' \
    '--state-dir[what survives reboots]:folder:_files -/' \
    '--config[the folder of vaild.json]:folder:_files -/' \
    '--check-config[check the configuration, or one file, and exit]' \
    '--version[print the version and exit]' \
    '(- *)'{-h,--help}'[print the options and exit]' \
    '*:file:_files'
}

_vaild_fleet() {
  _arguments \
    '--config[the configuration]:file:_files' \
    '--socket[listen on this Unix socket]:socket:_files' \
    '--vaild-socket[the socket of vaild]:socket:_files' \
    '--check-config[check the configuration, or one file, and exit]' \
    '--version[print the version and exit]' \
    '(- *)'{-h,--help}'[print the options and exit]' \
    '*:file:_files'
}

if [[ $service == vaild ]]; then
  _vaild "$@"
elif [[ $service == vaild-fleet ]]; then
  _vaild_fleet "$@"
else
  _vail "$@"
fi
