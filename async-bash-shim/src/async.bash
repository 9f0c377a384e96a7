#!/bin/bash
#
# Symbolic asynchronous tasks for shell scripts; the work is done by the program "async".
#
# Usage:
#
#  async_init
#  async_runfunc my_shell_func foo bar baz
#
#  ... do other stuff ...
#
#  async_wait my_shell_func
#
# Generated from a template: edit that, not this (async-bash-shim/src/async.bash, then "cargo xtask shim").

# What the profiles differ in. Nothing below does.
# - True: tasks run in the background unless DEVSTACK_PARALLEL is false
_ASYNC_PARALLEL_DEFAULT="@parallel@"
# - kept: the caller's set -e holds inside tasks; ignored: it does not
_ASYNC_ERREXIT="@errexit@"
# - kept: tasks are traced if the caller is; on: always
_ASYNC_XTRACE="@xtrace@"
# - read: async_run takes options before the name; taken: they are not for us, the name may look like one
_ASYNC_OPTIONS="@options@"
# - private: only the user reads records and logs; umask: whoever the umask lets
_ASYNC_PERMISSIONS="@permissions@"

case "${DEVSTACK_PARALLEL:-}" in
    1 | [yY]es | YES | [tT]rue | TRUE) DEVSTACK_PARALLEL=True ;;
    0 | [nN]o | NO | [fF]alse | FALSE) DEVSTACK_PARALLEL=False ;;
    *) DEVSTACK_PARALLEL=$_ASYNC_PARALLEL_DEFAULT ;;
esac

# Run time of all tasks waited for, and the time spent in those waits, in ms
_ASYNC_BG_TIME=0
_ASYNC_WAIT_TIME=0

# When this file was sourced, in seconds since the epoch
builtin printf -v _ASYNC_BEGIN '%(%s)T' -1

# How many records this shell has opened, and the last place of the store as given and as an absolute path
_ASYNC_COUNT=0
_ASYNC_PLACE_GIVEN=
_ASYNC_PLACE=

# The names of the futures that this shell has started, by their process ids; sourced again, it still knows
builtin declare -ga _ASYNC_STARTED

# Which builtin was looked for, and whether it is there: it does what the program does, without a process for it
_ASYNC_BUILTIN_FOR=
_ASYNC_BUILTIN=no

# Each function that scripts call begins by turning tracing off, with standard error away so that not even this is
# traced; "local -" turns it on again at the return. Names of locals begin with _async_ because a task can see them. No
# function uses a pipe, a here document or a program other than async, and none relies on IFS.

# Say what went wrong
function _async_complain {
    builtin printf 'async: %s\n' "$1" >&2
}

# Set _async_bin to the program and _async_dir to the store
function _async_prepare {
    _async_bin=${ASYNC_BIN:-async}
    [[ $_ASYNC_BUILTIN == yes && $_ASYNC_BUILTIN_FOR == "${ASYNC_BUILTIN:-auto} $_async_bin" ]] ||
        _async_find_program || return
    _async_dir=${ASYNC_DIR:-${DEST:+$DEST/async}}
    [[ $_async_dir == /* ]] || _async_find_store
}

function _async_find_program {
    if ! builtin type -P "$_async_bin" >/dev/null; then
        _async_complain "no program '$_async_bin': install async, or say where it is with ASYNC_BIN"
        return 125
    fi
    [[ $_ASYNC_BUILTIN_FOR == "${ASYNC_BUILTIN:-auto} $_async_bin" ]] || _async_find_builtin
}

function _async_find_store {
    if [[ -n $_async_dir ]]; then
        builtin true
    elif [[ -n ${DEST+set} ]]; then
        _async_complain "DEST is set but empty, so the store would be /async: set DEST or ASYNC_DIR"
        return 2
    elif [[ -n ${XDG_STATE_HOME:-} ]]; then
        _async_dir=$XDG_STATE_HOME/async
    elif [[ -n ${HOME:-} ]]; then
        _async_dir=$HOME/.local/state/async
    else
        _async_complain "none of ASYNC_DIR, DEST, XDG_STATE_HOME and HOME is set: set ASYNC_DIR to a directory"
        return 2
    fi
    # A relative place is meant from where it was first used: tasks change directory.
    if [[ $_async_dir != /* ]]; then
        if [[ $_async_dir != "$_ASYNC_PLACE_GIVEN" ]]; then
            _ASYNC_PLACE_GIVEN=$_async_dir
            _ASYNC_PLACE=$PWD/$_async_dir
        fi
        _async_dir=$_ASYNC_PLACE
    fi
}

# See whether there is a builtin that belongs to the program; nothing depends on it
function _async_find_builtin {
    _ASYNC_BUILTIN_FOR="${ASYNC_BUILTIN:-auto} $_async_bin"
    _ASYNC_BUILTIN=no
    if [[ ${ASYNC_BUILTIN:-auto} == off ]]; then
        builtin true
    elif [[ ${ASYNC_DEBUG:-} == 1 ]]; then
        _async_load_builtin || builtin true
    else
        _async_load_builtin 2>/dev/null || builtin true
    fi
}

# Load the builtin that the program names, if it is of the program's version
function _async_load_builtin {
    local _async_found _async_version
    _async_found=$("$_async_bin" builtin --bash "${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]}" -- \
        "${ASYNC_BUILTIN:-auto}") || return
    builtin enable -f "${_async_found#*$'\n'}" async_builtin || return
    builtin async_builtin -v _async_version --version || return
    if [[ $_async_version != "${_async_found%%$'\n'*}" ]]; then
        _async_complain "the builtin is not used: it is of '$_async_version', the program of '${_async_found%%$'\n'*}'"
        return 1
    fi
    _ASYNC_BUILTIN=yes
}

# Call the program
function _async_program {
    "$_async_bin" "$1" --dir "$_async_dir" --permissions "$_ASYNC_PERMISSIONS" "${@:2}"
}

# Call the builtin if it is there, else the program; with -v VARIABLES before the command, set these to what it prints, a
# word each and the last to the rest
function _async_call {
    if [[ $_ASYNC_BUILTIN == no ]]; then
        _async_call_program "$@"
    elif [[ $1 == -v ]]; then
        builtin async_builtin -v "$2" "$3" --dir "$_async_dir" --permissions "$_ASYNC_PERMISSIONS" "${@:4}"
    else
        builtin async_builtin "$1" --dir "$_async_dir" --permissions "$_ASYNC_PERMISSIONS" "${@:2}"
    fi
}

# The same with the program
function _async_call_program {
    local _async_answer _async_variables=${2:-}
    if [[ $1 == -v ]]; then
        _async_answer=$(_async_program "${@:3}") || return
        while [[ $_async_variables == *' '* ]]; do
            builtin printf -v "${_async_variables%% *}" %s "${_async_answer%% *}"
            _async_variables=${_async_variables#* }
            [[ $_async_answer == *' '* ]] || _async_answer=" "
            _async_answer=${_async_answer#* }
        done
        builtin printf -v "$_async_variables" %s "$_async_answer"
    else
        _async_program "$@"
    fi
}

# Take the options of async_run from its arguments, into _async_plan; set _async_taken to their number
function _async_read_options {
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --)
                _async_taken=$((_async_taken + 1))
                return
                ;;
            --after | --after-any | --jobs | --timeout | --grace | --retry | --retry-delay)
                if [[ $# -lt 2 ]]; then
                    _async_complain "async_run $1 needs a value"
                    return 2
                fi
                _async_plan+=("$1=$2")
                _async_taken=$((_async_taken + 2))
                shift 2
                ;;
            --after=* | --after-any=* | --jobs=* | --timeout=* | --grace=* | --retry=* | --retry-delay=*)
                _async_plan+=("$1")
                _async_taken=$((_async_taken + 1))
                shift
                ;;
            --*)
                _async_complain "async_run has no option '$1'; a name like that goes behind --"
                return 2
                ;;
            *)
                return
                ;;
        esac
    done
}

# How to run the task, if not simply at once, into _async_plan: the options of async_run, and what is set for all
function _async_make_plan {
    local _async_option
    if [[ $_ASYNC_OPTIONS == read && ${1:-} == --* ]]; then
        _async_read_options "$@" || return
    fi
    for _async_option in "${_async_plan[@]}"; do
        [[ $_async_option != --jobs=* ]] || _async_limited=yes
    done
    if [[ -n ${ASYNC_JOBS:-} && $_async_limited == no ]]; then
        _async_plan+=("--jobs=$ASYNC_JOBS")
        _async_limited=yes
    fi
}

# Begin a future, and set _async_command to its command; the arguments are options, --, the name and the command
function _async_begin {
    local _async_all="$*"
    local -a _async_words=("$@")
    # What waits for other futures is for the program.
    [[ $1 != --process || "${_async_plan[*]}" != *--after* ]] || local _ASYNC_BUILTIN=no
    [[ ${#_async_all} -le 30000 ]] || _async_shorten "$@"
    # What is known of where we are: inside of a task, in a script that cleans up behind itself.
    _async_call -v _async_command begin ${_async_inside:+"--inside=$_async_inside"} \
        ${ASYNC_OWNER:+"--owner=$ASYNC_OWNER"} "${_async_plan[@]}" "${_async_words[@]}"
}

# A function may have longer arguments than a program, so what is only to be shown is cut off somewhere.
function _async_shorten {
    local _async_word
    _async_words=(--shortened)
    for _async_word; do
        _async_words+=("${_async_word:0:1000}")
        if [[ ${#_async_words[@]} -gt 100 ]]; then
            break
        fi
    done
}

# Keep track of how much total time was spent in background tasks
# Takes a job runtime in ms.
function _async_incr_bg_time {
    _ASYNC_BG_TIME=$((_ASYNC_BG_TIME + $1))
}

# Keep track of how much total time was spent in waits, in devstack's books too where they are kept
# Takes a time in ms.
function _async_incr_wait_time {
    _ASYNC_WAIT_TIME=$((_ASYNC_WAIT_TIME + $1))
    [[ -z ${_TIME_BEGIN+set} ]] || _async_book_wait_time "$1"
}

function _async_book_wait_time {
    if builtin declare -p _TIME_TOTAL >/dev/null 2>&1; then
        # shellcheck disable=SC2154
        _TIME_TOTAL[async_wait]=$((${_TIME_TOTAL[async_wait]:-0} + $1))
    fi
}

# Get the PID of a named future to wait on
function async_pidof {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir
    _async_prepare && _async_call pid -- "$1" || return
}

# Log a message about a job. If the message contains "%command" then the
# full command line of the job will be substituted in the output
function async_log {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir
    _async_prepare && _async_call message -- "$@" || return
}

# Run the task, as the last thing of a subshell of its own, with its output going to its log, which is open as _async_log
function _async_task {
    local _async_rc=0
    local -a _async_argv=("${@:2}")
    if [[ $_ASYNC_ERREXIT == ignored ]]; then
        [[ $_ASYNC_XTRACE != on && $_async_flags != *x* ]] || builtin set -o xtrace
        # A list, because set -e does not hold in one that something follows.
        "${_async_argv[@]}" >&"$_async_log" 2>&1 {_async_log}>&- || {
            _async_rc=$?
            builtin set +o xtrace
        } 2>/dev/null
        { builtin set +o xtrace; } 2>/dev/null
        builtin exit "$_async_rc"
    fi
    exec >&"$_async_log" 2>&1 {_async_log}>&-
    # A caller like "async_run ... || exit" switches set -e off for all that it calls, subshells included. The builtin
    # jobs -x is the one way to call a function that does not pass that on.
    builtin jobs -x _async_task_command || {
        { _async_rc=$?; } 2>/dev/null
        { builtin set +o xtrace; } 2>/dev/null
        builtin exit "$_async_rc"
    }
}

function _async_task_command {
    [[ $_ASYNC_XTRACE != on && $_async_flags != *x* ]] || builtin set -o xtrace
    "${_async_argv[@]}"
}

# Run the task as the last thing of a subshell of its own, again and again until it succeeds
function _async_attempts {
    local _async_attempt _async_child _async_rc _async_signal _async_asked="" _async_again
    local -a _async_signals=(HUP TERM USR1 USR2)
    # Else tasks ignore these.
    [[ $- != *m* ]] || _async_signals+=(INT QUIT)
    for ((_async_attempt = 1; ; _async_attempt++)); do
        _async_child=""
        for _async_signal in "${_async_signals[@]}"; do
            # shellcheck disable=SC2064
            builtin trap "_async_pass_on $_async_signal" "$_async_signal"
        done
        (
            exec {_async_opened}<&-
            _async_task "$@"
        ) <&0 &
        _async_child=$!
        [[ -z $_async_asked ]] || _async_pass_on "$_async_asked"
        _async_again=yes
        while [[ $_async_again == yes ]]; do
            # A signal ends the wait, and bash remembers the status.
            _async_rc=0 _async_again=no
            builtin wait "$_async_child" || _async_rc=$?
        done
        [[ $_async_rc != 0 && $_async_attempt -le $_async_retries ]] || builtin exit "$_async_rc"
        builtin trap - "${_async_signals[@]}"
        builtin trap : USR1 USR2
        builtin printf '[Async %s:%s]: attempt %s of %s ended with status %s, next in %s seconds\n' "$1" "$_async_pid" \
            "$_async_attempt" $((_async_retries + 1)) "$_async_rc" "$_async_delay" >&"$_async_log"
        # Nobody writes to the gate any more.
        builtin read -r -t "$_async_delay" -u "$_async_opened" || builtin true
    done
}

# A signal is meant for the task; one that asks programs to end is meant for all further attempts too
function _async_pass_on {
    _async_again=yes
    [[ $1 == USR[12] ]] || _async_retries=0 _async_asked=$1
    [[ -z $_async_child ]] || builtin kill -s "$1" "$_async_child" 2>/dev/null || builtin true
}

# Inner function that actually runs the requested task. We wrap it like this
# just so we can emit a finish message as soon as the work is done, to make
# it easier to find the tracking just before an error.
function async_inner {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir _async_flags="" _async_log _async_rc=0
    _async_prepare || return
    exec {_async_log}>>"$_async_dir/$1.log" || return
    (_async_task "$@") || _async_rc=$?
    exec {_async_log}>&-
    _async_call end --rc "$_async_rc" --pid "$BASHPID" -- "$1" || return
}

# What holds for a task, before it is there
function _async_enter {
    _async_inside=$_async_dir/$1
    # Programs can tell only by this where they are; without any limit, none needs to.
    [[ $_async_limited == no && -z ${ASYNC_FUTURE:-} ]] || builtin export "ASYNC_FUTURE=$_async_inside"
    # As bash means it to be for what runs in the background, but does not keep to everywhere.
    [[ $- == *m* ]] || builtin trap '' INT QUIT
}

# The background subshell where there is a builtin: it becomes two there, the one of before watches the other
function _async_fork {
    local _async_rc=0 _async_inside _async_pid=$BASHPID
    _async_enter "$1"
    builtin async_builtin fork --dir "$_async_dir" --permissions "$_ASYNC_PERMISSIONS" --record "$_async_fd" \
        --log "$_async_log" -- "$1" || _async_rc=$?
    [[ $BASHPID != "$_async_pid" ]] || builtin exit "$_async_rc"
    _async_task "$@"
}

# The background subshell where there is none: starts the task, and turns into the program, which waits for it as its parent
# It keeps the record's descriptor, whose lock is the future's life. The task lets go of it, so what a task leaves behind
# does not keep its future alive. The task starts when the program opens the gate: before that, bash would take note of
# its end and keep it from the program.
function _async_job {
    local _async_gate _async_log _async_child _async_inside _async_pid=$BASHPID
    _async_enter "$1"
    # The task has our input: bash has decided on that already, and would put /dev/null in its place once more.
    [[ -e /dev/fd/0 ]] || exec </dev/null
    # Bash can open no pipe, but both ends of a fifo at once.
    # The log too, while the future's life is ours: once that is gone, another one may have the name.
    { exec {_async_gate}<>"$_async_dir/.starting/gate$_async_id" && exec {_async_log}>>"$_async_dir/$1.log"; } || {
        builtin printf 'rc = 125\n' >&"$_async_fd"
        builtin exit 125
    }
    (
        exec {_async_fd}>&-
        _async_pass_gate && if [[ $_async_retries == 0 ]]; then _async_task "$@"; else _async_attempts "$@"; fi
    ) <&0 &
    _async_child=$!
    exec {_async_log}>&-
    builtin printf 'task = %s\n' "$_async_child" >&"$_async_fd"
    # Where the program has gone away since the start, bash ends here, and the task with it.
    exec "$_async_bin" watch --dir "$_async_dir" --permissions "$_ASYNC_PERMISSIONS" --fd "$_async_fd" \
        --gate "$_async_gate" --id "$_async_id" --task "$_async_child" "${_async_planned[@]}" -- "$1"
}

# Wait until the background subshell opens the gate; fail if it is gone before that
function _async_pass_gate {
    local _async_rc=0
    # A reading end alone: with the writing ends closed here, the pipe ends when the other side does.
    exec {_async_opened}</dev/fd/"$_async_gate" {_async_gate}>&-
    builtin read -r -u "$_async_opened" || _async_rc=$?
    [[ $_async_retries != 0 ]] || exec {_async_opened}<&-
    return "$_async_rc"
}

# Open a new record and set _async_fd to its descriptor, or to nothing if that fails
# With noclobber, bash makes the file itself or fails: it follows no link and opens nothing that is there.
function _async_open {
    local -
    # A store that no async_init has made lacks that folder.
    [[ -d $_async_dir/.starting ]] || _async_call probe 2>/dev/null || builtin true
    builtin set -o noclobber
    { command exec {_async_fd}>"$_async_dir/.starting/new$_async_id"; } 2>/dev/null || _async_fd=""
}

# Note what the plan means for the shell, and take what the program says of it off the command
function _async_read_plan {
    local _async_option
    _async_planned=(--planned)
    for _async_option in "${_async_plan[@]}"; do
        case "$_async_option" in
            --jobs=* | --after=* | --after-any=*) _async_verb=queued ;;
            --retry=*) _async_retries=unknown ;;
            *) ;;
        esac
    done
    if [[ $_async_retries == unknown ]]; then
        _async_retries=${_async_command%% *} _async_command=${_async_command#* }
        _async_delay=${_async_command%% *} _async_command=${_async_command#* }
    fi
}

# Begin a future and run it in the background
function _async_start {
    local _async_fd _async_log _async_command
    _async_prepare || return
    if [[ $_ASYNC_BUILTIN == no || ${#_async_plan[@]} != 0 ]]; then
        _async_start_with_program "$@"
        return
    fi
    builtin async_builtin -v "_async_fd _async_log _async_command" begin --dir "$_async_dir" \
        --permissions "$_ASYNC_PERMISSIONS" ${_async_inside:+"--inside=$_async_inside"} \
        ${ASYNC_OWNER:+"--owner=$ASYNC_OWNER"} --open -- "$@" || return
    _async_fork "$@" &
    _ASYNC_STARTED[$!]=$1
    builtin async_builtin launched --record "$_async_fd" --log "$_async_log" --pid "$!" -- "$1" "$_async_command"
}

# The same where a program is to watch the task
function _async_start_with_program {
    local _async_id _async_opened _async_verb=running
    local -a _async_record=()
    _ASYNC_COUNT=$((_ASYNC_COUNT + 1))
    # What a killed shell left behind must not be in the way of another one with its process id.
    _async_id=.$BASHPID.$_ASYNC_BEGIN.$_ASYNC_COUNT
    _async_open
    [[ -z $_async_fd ]] || _async_record=(--fd "$_async_fd" --id "$_async_id")
    _async_begin "${_async_record[@]}" -- "$@" || {
        local _async_rc=$?
        [[ -z $_async_fd ]] || exec {_async_fd}>&-
        return "$_async_rc"
    }
    [[ ${#_async_plan[@]} == 0 ]] || _async_read_plan
    _async_job "$@" &
    _ASYNC_STARTED[$!]=$1
    builtin printf 'pid = %s\n' "$!" >&"$_async_fd"
    exec {_async_fd}>&-
    builtin printf '[Async %s:%s]: %s: %s\n' "$1" "$!" "$_async_verb" "$_async_command"
}

# Run something async. Takes a symbolic name and a list of arguments of
# what to run. Ideally this would be rarely used and async_runfunc() would
# be used everywhere for readability.
#
# This spawns the work in a background worker, records a "future" to be
# collected by a later call to async_wait()
function async_run {
    {
        local _async_flags=$-
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir _async_rc=0 _async_limited=no _async_retries=0 _async_delay=0
    local -a _async_plan=() _async_planned=()
    if [[ ${1:-} == --* || -n ${ASYNC_JOBS:-} ]]; then
        local _async_taken=0
        _async_make_plan "$@" || _async_rc=$?
        shift "$_async_taken"
    fi
    if [[ $_async_rc == 0 && ${DEVSTACK_PARALLEL:-} == True ]]; then
        _async_start "$@" || _async_rc=$?
    elif [[ $_async_rc == 0 ]]; then
        local _async_command
        _async_begin_here "$@" || _async_rc=$?
        if [[ $_async_rc == 0 ]]; then
            { [[ $_async_flags != *x* ]] || builtin set -o xtrace; } 2>/dev/null
            # Nothing of ours around it: set -e and traps hold as they do for the caller's own commands.
            "${@:2}"
            {
                _async_rc=$?
                _async_flags=$-
                builtin set +o xtrace
            } 2>/dev/null
            _async_call end --rc "$_async_rc" -- "$1" || _async_rc=$?
        fi
    fi
    {
        [[ $_async_flags != *x* ]] || builtin set -o xtrace
        return "$_async_rc"
    } 2>/dev/null
}

# Begin a future that this shell is to run itself
function _async_begin_here {
    local _async_verb
    _async_prepare && _async_begin --process "$BASHPID" -- "$@" || return
    [[ ${#_async_plan[@]} == 0 ]] || _async_read_plan
    builtin printf '[Async %s:self]: Running synchronously: %s\n' "$1" "$_async_command"
}

# Shortcut for running a shell function async. Uses the function name as the
# async name.
function async_runfunc {
    async_run "$1" "$@"
}

# Sleep until a future that is not this shell's child is over
function _async_block {
    local _async_blocker
    _async_program block -- "$1" &
    _async_blocker=$!
    until { builtin wait "$_async_blocker"; } 2>/dev/null; do
        # A signal with a trap ended the wait, or the program failed, which it says when asked again.
        builtin kill -0 "$_async_blocker" 2>/dev/null || return 0
    done
}

# Collect what is over, with the report going to a descriptor and the reply to the variables of _async_collect
function _async_ask {
    _async_call -v "_async_state _async_rc _async_ran _async_waited _async_pid _async_from _async_since _async_name" \
        collect --report "$1" --shell "$BASHPID" ${_async_inside:+"--inside=$_async_inside"} "${_async_resume[@]}" \
        -- "${@:2}"
}

# Collect futures by name: ask the program, and wait for what still runs
function _async_collect {
    local _async_state _async_rc _async_ran _async_waited _async_pid _async_from _async_since _async_name _async_status
    local -a _async_resume=()
    while :; do
        if [[ $_ASYNC_BUILTIN == yes ]]; then
            _async_ask 1 "$@" || return 125
        else
            # Its standard output goes to a variable.
            _async_ask 3 "$@" 3>&1 || return 125
        fi
        # There is no reply if the shell could not even make a pipe for it.
        [[ -n $_async_state ]] || return 125
        if [[ $_async_state$_async_ran$_async_waited != wait00 ]]; then
            _async_incr_bg_time "$_async_ran"
            _async_incr_wait_time "$_async_waited"
        fi
        [[ $_async_state == wait ]] || return "$_async_rc"
        _async_resume=(--from "$_async_from" --since "$_async_since")
        # Our own wait, if it is our child, so that traps run at once. Bash remembers children whose ids are another's by now.
        _async_status=127
        if [[ ${_ASYNC_STARTED[_async_pid]:-} == "$_async_name" ]]; then
            _async_status=0
            { builtin wait "$_async_pid"; } 2>/dev/null || _async_status=$?
        fi
        if [[ $_async_status == 127 ]]; then
            _async_block "$_async_name"
        else
            _async_resume+=(--status "$_async_status")
        fi
    done
}

# Wait for an async future to complete. May return immediately if already
# complete, or of the future has already been waited on (avoid this). May
# block until the future completes.
function async_wait {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir
    _async_prepare && _async_collect "$@" || return
}

# Check for uncollected futures and wait on them
function async_cleanup {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir _async_names _async_name
    [[ ${DEVSTACK_PARALLEL:-} == True ]] || return 0
    _async_prepare && _async_call -v _async_names live || return
    while [[ -n $_async_names ]]; do
        _async_name=${_async_names%%$'\n'*}
        _async_names=${_async_names#"$_async_name"}
        _async_names=${_async_names#$'\n'}
        builtin printf 'WARNING: uncollected async future %s\n' "$_async_name"
        _async_collect "$_async_name" || builtin true
    done
}

# Make sure our async dir is created and clean
function async_init {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir
    _async_prepare && _async_call init || return
}

# Have whatever this script leaves running cancelled when it ends, for whatever reason
function async_cancel_on_exit {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir
    _async_prepare && _async_program guard --process $$ || return
    builtin export ASYNC_OWNER=$$
}

# Print how much time was saved by running things in the background; where ASYNC_TIMELINE names a file, it becomes a page
# that shows the whole run
function async_print_timing {
    {
        local -
        builtin set +o xtrace
    } 2>/dev/null
    local _async_bin _async_dir _async_waited=$_ASYNC_WAIT_TIME
    local -a _async_page=()
    [[ ${DEVSTACK_PARALLEL:-} == True ]] || return 0
    if builtin declare -p _TIME_TOTAL >/dev/null 2>&1; then
        _async_waited=${_TIME_TOTAL[async_wait]:-0}
    fi
    [[ -z ${ASYNC_TIMELINE:-} ]] || _async_page=(--html "$ASYNC_TIMELINE")
    _async_prepare && _async_program timing "${_async_page[@]}" --background "$_ASYNC_BG_TIME" \
        --waited "$_async_waited" --begin "${_TIME_BEGIN:-$_ASYNC_BEGIN}" || return
}
