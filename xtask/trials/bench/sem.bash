# GNU parallel's sem.

source "${BASH_SOURCE[0]%/*}/common.bash"
for ((i = 0; i < count; i++)); do
    "$SEM" --id "$DEST" "${task[@]}"
    "$SEM" --id "$DEST" --wait
    waited
done
