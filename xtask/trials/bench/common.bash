# What the scripts of all contenders share: so many futures of one task, and what is measured from within.
#
# Arguments: how many, then the task. $DEST is a folder for it all. Where $DELAYS is set, it is the file for the µs
# between the end of each task and the return of the wait for it.

count=$1
task=("${@:2}")

# A task that does nothing
function noop {
    :
}

# A task that takes a while, and whose last act is to look at the clock
function ending {
    sleep 0.02
    builtin echo "$EPOCHREALTIME" >"$DEST/end"
}

# To be called when a wait has returned
function waited {
    local now=$EPOCHREALTIME end
    [[ -n ${DELAYS:-} ]] || return 0
    read -r end <"$DEST/end"
    builtin echo "$((${now/[.,]/} - ${end/[.,]/}))" >>"$DELAYS"
}
