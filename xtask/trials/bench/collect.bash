# Hands over a log: with `async wait` if a name is given, else with cat, to a file or into a pipe.
#
# Arguments: the sink, file or pipe, then the name.

function give {
    if [[ -n $1 ]]; then
        "$ASYNC_BIN" wait "$1"
    else
        cat "$DEST/async/log.log"
    fi
}

if [[ $1 == pipe ]]; then
    give "${2:-}" | cat >/dev/null
else
    give "${2:-}" >"$DEST/sink"
fi
