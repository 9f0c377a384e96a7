# The peak memory of the process that supervises a running task, in KiB.

function waiting {
    echo
    exec sleep 1000
}

source "$FUNCTIONS"
async_init
async_run t waiting
watcher=$(async_pidof t)
# By then the supervisor has let the task run, and sleeps itself.
until [[ -s $DEST/async/t.log ]]; do
    :
done
[[ $(<"/proc/$watcher/status") =~ VmHWM:[[:blank:]]*([0-9]+) ]]
peak=${BASH_REMATCH[1]}
kill "$watcher"
async_wait t
echo "$peak"
