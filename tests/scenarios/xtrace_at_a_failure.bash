set -x
complete a fail 9
async_wait a
set +x
echo "after"
