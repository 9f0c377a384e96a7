complete a say a
async_wait a
for name in async_init async_run async_runfunc async_wait async_cleanup async_print_timing async_pidof async_log \
    async_inner _async_incr_bg_time; do
    declare -F "$name"
done
[[ $_ASYNC_BG_TIME =~ ^[0-9]+$ ]] && echo "background time is a number"
[[ ${_TIME_TOTAL[async_wait]} =~ ^[0-9]+$ ]] && echo "so is the time of waits"
echo "$DEVSTACK_PARALLEL"
