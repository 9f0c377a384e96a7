# The beginning of each script of the matrix: its tasks, and its notes. $root is a folder of its own.

# Notes a status of a cell: its kind, the cell's number, the status.
function note {
    printf '%s %s %s\n' "$1" "$2" "$3" >>"$root/results"
}

# A task: records the cell's number, the status to return, and its other arguments.
function task {
    printf '<%s>' "${@:3}" >>"$root/ran.$1"
    return "$2"
}

# A task that interrupts the script, and goes on when the trap says so.
function interrupts {
    kill -USR1 "$$"
    IFS= read -r _ <"$root/gate" || :
    return 4
}

# Returns that status.
function with_status {
    return "$1"
}

# Makes another store, to be used from here on.
function use_store {
    DEST=$root/$1
    ASYNC_DIR=$root/$1/async
    # In the standalone profile the store is settled for the whole script.
    [[ -z ${_ASYNC_STORE-} ]] || _ASYNC_STORE="${_ASYNC_STORE%% /*} $ASYNC_DIR"
}

mkdir "$root/main" "$root/other" "$root/no_store" "$root/no_store/async" "$root/a_file"
mkfifo "$root/gate"
: >"$root/no_store/async/somebody's"
: >"$root/a_file/async"
export DEST ASYNC_DIR
