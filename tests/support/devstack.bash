# The few helpers of devstack that its inc/async calls, for runs without a devstack checkout. They do what devstack's do
# with what inc/async gives them, and nothing else.

declare -A _TIME_START _TIME_TOTAL
_TIME_BEGIN=$(date +%s)

# iniset FILE SECTION OPTION VALUE
# Not in bash: a loop with its input redirected would have bash leave later background commands their caller's input.
function iniset {
    local xtrace
    xtrace=$(set +o | grep xtrace)
    set +o xtrace
    local new=$1.$BASHPID
    grep -qxF "[$2]" "$1" || printf '\n[%s]\n' "$2" >>"$1"
    section="[$2]" option=$3 value=${4//$'\n'/ } awk '
        function is_option() { return inside && match($0, "^" ENVIRON["option"] "[ \t]*=") }
        BEGIN { line = ENVIRON["option"] " = " ENVIRON["value"] }
        FNR == 1 { inside = 0 }
        /^\[/ { inside = $0 == ENVIRON["section"] }
        FNR == NR { known = known || is_option(); next }
        is_option() { print line; next }
        { print }
        inside && !known && !done { print line; done = 1 }' "$1" "$1" >"$new"
    mv "$new" "$1"
    $xtrace
}

# iniget FILE SECTION OPTION
function iniget {
    local xtrace
    xtrace=$(set +o | grep xtrace)
    set +o xtrace
    local value
    value=$(awk -v section="[$2]" -v option="$3" '
        /^\[/ { inside = $0 == section }
        inside && match($0, "^" option "[ \t]*=") { print substr($0, RLENGTH + 1) }' "$1")
    # shellcheck disable=SC2086
    echo $value
    $xtrace
}

# trueorfalse DEFAULT VARIABLE
function trueorfalse {
    local value=${!2:-}
    case "$value" in
        1 | [yY]es | YES | [tT]rue | TRUE) echo True ;;
        0 | [nN]o | NO | [fF]alse | FALSE) echo False ;;
        *) echo "$1" ;;
    esac
}

# time_start NAME
# As devstack's own, it reads a clock that may not be set, which set -u does not let pass.
function time_start {
    : "${_TIME_START[$1]}"
    _TIME_START[$1]=$(date +%s%3N)
}

# time_stop NAME
function time_stop {
    _TIME_TOTAL[$1]=$((${_TIME_TOTAL[$1]:-0} + $(date +%s%3N) - ${_TIME_START[$1]}))
}
