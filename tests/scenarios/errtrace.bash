set -E
trap 'echo "ERR of $BASH_COMMAND" >&2; errors=$((${errors:-0} + 1))' ERR
complete good say good
async_wait good
echo "${errors:-0} errors"
