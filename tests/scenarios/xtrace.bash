set -x
complete a say a
async_wait a
[[ $- == *x* ]] && echo "traced"
set +x
echo "status $?"
