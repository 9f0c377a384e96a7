#!/usr/bin/env bash
# Sets a machine up: some steps come after others, and a service runs meanwhile, which is stopped in the end. If a step fails, the
# steps after it are never started, and the end of the script stops the service too.
set -euo pipefail
# shellcheck source=/dev/null
source <(async shim)

async_run service run-registry # until it is stopped
async_run packages install-packages
async_run --after packages build build-application
async_run --after packages schema load-schema
async_run --after build --after schema tests try-application
async_wait packages build schema tests

async cancel --quiet service
async_wait --no-log service && status=0 || status=$?
if ((status != 143)); then # 128 + 15: stopped by the line above, and not before
    echo "The service ended by itself, with status $status:" >&2
    async log service >&2
    exit 1
fi
echo "The machine is set up."
