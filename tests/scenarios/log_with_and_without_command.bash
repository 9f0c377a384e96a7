begin a say one two
async_log a "plain words"
async_log a several words "and %command, twice: %command"
async_log a
echo "status $?"
finish a
async_wait a
