function ls { echo "shadowed ls"; return 1; }
function sed { command sed "$@"; }
alias wait='echo aliased' printf='echo aliased' local='echo aliased'
shopt -s expand_aliases
complete a say a
unset -f ls
async_wait a
echo "status $?"
