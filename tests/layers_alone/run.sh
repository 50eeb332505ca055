#!/usr/bin/env bash
# Each layer alone, over a service that is not ours: builds and runs one package per feature, and says how
# many crates the layer needs.
set -uo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=$PWD/../../target/layers_alone

failed=0
for manifest in *_only/Cargo.toml; do
    package=${manifest%/Cargo.toml}
    if output=$(cargo run --quiet --manifest-path "$manifest" 2>&1); then
        crates=$(cargo tree --manifest-path "$manifest" --package agent-webkit-layers --edges normal \
            --prefix none --no-dedupe | grep -v '^agent-webkit-layers ' | sort -u | wc -l)
        echo "$package: ok, $crates crates besides the layer"
    else
        echo "$package: FAILED"
        echo "$output"
        failed=1
    fi
done
exit "$failed"
