#!/usr/bin/env bash
# The load bench: builds it in release, pins it, and writes benches/RESULTS.md.
# ROUNDS (5) and FILTER (all tests) choose what is run; with a filter nothing is written.
set -euo pipefail
cd "$(dirname "$0")/.."

if (($(nproc) < 2)); then
    echo "The bench wants two cores: one for the server and one for the load." >&2
    exit 1
fi
# Ten thousand readers are ten thousand files, on either side.
ulimit -n "$(ulimit -H -n)"
cargo build --quiet --release --manifest-path benches/load/Cargo.toml --target-dir target/bench

# The product as it is released, and the real CLI.
if [[ "first delta" == *"${FILTER:-}"* ]]; then
    AGENT_WEBKIT_CLAUDE=$(scripts/claude.sh)
    cargo build --quiet --release --bin agent-webkit --features cli --target-dir target
    export AGENT_WEBKIT_CLAUDE PRODUCT=target/release/agent-webkit
fi

if [[ -z ${FILTER:-} ]]; then
    export RESULTS=benches/RESULTS.md
fi
# Commits are to cost what they cost.
export POSTGRES_FSYNC=on
exec scripts/postgres.sh taskset -c 0 target/bench/release/load "${ROUNDS:-5}" "${FILTER:-}"
