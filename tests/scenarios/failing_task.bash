complete bad fail 42
async_wait bad
echo "status $?"
