# The figures themselves, from books that are set by hand.
_TIME_BEGIN=$(($(date +%s) - 100))
_async_incr_bg_time 75999
_async_incr_bg_time 0
_TIME_TOTAL[async_wait]=15000
async_print_timing | grep -E 'minus waits|Speedup' | tr -d '.' | grep -c -E 'minus waits: 60 sec|Speedup:  1[56]'
echo "$_ASYNC_BG_TIME"
