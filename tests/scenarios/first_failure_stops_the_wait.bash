begin a say this is a
begin b fail 4
begin c say this is c
finish a b c
async_wait a b c
echo "status $?"
async_wait c
echo "status $?"
