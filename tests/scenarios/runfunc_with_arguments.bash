# The name is the function's, which gets all other arguments.
make_gate say
function greet {
    gated say say "$@"
    echo "$# arguments"
}
async_runfunc greet one two
open_gate say
async_wait greet >greet.out
grep -v 'Async greet:.*finished successfully' greet.out
