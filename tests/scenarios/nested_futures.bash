function outer {
    set +o xtrace
    make_gate inner
    # Its trace goes somewhere else: which of two processes writes its line first is nobody's concern.
    async_run inner gated inner say inside 2>trace
    open_gate inner
    wait "$!"
    async_wait inner
    echo "outer done, status of the inner $?"
    sed 's/^/traced: /' trace
}
complete outer outer
async_wait outer
echo "status $?"
