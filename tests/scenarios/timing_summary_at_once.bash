# No second has gone by, or so the clock says.
function date {
    if [[ $* == +%s ]]; then echo "$_TIME_BEGIN"; else command date "$@"; fi
}
_TIME_TOTAL[async_wait]=0
_TIME_BEGIN=$(($(command date +%s) + 3600))
async_print_timing
echo "status $?"
