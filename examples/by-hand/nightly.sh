#!/bin/bash
# The same with & and wait, without time limits. It misses a failure of rotate-logs: only the status of the last that is waited
# for counts. And all that the jobs print is mailed each night.
set -u -o pipefail

rotate-logs &
logs=$!
{ update-index && send-report; } &
report=$!
wait "$logs" "$report"
