begin a say this is a
begin b say this is b
begin c say this is c
finish b a c
async_wait a b c
echo "status $?"
