#!/bin/bash
# Usage: crowd.bash COUNT
#
# Starts that many futures that run until they are cancelled.

set -eu

"$ASYNC_BIN" init
for ((i = 0; i < $1; i++)); do
    "$ASYNC_BIN" run "t$i" -- sleep 3600
done
