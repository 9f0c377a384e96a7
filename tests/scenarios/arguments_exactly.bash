function count {
    set +o xtrace
    read -r _ <"$fifos/args"
    printf '<%s>' "$@"
    echo
}
touch file1 file2
make_gate args
start args count 'a b' '' '*' 'c	d' $'x\ny'
open_gate args
settle args
async_wait args
