function each {
    printf '<%s>\n' "$@"
}
IFS=$'\n'
complete a each one two
async_wait a
echo "status $?"
IFS=:
complete b each one two
async_wait b
echo "status $?"
