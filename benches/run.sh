#!/usr/bin/env bash
# Builds the load bench in release, runs it pinned to cores, and writes benches/RESULTS.md.
# ROUNDS (5) and FILTER (all tests) select what is run; with a filter nothing is written.
set -euo pipefail
cd "$(dirname "$0")/.."

if (($(nproc) < 2)); then
    echo "The bench needs two cores: one for the server and one for the load." >&2
    exit 1
fi
# Ten thousand readers need ten thousand open files on either side.
ulimit -n "$(ulimit -H -n)"
cargo build --quiet --release --manifest-path benches/load/Cargo.toml --target-dir target/bench

# The released binary and the real CLI, for the first-delta test.
if [[ "first delta" == *"${FILTER:-}"* ]]; then
    AGENT_WEBKIT_CLAUDE=$(scripts/claude.sh)
    cargo build --quiet --release --bin agent-webkit --features cli --target-dir target
    export AGENT_WEBKIT_CLAUDE PRODUCT=target/release/agent-webkit
fi

if [[ -z ${FILTER:-} ]]; then
    export RESULTS=benches/RESULTS.md
fi
# NATS, for the tests of several hosts.
nats=$(scripts/nats.sh)
nats_port=$((20000 + RANDOM % 10000))
"$nats" --addr 127.0.0.1 --port "$nats_port" >/dev/null 2>&1 &
trap 'kill $!' EXIT
export NATS_URL=nats://127.0.0.1:$nats_port
# With fsync, so that commits have their real cost.
export POSTGRES_FSYNC=on
scripts/postgres.sh taskset -c 0 target/bench/release/load "${ROUNDS:-5}" "${FILTER:-}"
