# Not what the call is given, as bash has it for background commands.
echo "not for the task" >input
function reads {
    local line
    if IFS= read -r line; then echo "read: $line"; else echo "end of input"; fi
}
make_gate reads
async_run reads gated reads reads <input
open_gate reads
wait "$!"
async_wait reads
