DEVSTACK_PARALLEL=False
function configure {
    configured=$1
    cd / || return
}
async_runfunc configure
echo "configured ${configured:-nothing}, in $PWD"
cd "$DEST" || exit
async_run configure configure "by hand"
echo "configured $configured, in $PWD"
