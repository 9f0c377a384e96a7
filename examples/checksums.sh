#!/usr/bin/env bash
# The checksums of all files that are given, four at a time, with the results in an array.
set -uo pipefail
# shellcheck source=/dev/null
source <(async shim)

export ASYNC_JOBS=4
export ASYNC_QUIET=1

declare -A sums=()
failed=()
for file in "$@"; do
    async_run "sum-${file//\//:}" sha256sum -- "$file" || exit # a name can't have a slash
done
for file in "$@"; do
    sums[$file]=$(async_wait "sum-${file//\//:}") || failed+=("$file: ${sums[$file]}")
done
echo "${#sums[@]} files, ${#failed[@]} of them failed"
((${#failed[@]} == 0)) || printf 'failed: %s\n' "${failed[@]}" >&2
exit "$((${#failed[@]} > 0))"
