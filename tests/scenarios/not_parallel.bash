DEVSTACK_PARALLEL=False
async_run a say this is a
echo "status $?"
async_wait a
echo "status $?"
