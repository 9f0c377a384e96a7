# Whether a reader of the output sees its end while a task runs that the writer has left behind.
function server {
    { set +x; } 2>/dev/null
    SECONDS=0
    until [[ -e seen ]] || ((SECONDS >= 3)); do :; done
    [[ -e seen ]] && echo "the reader has seen the end" || echo "the reader waits for the task"
    : >told
}
(exec 3>&1 && async_run server server) | cat
: >seen
until [[ -e told ]]; do :; done
