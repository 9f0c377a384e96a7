#!/usr/bin/env bash
# The same with & and wait. It misses every failure: a plain "wait" returns 0 whatever the jobs returned. And the outputs of the
# four are mixed.
set -euo pipefail

make lint &
make types &
make unit &
make docs &
wait
echo "All checks have passed."
