# Completion for bash: source <(async completions bash)

function _async_complete {
    mapfile -t COMPREPLY < <("${ASYNC_BIN:-async}" complete bash -- "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace
    fi
}

complete -o bashdefault -o default -o nosort -F _async_complete async
