# What the log of a traced task shows of the functions that it calls.
function outer {
    async_run inner true >/dev/null
}
complete outer outer
wait
async_wait outer >out
grep -v -E 'Async|read|:$' "$DEST/async/outer.log" | LC_ALL=C sort
rm "$DEST/async/outer.log"
