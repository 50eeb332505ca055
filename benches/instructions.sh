#!/usr/bin/env bash
# Counts the instructions of the hot paths with callgrind and compares them with benches/instructions.json. Fails if a
# count has grown by more than 10 %. With --keep it writes the file instead.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
kept=benches/instructions.json
limit=10

if [[ $(uname -m) != x86_64 ]]; then
    echo "SKIPPED: the instructions of the hot paths, which were counted on x86_64." >&2
    exit
fi
if ! command -v valgrind >/dev/null && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "installing the distribution's valgrind" >&2
    {
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valgrind
    } </dev/null >/dev/null || true
fi
if ! command -v valgrind >/dev/null; then
    echo "SKIPPED: the instructions of the hot paths, because there is no valgrind." >&2
    exit
fi
target=${CARGO_TARGET_DIR:-target}/bench
cargo build --quiet --profile instructions --manifest-path benches/micro/Cargo.toml --bin instructions --target-dir "$target"

# Instructions of one run, as the difference of two counts, so that one-time work is not counted.
count() {
    local few many
    few=$(run "$1" "$2")
    many=$(run "$1" $((2 * $2)))
    echo $(((many - few) / $2))
}

run() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$target/instructions/instructions" "$1" "$2" 2>&1 |
        awk '/Collected/ { print $NF }'
}

declare -A counts
while read -r name path times; do
    counts[$name]=$(count "$path" "$times")
done <<'END'
codec_line codec 2000
append_100 append 100
pipe_100_lines pipe 100
wake_100_readers wake 100
replay_900 replay 200
create_and_delete create 200
END
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
    if ((counts[$name] * 100 > ${before:-0} * (100 + limit))); then
        echo "$name took ${before:-0} instructions and takes ${counts[$name]} now." >&2
        status=1
    fi
done
((status == 0)) || echo "If that is meant: benches/instructions.sh --keep" >&2
exit $status
