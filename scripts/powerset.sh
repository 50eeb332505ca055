#!/usr/bin/env bash
# Checks every feature, and every pair of features, by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

PATH=$PATH:$PWD/.local/cargo/bin
command -v cargo-hack >/dev/null || cargo install cargo-hack --version '^0.6' --locked --root .local/cargo
# A separate folder, because each check has other features than the main build.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/powerset} CARGO_PROFILE_DEV_DEBUG=0
cargo hack check --workspace --lib --feature-powerset --exclude-features default --depth 2
