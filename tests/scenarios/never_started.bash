async_wait nobody
echo "status $?"
