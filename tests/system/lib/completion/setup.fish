# SPDX-License-Identifier: MIT
# Prepares a fish for drive.zsh. The file COMPLETIONS has the completion functions.
source $COMPLETIONS

# The line editor reads the terminal from its first prompt on.
function fish_prompt
    set -q is_ready; or echo ready >$ANSWERS
    set -g is_ready 1
end

function show
    commandline >$ANSWERS
    commandline ''
end

function list
    # echo ends the line, even if there are no candidates.
    echo (complete -C (commandline) | string replace -r '\t.*' '' | sort | string join ' ') >$ANSWERS
    commandline ''
end

bind \cxs show
bind \cxl list
