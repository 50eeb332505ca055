#!/usr/bin/env bash
# Runs each fuzz target, or the named ones, for FUZZ_SECONDS (60) and prints the number of inputs. Ends with
# an error at a finding, whose input is in artifacts/.
set -euo pipefail
cd "$(dirname "$0")"

readonly seconds=${FUZZ_SECONDS:-60}
readonly tools=$PWD/../.local/cargo
export PATH=$tools/bin:$PATH
# Allows the sanitizer's unstable flags with the stable toolchain.
export RUSTC_BOOTSTRAP=1

if ! command -v cargo-fuzz >/dev/null; then
    echo "installing cargo-fuzz into .local/cargo"
    cargo install --quiet --locked --root "$tools" --version 0.13.2 cargo-fuzz
fi

targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(cargo fuzz list --fuzz-dir .)

for target in "${targets[@]}"; do
    cargo fuzz build --fuzz-dir . "$target"
    mkdir -p "corpus/$target"
    log=target/$target.log
    if ! cargo fuzz run --fuzz-dir . "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 -print_funcs=0 >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "$target: FAILED" >&2
        exit 1
    fi
    echo "$target: ok, $(awk '/number_of_executed_units/ { print $2 }' "$log") inputs in $seconds s"
done
