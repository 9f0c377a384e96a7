function count {
    set +o xtrace
    printf '<%s>' "$@"
    echo
}
touch file1 file2
complete args count 'a b' '' '*' 'c	d' "$(printf 'x\ny')"
async_wait args
