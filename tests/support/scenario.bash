# Runs one scenario. Arguments: the subject (an inc/async), the scenario, a folder for what is compared.
# $DEST is an empty folder, the current directory another one.

subject=$1 scenario=$2 report=$3
fifos=$PWD/.fifos
mkdir "$fifos"

if [[ -n ${DEVSTACK_DIR:-} ]]; then
    TOP_DIR=$DEVSTACK_DIR
    # Scenarios set the start of the run, which devstack makes read-only.
    source <(sed 's/^declare -r -g _TIME_BEGIN=/_TIME_BEGIN=/' "$DEVSTACK_DIR/functions-common")
    source "$DEVSTACK_DIR/inc/ini-config"
else
    source "${BASH_SOURCE[0]%/*}/devstack.bash"
fi

# Tasks wait at gates, so that what is printed has one order, on any machine.

# make_gate NAME...
function make_gate {
    local name
    for name; do
        mkfifo "$fifos/$name"
    done
}

# gated NAME COMMAND...: what a task runs: waits at the gate, then runs the command
function gated {
    read -r _ <"$fifos/$1" || :
    "${@:2}"
}

# open_gate NAME: waits for a task at the gate, and lets it go on
function open_gate {
    : >"$fifos/$1"
}

# start NAME COMMAND...: async_run; settle can be used after it
# The background subshell inherits the writing end of a fifo, whose reading end says when the last writer is gone.
declare -A lives
function start {
    local life
    rm -f "$fifos/$1.life"
    mkfifo "$fifos/$1.life"
    exec 7<>"$fifos/$1.life" 8>"$fifos/$1.life" {life}<"$fifos/$1.life" 7<&-
    lives[$1]=$life
    async_run "$@"
    exec 8>&-
}

# settle NAME...: waits until the tasks and all that records their ends are over
function settle {
    local name
    for name; do
        read -r -u "${lives[$name]?"was not begun by start"}" _ || :
    done
}

# begin NAME COMMAND...: starts a task that waits at a gate of its own
function begin {
    make_gate "$1"
    start "$1" gated "$1" "${@:2}"
}

# finish NAME...: lets each go on and waits until it is over
function finish {
    local name
    for name; do
        open_gate "$name"
        settle "$name"
    done
}

# complete NAME COMMAND...: starts a task and has it over before anything else happens
function complete {
    begin "$@"
    finish "$1"
}

# Some commands for tasks
function say {
    echo "$*"
}

function fail {
    echo "failing with $1"
    return "$1"
}

function options {
    set +o
    shopt -p
}

function report_end {
    local status=$?
    {
        set +o xtrace
        echo "$status" >"$report/status"
        options | diff --old-line-format='-%L' --new-line-format='+%L' --unchanged-line-format='' \
            "$report/options-before" - >"$report/options" || :
    } 2>/dev/null
}

source "$subject"
options >"$report/options-before"
trap report_end EXIT
async_init
source "$scenario"
