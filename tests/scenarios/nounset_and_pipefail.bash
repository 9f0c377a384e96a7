set -u -o pipefail
complete a say a
async_wait a nobody
async_pidof nobody
async_cleanup
echo "status $?"
