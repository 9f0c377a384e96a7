complete once say once
async_wait once
async_wait once
echo "status $?"
