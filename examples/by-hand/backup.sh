#!/usr/bin/env bash
# The same with & and wait, without retries and time limits. It misses the failures of those that it waits for to make room
# ("wait -n || true": without that, set -e would end the script with dumps still running), and of the others by the plain "wait".
set -euo pipefail

target=${1:?usage: backup.sh FOLDER}

function dump {
    pg_dump --format=custom "$1" >"$target/$1.part"
    mv "$target/$1.part" "$target/$1.dump"
}

for database in shop users wiki; do
    while (($(jobs -rp | wc -l) >= 2)); do
        wait -n || true
    done
    dump "$database" &
done
wait
echo "The backup is complete."
