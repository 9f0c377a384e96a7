DEVSTACK_PARALLEL=False
async_run bad fail 6
echo "status $?"
async_wait bad
echo "status $?"
