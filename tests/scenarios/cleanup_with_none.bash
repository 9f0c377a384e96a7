async_cleanup
echo "status $?"
