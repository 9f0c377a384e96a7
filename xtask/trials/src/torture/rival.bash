# Another script in the store of a torture run, which takes everything it may, repeatedly, until the shells
# are done.

# shellcheck source=/dev/null
source "$TORTURE_SHIM"
while [[ ! -e $TORTURE_OVER ]]; do
    async_init
    async_cleanup
    "$ASYNC_BIN" wait --all
    printf 'round is over\n'
done
