# Stand-ins for the functions, in plain bash and without any program: they behave as the cells expect of bash
# itself.

function async_init {
    [[ $DEST != */no_store ]] || return 125
    mkdir -p "$ASYNC_DIR"
}

function async_run {
    # With set -k, an argument of `local` that contains a `=` disappears.
    local rc
    rc=0
    [[ $1 != */* ]] || return 2
    "${@:2}" || rc=$?
    printf '%s\n' "$rc" >|"$root/future.$1"
    last=$1
    [[ $DEVSTACK_PARALLEL == True ]] || return "$rc"
}

function async_runfunc {
    async_run "$1" "$@"
}

function async_wait {
    local rc
    IFS= read -r rc <"$root/future.$1"
    rm "$root/future.$1"
    return "$rc"
}

function async_pidof {
    [[ -e $root/future.$1 ]]
}

function async_log {
    [[ -e $root/future.$1 ]] || return 125
}

function async_print_timing {
    [[ $DEVSTACK_PARALLEL != True || $profile != standalone || ${ASYNC_TIMELINE:-} != */no/* ]] || return 125
}

function async_cleanup {
    [[ $DEVSTACK_PARALLEL == True || $profile == standalone ]] || return 0
    [[ $DEST != */a_file ]] || return 125
    async_wait "$last"
}
