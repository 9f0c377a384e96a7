# What each script of the matrix begins with: its tasks, and where it notes what it sees. $root is a folder of its own.

# Notes a status of a cell: what, the cell's number, the status.
function note {
    printf '%s %s %s\n' "$1" "$2" "$3" >>"$root/results"
}

# A task: leaves its arguments behind the cell's number and the status to return.
function task {
    printf '<%s>' "${@:3}" >>"$root/ran.$1"
    return "$2"
}

# A task that has the script interrupted, and goes on when the trap says so.
function interrupts {
    kill -USR1 "$$"
    IFS= read -r _ <"$root/gate" || :
    return 4
}

# Returns that status.
function with_status {
    return "$1"
}

# Makes the store that is used from here on another one.
function use_store {
    DEST=$root/$1
    ASYNC_DIR=$root/$1/async
    # In the standalone profile it is settled for the whole script.
    [[ -z ${_ASYNC_STORE-} ]] || _ASYNC_STORE="${_ASYNC_STORE%% /*} $ASYNC_DIR"
}

mkdir "$root/main" "$root/other" "$root/no_store" "$root/no_store/async" "$root/a_file"
mkfifo "$root/gate"
: >"$root/no_store/async/somebody's"
: >"$root/a_file/async"
export DEST ASYNC_DIR
