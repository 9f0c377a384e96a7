DEVSTACK_PARALLEL=False
async_run a say a
async_wait a
async_print_timing
echo "status $?"
