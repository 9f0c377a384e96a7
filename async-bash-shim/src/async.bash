#{%- macro silently() -%}
    #{%- if devstack -%}
    } 2>/dev/null
    #{%- else -%}
        _async_trace_again
    } 2>"/dev/null${BASH_XTRACEFD:+${_ASYNC_NOTHING#"${_async_trace:=$BASH_XTRACEFD}"}}" \
        2>&$((2${_async_trace:+ + 0 * (BASH_XTRACEFD = 2)}))
    #{%- endif -%}
#{%- endmacro -%}
#{%- macro begin() -%}
    {
        builtin local - "${_ASYNC_LOCALS[@]}" && builtin set +ekuxET
    @{ silently() }@ || _async_refuse_names || builtin return 125
#{%- endmacro -%}
#!/bin/bash
#
# Symbolic asynchronous tasks for #{% if devstack %}devstack#{% else %}shell scripts#{% endif %}
#
# Usage:
#
#  async_runfunc my_shell_func foo bar baz
#
#  ... do other stuff ...
#
#  async_wait my_shell_func
#
# The program "async" keeps the record and the log of each task. These functions fork, redirect, and call it: it is on PATH,
# or ASYNC_BIN names it. Made by async @{ version }@ ("async shim@{ arguments }@"); change nothing here.

# The script's aliases stay out of what follows. They are expanded a line at a time, so this has to be one line.
_ASYNC_SHOPTS=${BASHOPTS-} && \builtin shopt -u expand_aliases 2>/dev/null || _ASYNC_SHOPTS=""
#{%- if devstack %}

case "${DEVSTACK_PARALLEL:-}" in
    1 | [yY]es | YES | [tT]rue | TRUE) DEVSTACK_PARALLEL=True ;;
    0 | [nN]o | NO | [fF]alse | FALSE) DEVSTACK_PARALLEL=False ;;
    *) DEVSTACK_PARALLEL=@{ parallel }@ ;;
esac
#{%- else %}

case "${BASH_VERSION-}" in
    "" | [123].* | 4.[0123].*)
        echo "async: its functions need bash 4.4 or later" >&2
        case $- in
            *i*) return 125 ;;
            *) exit 125 ;;
        esac
        ;;
    *) ;;
esac
#{%- endif %}

# Run time of all tasks waited for, in ms
_ASYNC_BG_TIME=0
#{%- if !devstack %}
# The time spent in these waits, in ms
_ASYNC_WAIT_TIME=0
# When this file was sourced, in seconds since the epoch
builtin printf -v _ASYNC_BEGIN '%(%s)T' -1
#{%- endif %}
# When the supervisors that this shell has started began, by their process ids
builtin declare -ga _ASYNC_STARTED
# The last store that was named by a relative path, and where that was: tasks change directory
_ASYNC_RELATIVE="" _ASYNC_FROM=""
# What the functions call their variables
_ASYNC_LOCALS=(_async_program _async_in _async_out _async_gate _async_pid _async_line _async_answer _async_words \
    _async_flags _async_rc _async_status _async_resume _async_log _async_skip)
#{%- if !devstack %}
_ASYNC_NOTHING=""
#{%- endif %}

# Each function that scripts call turns tracing off first, which "local -" turns on again at the return. A function of the
# script may have any command's name, so each is called by "builtin". In a trap, bash makes of "return" without a status
# that of before the trap.

# Say what is wrong, and fail. What calls this may have no builtins; in posix mode, no function hides these.
function _async_refuse {
    (
        POSIXLY_CORRECT=1
        unset -f printf
        printf 'async: %s\n' "$1" >&2
        exit 125
    )
}

function _async_refuse_names {
    _async_refuse "these functions' own variables are read-only, or some of them are: ${_ASYNC_LOCALS[*]}"
}
#{%- if !devstack %}

# Have the trace go on where BASH_XTRACEFD says, once it is off. Until then it goes where standard error does.
function _async_trace_again {
    if [[ -n ${_async_trace-} ]]; then
        BASH_XTRACEFD=$_async_trace
        builtin unset -v _async_trace
    fi
}
#{%- endif %}

# Set _async_program to the program, its command, and what it is told of the store
function _async_prepare {
    builtin printf -v _async_rc 125
    if [[ ${_async_rc-} != 125 ]]; then
        _async_refuse "there is a function 'builtin', which hides bash's own: unset -f builtin"
    elif ! builtin type -P "${ASYNC_BIN:-async}" >/dev/null; then
        _async_refuse "no program '${ASYNC_BIN:-async}': install async, or say where it is with ASYNC_BIN"
    else
        _async_program=("${ASYNC_BIN:-async}" "$1" --for @{ profile }@)
        [[ -z ${ASYNC_DIR-}${DEST+set} ]] || _async_name_store "${ASYNC_DIR:-${DEST:+$DEST/async}}"
    fi
}

function _async_name_store {
    if [[ $1 == /* || -z $1 ]]; then
        _async_program+=(--dir "$1")
    else
        [[ $1 == "$_ASYNC_RELATIVE" ]] || _ASYNC_RELATIVE=$1 _ASYNC_FROM=$PWD
        _async_program+=(--dir "$_ASYNC_FROM/$1")
    fi
}

# Have the program do something, as the last thing of a function
function _async_call {
    _async_prepare "$1" && builtin command "${_async_program[@]}" "${@:2}"
}

# Open a pipe, $_async_in to read from it and $_async_out to write to it. Bash 5.1 and later make one for a here string.
# What comes through it are messages that end with a NUL character, behind the newline of that string.
function _async_open {
    {
        builtin command exec {_async_in}<<<"" {_async_out}>>"/proc/self/fd/$_async_in" &&
            [[ -p /proc/self/fd/$_async_in ]]
    } 2>/dev/null || _async_open_otherwise
}

function _async_open_otherwise {
    {
        builtin command exec {_async_in}< <(builtin echo) {_async_out}>>"/proc/self/fd/$_async_in"
    } 2>/dev/null || _async_refuse "the shell can't make a pipe: is there a /proc, and room for open files (ulimit -n)?"
}

# Set _async_line to the next message from the process $1 in the pipe $2; fail if there is none
# A trap of the script may start a job now that keeps the pipe open, so its end is not waited for.
function _async_hear {
    builtin local "_async_there=yes"
    until builtin read -r -d "" -t 1 -u "$2" _async_line; do
        [[ $_async_there == yes ]] || builtin return 1
        { builtin kill -0 "$1" || _async_there=no; } 2>/dev/null
    done
    _async_line=${_async_line#$'\n'}
}

# Set _async_words to what is shown of a command. A function may have longer arguments than a program.
function _async_shorten {
    builtin local _async_word
    _async_line="$*"
    _async_words=(-- "$@")
    if [[ ${#_async_line} -gt 30000 ]]; then
        _async_words=(--shortened --)
        for _async_word in "${@:1:500}"; do
            _async_words+=("${_async_word:0:500}")
        done
    fi
}

# Run the task, as the last thing of its process
function _async_task {
    [[ $_async_flags != *T* ]] || builtin set -T
#{%- if devstack %}
    _async_rc=0
    builtin set -o xtrace
    # A list, because set -e does not hold in one that something follows.
    "$@" >&"$_async_log" 2>&1 {_async_log}>&- || {
        _async_rc=$?
        builtin set +o xtrace
    } 2>/dev/null
    { builtin set +o xtrace; } 2>/dev/null
    builtin exit "$_async_rc"
}
#{%- else %}
    exec >&"$_async_log" 2>&1 {_async_log}>&-
    _async_words=("$@")
    # A caller like "async_run ... || exit" switches set -e off for all that it calls, subshells included. The builtin
    # jobs -x is the one way to call a function that does not pass that on.
    builtin jobs -x _async_task_command || {
        { _async_rc=$?; } 2>/dev/null
        { builtin set +o xtrace; } 2>/dev/null
        builtin exit "$_async_rc"
    }
}

function _async_task_command {
    [[ $_async_flags != *x* ]] || builtin set -o xtrace
    "${_async_words[@]}"
}
#{%- endif %}

# The task's process: it waits at the gate until the supervisor says where its log is and how many words to skip
function _async_gated {
    _async_hear "$_async_pid" "$_async_gate" || builtin exit 125
    _async_skip=${_async_line%% *}
    _async_line=${_async_line#* }
    _async_log=${_async_line%% *}
    _async_line=${_async_line#* }
#{%- if !devstack %}
    # It wants a copy of this, for another attempt.
    [[ $_async_line == -* ]] || (
        _async_gated "$@" <&0 &
        builtin printf '%s\n' "$!" >>"/proc/$_async_pid/fd/${_async_line%% *}"
    )
#{%- endif %}
    _async_line=${_async_line#* }
    builtin export "ASYNC_FUTURE=${_async_line%/}" 2>/dev/null
    exec {_async_gate}<&- {_async_log}>>"/proc/$_async_pid/fd/$_async_log" || builtin exit 125
    _async_task "${@:_async_skip + 1}"
}

# The background subshell: starts the task's process, and turns into the program, which waits for it as its parent
# Bash must not note the task's end, so it runs once the program is there.
function _async_supervise {
    _async_answer=$_async_out
    _async_pid=$BASHPID
    builtin printf '%s\0' "$_async_pid" >&"$_async_answer"
    # As bash means it to be for what runs in the background, but does not keep to everywhere.
    [[ $- == *m* ]] || builtin trap '' INT QUIT
    # The task has our input: bash has decided on that already, and would put /dev/null in its place once more.
    [[ -e /proc/self/fd/0 ]] || builtin command exec </dev/null
    _async_open || builtin exit 125
    _async_gate=$_async_in
    { _async_gated "$@"; } <&0 {_async_answer}>&- {_async_out}>&- &
    builtin exec "${_async_program[@]}" --answer "$_async_answer" --gate "$_async_out" --task "$!" \
        "${_async_words[@]}" {_async_gate}<&-
}

# Start a task in the background, and hear from its supervisor whether that was possible
function _async_start {
    _async_prepare supervise && _async_open || builtin return 125
    _async_shorten "$@"
    { _async_supervise "$@"; } {_async_in}<&- &
    _async_pid=$!
    exec {_async_out}>&-
    _async_line=""
    _async_hear "$_async_pid" "$_async_in" && _async_pid=$_async_line && _async_line="" &&
        _async_hear "$_async_pid" "$_async_in" || _async_line=""
    exec {_async_in}<&-
    if [[ -n $_async_line ]]; then
        _ASYNC_STARTED[_async_pid]=${_async_line#* }
        builtin return "${_async_line%% *}"
    fi
    _async_status=0
    { builtin wait "$_async_pid"; } 2>/dev/null || _async_status=$?
    # These are of a program that can't be executed, and bash has said why.
    [[ $_async_status == 12[67] ]] || _async_refuse "the supervisor of '$1' is gone (status $_async_status); it was not started"
    builtin return 125
}

# Have the program do something and answer $1 lines, into _async_answer behind the empty one of the pipe
function _async_ask {
    _async_prepare "$2" && _async_open || builtin return 125
    _async_status=0
    builtin command "${_async_program[@]}" --answer "$_async_out" "${@:3}" || _async_status=$?
    [[ $_async_status != 0 ]] || builtin mapfile -t -n "$(($1 + 1))" -u "$_async_in" _async_answer
    exec {_async_in}<&- {_async_out}>&-
    builtin return "$_async_status"
}

# Add $2 ms to the sum in the variable $1. What is there may be the script's, so it is looked at first.
function _async_add {
    [[ ${!1-} == *[!0-9]* ]] || builtin printf -v "$1" %s "$((10#0${!1-} + $2))"
}
#{%- if devstack %}

# Keep track of how much total time was spent in background tasks
# Takes a job runtime in ms.
function _async_incr_bg_time {
    _async_add _ASYNC_BG_TIME "$1"
}
#{%- endif %}

# Collect futures, as far as they are over; wait for the next one, and go on
function _async_collect {
    _async_resume=()
    while :; do
        _async_ask 7 collect --report 3 --shell "$BASHPID" "${_async_resume[@]}" "$@" 3>&1 || builtin return 125
        _async_rc=${_async_answer[2]} _async_pid=${_async_answer[5]} _async_status=127
        _async_add _ASYNC_BG_TIME "${_async_answer[3]}"
#{%- if devstack %}
        [[ -z ${_TIME_TOTAL+set}${_TIME_BEGIN+set} ]] || _async_add "_TIME_TOTAL[async_wait]" "${_async_answer[4]}"
#{%- else %}
        _async_add _ASYNC_WAIT_TIME "${_async_answer[4]}"
#{%- endif %}
        [[ ${_async_answer[1]} == wait ]] || builtin return "$_async_rc"
        _async_resume=(--resume "${_async_answer[7]}")
        # Our own wait, if it is our child, so that traps run at once. Bash remembers children whose ids are another's by now.
        if [[ ${_ASYNC_STARTED[_async_pid]-} == "${_async_answer[6]}" ]]; then
            _async_status=0
            { builtin wait "$_async_pid"; } 2>/dev/null || _async_status=$?
        fi
        if [[ $_async_status == 127 ]]; then
            _async_block "$@"
        else
            _async_resume+=(--status "$_async_status")
        fi
    done
}

# Sleep until a future that is not this shell's child is over
function _async_block {
    _async_prepare collect || builtin return
    (builtin exec "${_async_program[@]}" --answer 0 --report 0 --shell 0 --block "${_async_resume[@]}" "$@") &
    _async_pid=$!
    until { builtin wait "$_async_pid"; } 2>/dev/null; do
        # A signal with a trap ended the wait, or the program failed, which it says when asked again.
        builtin kill -0 "$_async_pid" 2>/dev/null || builtin return 0
    done
}

# Get the PID of a named future to wait on
function async_pidof {
@{ begin() }@
    _async_call pid -- "${1-}"
}

# Log a message about a job. If the message contains "%command" then the
# full command line of the job will be substituted in the output
function async_log {
@{ begin() }@
    _async_call message -- "$@"
}

# Begin what the script runs itself, and set _async_skip to how many words come before its command
function _async_begin_here {
    _async_shorten "$@"
    _async_ask 1 begin-here --shell "$BASHPID" "${_async_words[@]}" || builtin return
    _async_skip=${_async_answer[1]}
}

# Run something async. Takes a symbolic name and a list of arguments of
# what to run. Ideally this would be rarely used and async_runfunc() would
# be used everywhere for readability.
#
# This spawns the work in a background worker, records a "future" to be
# collected by a later call to async_wait()
function async_run {
    {
        builtin local "${_ASYNC_LOCALS[@]}" && {
            _async_flags=$-
            if @{ in_background }@; then
                builtin local -
            fi
            builtin set +xT
        }
@{ silently() }@ || _async_refuse_names || builtin return 125
    if @{ in_background }@; then
        _async_start "$@"
        builtin return
    fi
    _async_begin_here "$@" || _async_rc=$?
    if [[ -n $_async_skip ]]; then
        {
            [[ $_async_flags != *T* ]] || builtin set -T
            [[ $_async_flags != *x* ]] || builtin set -x
        } 2>/dev/null
        # Nothing of ours around it: set -e and traps hold as they do for the caller's own commands.
        "${@:_async_skip + 1}"
        {
            _async_rc=$?
            _async_flags=$-
            builtin set +xT
    @{ silently() }@
        _async_call end-here --rc "$_async_rc" -- "${@:1:_async_skip}" || _async_rc=$?
    fi
    # The script's tracing is on again at the return, and all else as the task has left it.
    {
        [[ $_async_flags != *T* ]] || builtin set -T
        [[ $_async_flags != *x* ]] || builtin set -x
        builtin local -
        builtin set +x
@{ silently() }@
    builtin return "$_async_rc"
}

# Shortcut for running a shell function async. Uses the function name as the
# async name.
function async_runfunc {
    async_run "$1" "$@"
}

# Run a task in the background as async_run does, and wait for its end
function async_inner {
@{ begin() }@
    _async_flags=x
    _async_start "$@" && builtin wait "$_async_pid"
}

# Wait for an async future to complete. May return immediately if already
# complete, or of the future has already been waited on (avoid this). May
# block until the future completes.
function async_wait {
@{ begin() }@
    _async_collect -- "$@"
}

# Check for uncollected futures and wait on them
function async_cleanup {
@{ begin() }@
    if @{ in_background }@; then
        _async_collect --cleanup
    fi
}

# Make sure our async dir is created and clean
function async_init {
@{ begin() }@
    _async_call init
}
#{%- if !devstack %}

# Have whatever this script leaves running cancelled when it ends, for whatever reason
function async_cancel_on_exit {
@{ begin() }@
    _async_call guard --process $$ && builtin export "ASYNC_OWNER=$$"
}
#{%- endif %}

#{%- if !devstack %}
# Print how much time was saved by running things in the background; where ASYNC_TIMELINE names a file, it becomes a page
# that shows the whole run
#{%- else %}
# Print how much time was saved by running things in the background
#{%- endif %}
function async_print_timing {
@{ begin() }@
    if @{ in_background }@; then
#{%- if devstack %}
        _async_call timing --background "$_ASYNC_BG_TIME" --waited "${_TIME_TOTAL[async_wait]:-0}" --begin "$_TIME_BEGIN"
#{%- else %}
        _async_call timing ${ASYNC_TIMELINE:+--html "$ASYNC_TIMELINE"} --background "$_ASYNC_BG_TIME" \
            --waited "$_ASYNC_WAIT_TIME" --begin "$_ASYNC_BEGIN"
#{%- endif %}
    fi
}

if [[ :$_ASYNC_SHOPTS: == *:expand_aliases:* ]]; then builtin shopt -s expand_aliases; fi
builtin unset -v _ASYNC_SHOPTS
