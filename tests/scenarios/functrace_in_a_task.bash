# shellcheck disable=SC2317
function traced {
    echo "in the task"
}
set -o functrace
trap '[[ ${FUNCNAME-} != traced ]] || { set +o xtrace; } 2>/dev/null; [[ ${FUNCNAME-} != traced ]] || echo "before: $BASH_COMMAND"' DEBUG
complete a traced >/dev/null
trap - DEBUG
set +o functrace
async_wait a
echo "status $?"
