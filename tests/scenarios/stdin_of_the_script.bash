# It is not the task's either.
exec <"$scenario"
function reads {
    local line
    if IFS= read -r line; then echo "read: $line"; else echo "end of input"; fi
}
make_gate reads
async_run reads gated reads reads
open_gate reads
wait "$!"
async_wait reads
