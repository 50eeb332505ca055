#!/usr/bin/env bash
# Checks the format, lints, the documentation, the dependencies of each feature, and the cost of hot paths.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

step cargo fmt --all --check
step scripts/imports.py
step scripts/msrv.py
step cargo clippy --workspace --all-targets --all-features -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --all-features --no-deps

# Each feature by itself, and no feature.
for features in "" service client check console webhooks push metrics claude tools mcp policies practice jwt sqlite postgres nats; do
    step cargo clippy --package agent-webkit --lib --no-default-features --features "$features" -- -D warnings
done
for features in "" auth axum axum,auth axum,lookup axum,resume builder builder,auth builder,lookup builder,resume \
    drain expiry host jwt lookup relay resume rmcp ticket; do
    step cargo clippy --package agent-webkit-layers --lib --no-default-features --features "$features" -- -D warnings
done

# Examples need only the features that they show.
step cargo check --package agent-webkit --example custom_agent --no-default-features --features service
step cargo check --package agent-webkit --example client --no-default-features --features client
step cargo check --package agent-webkit --example gateway --no-default-features --features practice

# The protocol does no I/O, and three of the layers need no runtime.
lacks() {
    local crate=$1 package=$2 features=$3
    printf '\n== %s without %s: %s\n' "$package" "$crate" "${features:-no features}"
    if cargo tree --package "$package" --no-default-features --features "$features" --edges normal --prefix none | grep "^$crate v"; then
        echo "$package must not depend on $crate here." >&2
        return 1
    fi
}
lacks tokio agent-webkit ""
lacks tokio agent-webkit-layers auth
lacks tokio agent-webkit-layers lookup
lacks axum agent-webkit-layers auth,axum,builder,lookup,resume
lacks tokio agent-webkit-layers relay
lacks tokio agent-webkit-layers ticket
lacks metrics agent-webkit service,claude
for crate in tower-http sqlx tokio-util subtle; do
    lacks "$crate" agent-webkit client
done
lacks metrics agent-webkit-layers auth,drain,expiry,host,jwt,lookup,relay,resume,ticket
for framework in axum axum-core tonic hyper; do
    lacks "$framework" agent-webkit-layers auth,builder,drain,expiry,host,jwt,lookup,relay,resume,ticket
    lacks "$framework" agent-webkit service,claude,webhooks,push
    lacks "$framework" agent-webkit client
done

# What the hot paths cost, where valgrind is or can be installed.
step benches/instructions.sh

# The page for browsers is what its sources give.
if command -v node >/dev/null; then
    step scripts/console.sh --check
else
    echo "SKIPPED: the check of the console's page, because there is no Node." >&2
fi

# The package contents. Whether they build is checked by `cargo publish`.
step cargo package --workspace --no-verify --allow-dirty --quiet

PATH=$PATH:$PWD/.local/cargo/bin
if command -v cargo-deny >/dev/null && [[ -f deny.toml ]]; then
    step cargo deny check bans licenses sources
fi
