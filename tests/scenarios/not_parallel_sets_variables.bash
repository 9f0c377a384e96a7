DEVSTACK_PARALLEL=False
function configure {
    configured=$1
    cd /
}
async_runfunc configure
echo "configured ${configured:-nothing}, in $PWD"
cd "$DEST"
async_run configure configure "by hand"
echo "configured $configured, in $PWD"
