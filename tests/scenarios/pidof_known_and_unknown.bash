begin a say a
pid=$!
[[ $(async_pidof a) == "$pid" ]] && echo "the one of the background"
async_pidof nobody
echo "status $?"
finish a
async_wait a
async_pidof a
echo "status $?"
