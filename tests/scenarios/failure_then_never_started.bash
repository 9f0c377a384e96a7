begin bad fail 3
finish bad
async_wait nobody bad other
echo "status $?"
async_wait
echo "status $?"
