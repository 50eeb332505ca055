#!/usr/bin/env bash
# Compares RecordLayer with the npm package resumable-stream on Redis, and with axum's Sse and a replay buffer.
# STREAMS, EVENTS, IDLE and ROUNDS set the size. Writes benches/RESUMABLE.md, unless DRY is set.
# Needs Node, and redis-server on the PATH (Debian: apt-get install redis-server).
set -euo pipefail
cd "$(dirname "$0")"

for program in node npm redis-server; do
    command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
npm ci --no-audit --no-fund --loglevel=error
cargo build --quiet --release --target-dir "${CARGO_TARGET_DIR:-../../target}/bench"
ulimit -n "$(ulimit -H -n)"
table=$("${CARGO_TARGET_DIR:-../../target}/bench/release/agent-webkit-resumable")
echo "$table"
if [[ -z ${DRY:-} ]]; then
    {
        sed '/^## The figures/q' ../RESUMABLE.md
        printf '\n%s, %s cores of %s, load average %s; Node %s, Redis %s.\n\n' "$(date -u +%F)" "$(nproc)" \
            "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1)" "$(cut -d' ' -f1 /proc/loadavg)" \
            "$(node --version)" "$(redis-server --version | sed 's/.* v=\([0-9.]*\).*/\1/')"
        echo "$table"
    } >RESUMABLE.tmp
    mv RESUMABLE.tmp ../RESUMABLE.md
fi
