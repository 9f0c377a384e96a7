IFS=$'\n'
complete a say one two
async_wait a
echo "status $?"
IFS=:
complete b say one two
async_wait b
echo "status $?"
