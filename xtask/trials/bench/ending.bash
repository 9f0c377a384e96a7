# The function `ending` as a program, for contenders that can't start functions.

source "${BASH_SOURCE[0]%/*}/common.bash"
ending
