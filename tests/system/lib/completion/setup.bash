# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The rcfile of a bash for drive.zsh. The file COMPLETIONS has the completion functions.
# shellcheck disable=SC1090 # the file that is tested
. "$COMPLETIONS"
PS1=

show() {
  printf '%s\n' "$READLINE_LINE" >"$ANSWERS"
  READLINE_LINE=''
}

list() {
  COMP_LINE=$READLINE_LINE COMP_POINT=${#READLINE_LINE}
  _vail "${COMP_LINE%% *}"
  printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' ' >"$ANSWERS"
  READLINE_LINE=''
}

bind 'set bell-style none'
bind 'set completion-query-items 0'
bind 'set enable-bracketed-paste off'
bind -x '"\C-xs": show'
bind -x '"\C-xl": list'
PROMPT_COMMAND='echo ready >"$ANSWERS"; unset PROMPT_COMMAND'
