function outer {
    set +o xtrace
    make_gate inner
    async_run inner gated inner say inside
    open_gate inner
    wait "$!"
    async_wait inner
    echo "outer done, status of the inner $?"
}
complete outer outer
async_wait outer
echo "status $?"
