# What is open before and after is the same.
function list { command ls /proc/$BASHPID/fd | grep -c -v -x -E '3|255'; }
before=$(list)
async_run a say a >/dev/null
async_wait a >/dev/null
[[ $(list) == "$before" ]] && echo "same descriptors"
