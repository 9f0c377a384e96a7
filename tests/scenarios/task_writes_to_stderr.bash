function both {
    echo to stdout
    echo to stderr >&2
}
complete both both
async_wait both
