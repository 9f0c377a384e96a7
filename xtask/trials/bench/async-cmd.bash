# async-cmd, with its own server.

source "${BASH_SOURCE[0]%/*}/common.bash"
trap '"$ASYNC_CMD" -s "$DEST/socket" server --stop' EXIT
"$ASYNC_CMD" -s "$DEST/socket" server --start
# The server is not ready yet when the command returns.
until "$ASYNC_CMD" -s "$DEST/socket" cmd -- true 2>/dev/null; do
    sleep 0.05
done
for ((i = 0; i < count; i++)); do
    "$ASYNC_CMD" -s "$DEST/socket" cmd -- "${task[@]}"
    "$ASYNC_CMD" -s "$DEST/socket" wait
    waited
done
