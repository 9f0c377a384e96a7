begin a say a
begin b fail 5
begin c say c
finish a b c
async_cleanup
echo "status $?"
