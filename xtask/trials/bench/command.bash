# The program alone: `async run`, then `async wait`.

source "${BASH_SOURCE[0]%/*}/common.bash"
"$ASYNC_BIN" init
for ((i = 0; i < count; i++)); do
    "$ASYNC_BIN" run "job$i" -- "${task[@]}"
    "$ASYNC_BIN" wait "job$i"
    waited
done
