exec 5>side
function aside {
    echo "in the log"
    echo "aside" >&5
}
complete aside aside
async_wait aside
exec 5>&-
echo "side: $(cat side)"
