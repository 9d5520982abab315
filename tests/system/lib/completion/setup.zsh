# SPDX-License-Identifier: MIT
# The .zshrc of a zsh for drive.zsh. The folder COMPLETIONS has the completion functions.
fpath=($COMPLETIONS $fpath)
PS1=
autoload -Uz compinit
compinit -u -D

show() {
  print -r -- "$BUFFER" >$ANSWERS
  BUFFER=
}

# Collects the candidates instead of adding them, while list runs.
compadd() {
  local -a hits
  if [[ -z $listing ]]; then
    builtin compadd "$@"
  else
    builtin compadd -O hits "$@"
    found+=("${hits[@]}")
  fi
}

list() {
  local listing=1
  local -a found
  _main_complete
  print -r -- "${(j: :)${(o)found}}" >$ANSWERS
  BUFFER=
}

# The line editor reads the terminal from now on.
zle-line-init() { print ready >$ANSWERS; }

zle -N zle-line-init
zle -N show
zle -C list complete-word list
bindkey -e
bindkey '^Xs' show
bindkey '^Xl' list
