# The function `ending` as a program, for those that start no functions.

source "${BASH_SOURCE[0]%/*}/common.bash"
ending
