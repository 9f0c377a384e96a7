DEVSTACK_PARALLEL=False
async_run a say a
async_cleanup
echo "status $?"
