_TIME_BEGIN=$((_TIME_BEGIN - 10))
async_print_timing
echo "status $?"
