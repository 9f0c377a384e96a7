# What a torture run suffers besides the kills (its mode is the argument), repeated until the shells are done.

# Nothing ever writes to it: a sleep without a process.
exec {never}<>"$TORTURE_SILENCE"

function nap {
    read -rt "$1" -u "$never" || :
}

# Something else takes nearly all of the processes that the user may have
function processes {
    local i pids=()
    for ((i = 0; i < TORTURE_PROCESSES; i++)); do
        sleep 1000 &
        pids+=("$!")
    done
    nap 0.2
    kill "${pids[@]}"
    wait "${pids[@]}"
    nap 0.5
}

# Nothing more can be written
function disk {
    cat /dev/zero >"$TORTURE_BALLAST" || :
    nap 0.3
    rm -f "$TORTURE_BALLAST"
    nap 0.7
}

# Each is another script
function init {
    bash -c 'source "$TORTURE_SHIM"; async_init' &
    "$ASYNC_BIN" init &
    bash -c 'source "$TORTURE_SHIM"; async_init; async_init'
    wait
    nap 0.01
}

function cancel {
    "$ASYNC_BIN" cancel --all --grace 100ms || printf 'failed with %s\n' "$?"
    nap 0.5
}

while [[ ! -e $TORTURE_OVER ]]; do
    "$1" 2>>"$TORTURE_OUT.err"
    printf 'round is over\n'
done
