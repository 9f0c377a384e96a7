async_run "two words" say hello >/dev/null
wait "$!"
async_wait "two words" >out
status=$?
# The original runs "words", and the shell's message about that has the original's path.
grep -v 'command not found' out
echo "status $status"
rm "$DEST"/async/two*.log
