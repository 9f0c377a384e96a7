async_run a >out
echo "run $?"
wait
async_wait a >out
echo "wait $?"
