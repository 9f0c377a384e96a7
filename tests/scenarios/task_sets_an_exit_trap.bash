function traps {
    trap 'echo "task is over"' EXIT
    echo "in the task"
}
complete traps traps
async_wait traps
