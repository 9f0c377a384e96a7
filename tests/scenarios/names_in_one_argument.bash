begin a say a
begin b say b
finish a b
names="a b"
async_wait "$names"
echo "status $?"
