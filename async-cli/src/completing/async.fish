# Completion for fish: async completions fish | source

function __async_complete
    set -l program async
    set -q ASYNC_BIN; and test -n "$ASYNC_BIN"; and set program $ASYNC_BIN
    set -l found ($program complete fish -- (commandline -opc) (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -c async -e
complete -c async -f -k -a '(__async_complete)'
