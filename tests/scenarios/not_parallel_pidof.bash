DEVSTACK_PARALLEL=False
async_run a say a
async_pidof a
async_log a "a message about %command"
