function nothing {
    set +o xtrace
} 2>/dev/null
complete nothing nothing
async_wait nothing
