# A program, again and again.

source "${BASH_SOURCE[0]%/*}/common.bash"
for ((i = 0; i < count; i++)); do
    "${task[@]}"
done
