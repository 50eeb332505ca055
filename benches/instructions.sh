#!/usr/bin/env bash
# Counts the instructions of the hot paths with callgrind and compares them with benches/instructions.json.
# Fails if a count has grown by more than 3 %. With --keep it writes the file instead.
set -euo pipefail
cd "$(dirname "$0")/.."
kept=benches/instructions.json

command -v valgrind >/dev/null || { echo "valgrind is missing." >&2; exit 1; }
cargo build --quiet --release --manifest-path benches/micro/Cargo.toml --target-dir target/bench

# Instructions of one run, as the difference of two counts, so that one-time work is not counted.
count() {
    local few many
    few=$(run "$1" "$2")
    many=$(run "$1" $((2 * $2)))
    echo $(((many - few) / $2))
}

run() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null target/bench/release/instructions "$1" "$2" 2>&1 |
        awk '/Collected/ { print $NF }'
}

declare -A counts=(
    [codec_line]=$(count codec 2000)
    [append_100]=$(count append 100)
    [wake_100_readers]=$(count wake 100)
    [replay_900]=$(count replay 200)
)
json=$(for name in "${!counts[@]}"; do echo "  \"$name\": ${counts[$name]}"; done | sort | sed '$!s/$/,/')
json=$(printf '{\n%s\n}' "$json")
echo "$json"
if [[ ${1:-} == --keep ]]; then
    echo "$json" >"$kept"
    exit
fi

status=0
for name in "${!counts[@]}"; do
    before=$(sed -n "s/.*\"$name\": \([0-9]*\).*/\1/p" "$kept")
    if ((counts[$name] * 100 > before * 103)); then
        echo "$name took $before instructions and takes ${counts[$name]} now." >&2
        status=1
    fi
done
exit $status
