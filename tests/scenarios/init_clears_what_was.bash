complete a say a
begin b say b
finish b
async_wait b
async_init
ls "$DEST/async"
async_wait a
echo "status $?"
