# It is the caller's, not the task's.
trap 'echo "caller ends"; report_end' EXIT
complete a say a
async_wait a
