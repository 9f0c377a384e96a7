# Creates accounts as devstack's stack.sh does, with a stand-in for the client. $TOP_DIR is a checkout of devstack.
set -o errexit

calls=$PWD/calls
mkdir "$calls"

# The stand-in. The first role that is added waits until something else is done meanwhile.
function openstack {
    local before now round
    : >"$calls/$BASHPID.$RANDOM"
    before=("$calls"/*)
    for ((round = 0; round < 200; round++)); do
        [[ $* == *" role add "* && ! -e $calls/together ]] || break
        now=("$calls"/*)
        [[ ${#now[@]} == "${#before[@]}" ]] || : >"$calls/together"
        sleep 0.05
    done
    [[ $round -lt 200 ]] || echo "alone: $*"
    echo id
}

HOST_IP=127.0.0.1
SERVICE_HOST=127.0.0.1
ADMIN_PASSWORD=secret
SERVICE_PASSWORD=secret
REGION_NAME=region
SERVICE_DOMAIN_NAME=Default
SERVICE_PROJECT_NAME=service
ENABLED_SERVICES=key,keystone,n-api,nova,g-api,glance,c-api,cinder
source "$TOP_DIR/functions"
for lib in keystone nova glance cinder; do
    source <(sed -n '/^function \(create_.*accounts\|configure_cinder_internal_tenant\) /,/^}/p' "$TOP_DIR/lib/$lib")
done

async_init
create_keystone_accounts
# What follows that in stack.sh, up to the end of the block, and then its waits
source <(sed -n '/^    create_keystone_accounts$/,/^fi$/p' "$TOP_DIR/stack.sh" | sed '1d;$d')
source <(sed -n '/^async_wait create_.*_accounts/p' "$TOP_DIR/stack.sh")
async_cleanup
async_print_timing
echo "DEVSTACK_PARALLEL is $DEVSTACK_PARALLEL"
