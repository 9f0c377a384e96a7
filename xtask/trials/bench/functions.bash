# The functions of $FUNCTIONS: ours, or the original's with the $HELPERS that it needs. If $RUN_ONLY is set,
# nothing waits.

source "${BASH_SOURCE[0]%/*}/common.bash"
[[ -z ${HELPERS:-} ]] || source "$HELPERS"
source "$FUNCTIONS"
[[ -d $DEST/async ]] || async_init
for ((i = 0; i < count; i++)); do
    async_run "job$i" "${task[@]}"
    [[ -z ${RUN_ONLY:-} ]] || continue
    async_wait "job$i"
    waited
done
