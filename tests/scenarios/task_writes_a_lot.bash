function a_lot {
    set +o xtrace
    seq 200000
}
complete lot a_lot
async_wait lot >out
grep -v Async out | sha256sum
wc -c <"$DEST/async/lot.log"
rm "$DEST/async/lot.log"
