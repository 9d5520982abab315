# SPDX-License-Identifier: MIT
# Fish completion for the programs of vaild, which print their completions
# themselves: see client/common/completion.h. Nothing that was typed or that vaild lists is evaluated.

function __vail_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    # A word with an open quote cannot be unescaped.
    set -l current (string unescape -- $typed; or string replace -r '^[\'"]' '' -- $typed)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -e words[1]
    set -l lines ($program --complete $words "$current" 2>/dev/null </dev/null)

    switch "$lines[1]"
        case files
            set -l before $lines[2]
            for path in (__fish_complete_path (string sub -s (math (string length -- "$before") + 1) -- "$current"))
                echo -- $before$path
            end
        case 'program *'
            set -l number (math (string replace 'program ' '' -- $lines[1]) + 1)
            set -l rest
            test $number -gt (count $words); or set rest (string escape -- $words[$number..-1])
            complete -C (string join ' ' -- $rest $typed)
        case values
            set -e lines[1]
            string join \n -- $lines
    end
end

for program in vailctl vail-view vail-qemu vail-libvirt
    complete -c $program -f -a '(__vail_complete)'
end

# The daemon prints no completions. The values of its options are paths.
complete -c vaild -l socket -r -F -d 'listen on this Unix socket'
complete -c vaild -l runtime-dir -r -F -d 'state of the current boot'
complete -c vaild -l state-dir -r -F -d 'what survives reboots'
complete -c vaild -l config -r -F -d 'the folder of vaild.json'
complete -c vaild -l check-config -d 'check the configuration, or one file, and exit'
complete -c vaild -l version -d 'print the version and exit'
complete -c vaild -s h -l help -d 'print the options and exit'

complete -c vaild-fleet -l config -r -F -d 'the configuration'
complete -c vaild-fleet -l socket -r -F -d 'listen on this Unix socket'
complete -c vaild-fleet -l vaild-socket -r -F -d 'the socket of vaild'
complete -c vaild-fleet -l check-config -d 'check the configuration, or one file, and exit'
complete -c vaild-fleet -l version -d 'print the version and exit'
complete -c vaild-fleet -s h -l help -d 'print the options and exit'
