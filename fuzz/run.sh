#!/usr/bin/env bash
# Runs each fuzz target, or those that are named, for FUZZ_SECONDS (60). A finding ends it with an error.
set -euo pipefail
cd "$(dirname "$0")"

readonly tools=$PWD/../.local/cargo
export PATH=$tools/bin:$PATH
# The sanitizer's flags are unstable ones; so they work with the toolchain that everything else uses.
export RUSTC_BOOTSTRAP=1

if ! command -v cargo-fuzz >/dev/null; then
    cargo install --quiet --locked --root "$tools" --version 0.13.2 cargo-fuzz
fi

targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(cargo fuzz list --fuzz-dir .)

for target in "${targets[@]}"; do
    mkdir -p "corpus/$target"
    echo "== $target"
    cargo fuzz run --fuzz-dir . "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -print_final_stats=1 -verbosity=0
done
