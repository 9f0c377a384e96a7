# task-spooler, with its own server.

source "${BASH_SOURCE[0]%/*}/common.bash"
export TS_SOCKET=$DEST/socket TMPDIR=$DEST
trap '"$TSP" -K' EXIT
"$TSP"
for ((i = 0; i < count; i++)); do
    "$TSP" "${task[@]}"
    "$TSP" -w
    waited
done
