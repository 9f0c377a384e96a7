#!/usr/bin/env bash
# The checks of a project, all at once. Fails if one does, and says which.
set -euo pipefail
# shellcheck source=/dev/null
source <(async shim)

async_run lint make lint
async_run types make types
async_run unit make unit
async_run docs make docs
async_wait # each log, whole; the status of the first that failed
echo "All checks have passed."
