#compdef async
# Completion for zsh: source <(async completions zsh), or this file as _async in a folder of $fpath

function _async {
    local line value
    local -a words_found unfinished
    for line in "${(@f)$("${ASYNC_BIN:-async}" complete zsh -- "${(@Q)words[1,CURRENT-1]}" "$QIPREFIX$PREFIX" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        value=${line%%$'\t'*}
        line=${${value//\\/\\\\}//:/\\:}:${line#*$'\t'}
        if [[ $value == *[/=] ]]; then
            unfinished+=("$line")
        else
            words_found+=("$line")
        fi
    done
    if (( $#words_found + $#unfinished == 0 )); then
        _default
        return
    fi
    _describe -V async words_found
    _describe -V async unfinished -S ''
}

if [[ $funcstack[1] == _async ]]; then
    _async "$@"
else
    compdef _async async
fi
