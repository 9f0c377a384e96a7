# shellcheck disable=SC2317
function ls {
    echo "shadowed ls"
    return 1
}
saved=$(shopt -p expand_aliases)
shopt -s expand_aliases
alias wait='echo aliased' printf='echo aliased' local='echo aliased'
complete a say a
unset -f ls
async_wait a
echo "status $?"
$saved
