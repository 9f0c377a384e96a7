function dies {
    echo "before the exit"
    exit 3
}
make_gate dies
start dies gated dies dies
open_gate dies
settle dies
async_wait dies
echo "status $?"
