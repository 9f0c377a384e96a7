# Plain bash: no name, no record, no message. Nothing can do with less. If $RUN_ONLY is set, nothing waits.

source "${BASH_SOURCE[0]%/*}/common.bash"
for ((i = 0; i < count; i++)); do
    "${task[@]}" >"$DEST/log" 2>&1 &
    [[ -z ${RUN_ONLY:-} ]] || continue
    wait "$!"
    waited
done
