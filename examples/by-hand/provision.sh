#!/usr/bin/env bash
# The same with & and wait. It misses a failure of build-application, as "wait" with two returns the status of the last; and a
# service that ended by itself, which "kill || true" takes for one that was stopped. Where a step fails, the service is left running.
set -euo pipefail

run-registry &
service=$!
install-packages
build-application &
build=$!
load-schema &
schema=$!
wait "$build" "$schema"
try-application

kill "$service" 2>/dev/null || true
wait "$service" 2>/dev/null || true
echo "The machine is set up."
