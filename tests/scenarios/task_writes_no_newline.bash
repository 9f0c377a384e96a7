function no_newline {
    set +o xtrace
    printf 'no newline'
}
complete short no_newline
async_wait short
