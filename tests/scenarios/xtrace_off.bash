complete a say a
async_wait a
[[ $- != *x* ]] && echo "not traced"
