# What the scripts of all contenders share: the number of futures of one task, and the measurements from
# within.
#
# Arguments: the number, then the task. $DEST is a folder for everything. If $DELAYS is set, it names the file
# for the µs between the end of each task and the return of the wait for it.

count=$1
task=("${@:2}")

# A task that does nothing
function noop {
    :
}

# A task that takes a while, and whose last act is to read the clock
function ending {
    sleep 0.02
    builtin echo "$EPOCHREALTIME" >"$DEST/end"
}

# For a script to call when a wait has returned
function waited {
    local now=$EPOCHREALTIME end
    [[ -n ${DELAYS:-} ]] || return 0
    read -r end <"$DEST/end"
    builtin echo "$((${now/[.,]/} - ${end/[.,]/}))" >>"$DELAYS"
}
