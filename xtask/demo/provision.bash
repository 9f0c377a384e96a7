#!/bin/bash
#
# Provisions a small web service: builds it, makes its data, starts it, and sends it a request.
#
# Usage:
#
#  bash provision.bash linear      one thing after the other
#  bash provision.bash parallel    the same, with the slow functions in the background
#
# The two runs differ only in ASYNC_PARALLEL. Their results go to the folder linear or parallel, beside
# this file. The sources code/ and service.rs, and the program async, are there too; ASYNC_BIN names another
# program.

set -eu -o pipefail
shopt -s globstar
export LC_ALL=C

case "${1:-}" in
    linear) export ASYNC_PARALLEL=false ;;
    parallel) export ASYNC_PARALLEL=true ;;
    *) echo "usage: bash provision.bash linear|parallel" >&2 && exit 2 ;;
esac

# All paths below are relative to the folder of this run.
cd "$(dirname "${BASH_SOURCE[0]}")"
export ASYNC_BIN=${ASYNC_BIN:-$PWD/async}
rm -rf "$1"
mkdir "$1"
cd "$1"

# However the script ends, so does the service. Sourcing the functions adds the same for tasks to this trap.
function stop_service {
    [[ ! -s service.pid ]] || kill "$(<service.pid)" 2>/dev/null || true
}
trap stop_service EXIT

# async_run, async_wait and so on.
# shellcheck source=/dev/null
source <("$ASYNC_BIN" shim)

# The slow functions. Each can be a task, which heeds set -e as the script does.

function build_service {
    rustc --edition 2024 -O -C lto=fat -C codegen-units=1 -C strip=symbols -o service ../service.rs
    echo "service: $(wc -c <service) bytes"
}

# A day of requests, the same each time: users look up words of pages. The pages are this project's real
# source files, and the words are real too.
function make_log {
    awk -v count=500000 '
        function random(n) {
            seed = seed * 16807 % 2147483647
            return int(n * seed / 2147483647)
        }
        FNR == 1 { pages++; page[pages] = substr(FILENAME, 9) }
        {
            for (i = split($0, word, /[^A-Za-z_]+/); i > 0; i--)
                if (length(word[i]) > 3) words[pages, ++size[pages]] = word[i]
        }
        END {
            seed = 2024
            for (i = 0; i < count; i++) {
                second = int(86400 * i / count)
                to = 1 + random(1 + random(pages))
                printf "10.0.%d.%d - - [24/Nov/2026:%02d:%02d:%02d +0000] \"GET /%s?q=%s HTTP/1.1\" 200 %d\n",
                    random(8), 1 + random(254), second / 3600, second / 60 % 60, second % 60,
                    page[to], words[to, 1 + random(size[to])], 200 + random(9000)
            }
        }
    ' ../code/**/*.* >access.log
    echo "access.log: $(wc -l <access.log) requests, $(wc -c <access.log) bytes"
}

function compress_log {
    gzip -9 -n -c access.log >access.log.gz
    echo "access.log.gz: $(wc -c <access.log.gz) bytes"
}

# The service's data: the words that were looked up, how often, and on which page.
function index_log {
    awk '{ split($7, part, /[?=]/); print part[3], part[1] }' access.log |
        sort | uniq -c | awk '{ print $2, $1, $3 }' | sort -k 1,1 -k 2,2nr >index.txt
    echo "index.txt: $(wc -l <index.txt) lines"
}

# The three hours and the three clients with the most traffic.
function report_traffic {
    awk '{ hour[substr($4, 14, 2) "h"] += $NF; client[$1] += $NF }
        END {
            for (i in hour) print "hour", i, hour[i], "bytes"
            for (i in client) print "client", i, client[i], "bytes"
        }' access.log | sort -k 1,1 -k 3,3nr -k 2,2 | awk 'seen[$1]++ < 3' >traffic.txt
    cat traffic.txt
}

# Needs the results of build_service and index_log.
function start_service {
    local i
    ./service index.txt service.port >service.log 2>&1 &
    echo $! >service.pid
    for ((i = 0; i < 100; i++)); do
        [[ ! -s service.port ]] || break
        sleep 0.05
    done
    if ! ask_service async_wait >first.txt || ! grep '200 OK' first.txt; then
        cat service.log
        return 1
    fi
    echo "service: ready on port $(<service.port)"
}

# Print the service's answer to GET /WORD
function ask_service {
    local port socket
    read -r port <service.port || return
    exec {socket}<>"/dev/tcp/127.0.0.1/$port" || return
    printf 'GET /%s HTTP/1.0\r\n\r\n' "$1" >&"$socket"
    cat <&"$socket"
    exec {socket}>&-
}

# The run. In each gap between starting a task and waiting for it, the script does something itself.

async_run build build_service
make_log
async_run index index_log
async_run compress compress_log
report_traffic

async_wait build index
async_run service start_service
sha512sum access.log index.txt traffic.txt >SHA512SUMS

async_wait service
for word in async_wait flock trueorfalse; do
    ask_service "$word"
done >answers.txt
head -n 8 answers.txt

async_wait compress
sha512sum access.log.gz service answers.txt >>SHA512SUMS

async_print_timing
