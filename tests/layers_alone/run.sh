#!/usr/bin/env bash
# Tests each layer alone, over a foreign service: builds and runs one package per feature, and prints what it
# does, how many crates the layer needs, and the build time. --fresh builds everything again, so that the time
# is that of a first build.
set -uo pipefail
cd "$(dirname "$0")"
target=$PWD/../../target/layers_alone

failed=0
for manifest in *_only/Cargo.toml; do
    package=${manifest%/Cargo.toml}
    # A separate folder, so that no crate is shared between the builds of two layers.
    export CARGO_TARGET_DIR=$target/$package
    if [[ ${1:-} == --fresh ]]; then
        rm -rf "$CARGO_TARGET_DIR"
        cargo fetch --quiet --locked --manifest-path "$manifest"
    fi
    start=$(date +%s%N)
    if output=$(cargo build --quiet --locked --manifest-path "$manifest" 2>&1) \
        && took=$((($(date +%s%N) - start) / 10000000)) \
        && output=$("$CARGO_TARGET_DIR/debug/$package" 2>&1); then
        crates=$(cargo tree --manifest-path "$manifest" --package agent-webkit-layers --edges normal \
            --prefix none --no-dedupe | grep -v '^agent-webkit-layers ' | sort -u | wc -l)
        printf '%s: ok, %s crates besides the layer, built in %d.%02d s\n' \
            "$package" "$crates" $((took / 100)) $((took % 100))
        sed -n 's|^//! |    |p' "$package/src/main.rs"
    else
        echo "$package: FAILED"
        echo "$output"
        failed=1
    fi
done
exit "$failed"
