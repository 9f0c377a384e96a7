# Another script in the store of a torture run, which takes all that it may, over and over, until the shells are through.

# shellcheck source=/dev/null
source "$TORTURE_SHIM"
while [[ ! -e $TORTURE_OVER ]]; do
    async_init
    async_cleanup
    "$ASYNC_BIN" wait --all
    printf 'round is over\n'
done
