# Nothing is mixed up or left out. The original can't keep all the statuses, so those are left out here.
function number {
    set +o xtrace
    echo "number $1"
}
for i in {1..200}; do
    async_run "n$i" number "$i" >>out
done
for i in {1..200}; do
    async_wait "n$i" >>out 2>&1 || :
done
grep '^number' out
grep -c 'Waiting for completion' out
grep -c 'finished number .* with result' out
for i in {1..200}; do
    grep -qx "number $i" "$DEST/async/n$i.log" || echo "n$i.log has something else"
done
rm "$DEST"/async/*.log
