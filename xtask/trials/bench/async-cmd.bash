# async-cmd, with a server of its own.

source "${BASH_SOURCE[0]%/*}/common.bash"
trap '"$ASYNC_CMD" -s "$DEST/socket" server --stop' EXIT
"$ASYNC_CMD" -s "$DEST/socket" server --start
# It is not there yet when that returns.
until "$ASYNC_CMD" -s "$DEST/socket" cmd -- true 2>/dev/null; do
    sleep 0.05
done
for ((i = 0; i < count; i++)); do
    "$ASYNC_CMD" -s "$DEST/socket" cmd -- "${task[@]}"
    "$ASYNC_CMD" -s "$DEST/socket" wait
    waited
done
