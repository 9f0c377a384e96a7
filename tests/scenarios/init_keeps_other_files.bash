echo mine >"$DEST/async/notes.txt"
async_init
ls "$DEST/async"
