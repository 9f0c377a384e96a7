function changes {
    set +o xtrace
    cd / || return
    umask 077
    set -f -o pipefail
    shopt -s nullglob
    trap 'echo trapped' USR1
    kill -USR1 "$BASHPID"
    echo "$PWD $(umask) $-"
    set -o xtrace
}
before=$(umask)$PWD$-$(shopt -p)
complete changes changes
async_wait changes
[[ $before == "$(umask)$PWD$-$(shopt -p)" ]] && echo "the caller is as it was"
trap -p USR1
