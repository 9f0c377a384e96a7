for DEVSTACK_PARALLEL in "" 1 yes Yes YES true True TRUE 0 no No NO false False FALSE maybe yES; do
    export DEVSTACK_PARALLEL
    echo "$DEVSTACK_PARALLEL: $(source "$subject" && echo "$DEVSTACK_PARALLEL")"
done
unset DEVSTACK_PARALLEL
echo "unset: $(source "$subject" && echo "$DEVSTACK_PARALLEL $_ASYNC_BG_TIME")"
