async_run a >out
echo "run $?"
async_wait a >out
echo "wait $?"
