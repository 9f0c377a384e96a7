# In a task of the original, set -e does not hold.
set -e
function carries_on {
    false
    echo "after a failure"
}
complete on carries_on
async_wait on
