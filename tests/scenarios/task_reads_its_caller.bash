declare -a list=("a b" c)
declare -A map=([key]=value)
unexported=seen
function caller_of_it {
    local mine="local to the caller"
    begin reader reader
}
function reader {
    echo "${list[0]} ${#list[@]} ${map[key]} $unexported ${mine:-no local}"
    say "a function"
    unexported=changed
}
caller_of_it
finish reader
async_wait reader
echo "$unexported"
