# What every shell of a torture run sources: the functions that its steps call.
#
# Each function gets the number of its step first. Its output goes to a file of the step, which is also open
# as descriptor 9, so that the step of a process can be found, however the process came about. The event log
# has a line for each completed step, written at once after the step, so that a killed shell leaves a shorter
# log and never a wrong one.

# shellcheck source=/dev/null
source "$TORTURE_SHIM"
# Nothing ever writes to it: a sleep without a process.
exec {never}<>"$TORTURE_SILENCE"

function note {
    printf '%s\n' "$*" >>"$TORTURE_DIARY"
}

# All complaints of the program in a step
function complaint {
    local line
    REPLY=
    while read -r line; do
        [[ $line != "async: "* ]] || REPLY+="${REPLY:+; }$line"
    done <"$TORTURE_OUT/$1"
}

# The task of every future: TOKEN LINES PAUSE ENDING
function task {
    local token=$1 lines=$2 pause=$3 ending=$4 i
    for ((i = 1; i <= lines; i++)); do
        printf '%s line %s of %s\n' "$token" "$i" "$lines"
        if [[ $pause != 0 ]]; then
            read -rt "0.00$pause" -u "$never" || :
        fi
    done
    case $ending in
        kill) kill -KILL "$BASHPID" ;;
        exit-*) exit "${ending#exit-}" ;;
        leave) (read -rt 0.02 -u "$never" || :) & ;;
        *) return "${ending#return-}" ;;
    esac
}

# STEP NAME TOKEN LINES PAUSE ENDING
function start {
    local rc=0
    ASYNC_TORTURE_STEP=$1 async_run "$2" task "${@:3}" 9>"$TORTURE_OUT/$1" >&9 2>&9 || rc=$?
    if [[ $rc == 0 ]]; then
        note "$1 started"
    else
        complaint "$1"
        note "$1 refused $rc $REPLY"
    fi
}

function wait_shell {
    async_wait "$@"
}

function wait_subshell {
    (async_wait "$@")
}

function wait_program {
    "$ASYNC_BIN" wait -- "$@"
}

# STEP MANNER NAME...
function collect {
    local rc=0
    "wait_$2" "${@:3}" 9>"$TORTURE_OUT/$1" >&9 2>&9 || rc=$?
    complaint "$1"
    note "$1 waited $rc $REPLY"
}

# A function, like the other ways to the program: a command's own redirections come after the fork, and a
# process that is killed before them belongs to no known step
function cancel_program {
    "$ASYNC_BIN" cancel --grace 100ms -- "$1"
}

# STEP NAME
function cancel {
    local rc=0
    cancel_program "$2" 9>"$TORTURE_OUT/$1" >&9 2>&9 || rc=$?
    complaint "$1"
    note "$1 cancelled $rc $REPLY"
}

# STEP KEY NAME: SIGKILL for the process that the record has under that key
function murder {
    local line pid="" token=""
    if [[ -e $ASYNC_DIR/$3.ini ]]; then
        while read -r line; do
            case $line in
                "$2 = "[1-9]*) pid=${line#*= } ;;
                "command = task "*) token=${line#command = task } ;;
            esac
        done 2>/dev/null <"$ASYNC_DIR/$3.ini" || :
    fi
    token=${token%% *}
    # The process may be gone, and another process of this run may have its id.
    if [[ -n $pid && -n $token ]] && belongs "$pid" "$token"; then
        # Before the kill: there may be no afterwards.
        note "$1 kills $token"
        kill -KILL "$pid" 2>/dev/null || :
    fi
    note "$1 done"
}

# Whether that process belongs to the step that started that future
function belongs {
    local step=${2#token-}
    [[ /proc/$1/fd/9 -ef ${TORTURE_OUT%-*}-${step/-//} ]]
}
