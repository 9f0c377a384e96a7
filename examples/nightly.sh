#!/bin/bash
# For a crontab: PATH=/usr/local/bin:/usr/bin:/bin, ASYNC_QUIET=1, and "15 3 * * * nightly.sh". There is mail only if something
# fails: what failed, with its log.
set -eu -o pipefail
functions=$(async shim)
eval "$functions"

async_run --timeout 30m logs rotate-logs
async_run --timeout 2h index update-index
async_run --after index report send-report
for job in logs index report; do
    async_wait --no-log "$job" && continue
    status=$?
    async log "$job" >&2 || true # what was never started may have none
done
exit "${status:-0}"
