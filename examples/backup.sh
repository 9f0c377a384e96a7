#!/usr/bin/env bash
# Dumps three databases into a folder, two at a time, and each again if it fails.
set -euo pipefail
# shellcheck source=/dev/null
source <(async shim)

target=${1:?usage: backup.sh FOLDER}
export ASYNC_JOBS=2

function dump {
    pg_dump --format=custom "$1" >"$target/$1.part"
    mv "$target/$1.part" "$target/$1.dump"
}

for database in shop users wiki; do
    async_run --retry 2 --retry-delay "${RETRY_DELAY:-30s}" --timeout 1h "$database" dump "$database"
done
async_wait
echo "The backup is complete."
