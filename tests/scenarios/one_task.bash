complete hello say hello world
async_wait hello
echo "status $?"
