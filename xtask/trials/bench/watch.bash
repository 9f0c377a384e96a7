# The most memory that the process has had that watches a running task, in KiB.

function waiting {
    echo
    exec sleep 1000
}

source "$FUNCTIONS"
async_init
async_run t waiting
watcher=$(async_pidof t)
# The watcher has let the task go then, and sleeps itself.
until [[ -s $DEST/async/t.log ]]; do
    :
done
[[ $(<"/proc/$watcher/status") =~ VmHWM:[[:blank:]]*([0-9]+) ]]
peak=${BASH_REMATCH[1]}
kill "$watcher"
async_wait t
echo "$peak"
