complete left say left behind
async_cleanup
echo "status $?"
