async_run "two words" say hello >/dev/null
wait "$!"
async_wait "two words"
echo "status $?"
