_TIME_BEGIN=$((_TIME_BEGIN - 10))
complete a say a
async_wait a
async_print_timing
