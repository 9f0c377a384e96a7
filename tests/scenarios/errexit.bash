set -e
complete good say good
async_wait good
begin bad fail 7
finish bad
async_wait bad || echo "status $?"
complete worse fail 8
async_wait worse
echo "not reached"
