function binary {
    set +o xtrace
    printf 'a\0b\377\001\033[31m\n'
}
complete binary binary
async_wait binary | od -An -c | head -n 200 | tail -n +3 >/dev/null
od -An -c "$DEST/async/binary.log" | tail -n 1
rm "$DEST/async/binary.log"
