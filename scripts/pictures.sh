#!/usr/bin/env bash
# Makes the pictures of the README from the real thing, in docs/pictures: the console in Chromium, and a recording of a terminal.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

# The largest size of both, in bytes.
most=$((300 * 1000))

AGENT_WEBKIT_CHROMIUM=$(scripts/chromium.sh)
AGENT_WEBKIT_CLAUDE=$(scripts/claude.sh)
export AGENT_WEBKIT_CHROMIUM AGENT_WEBKIT_CLAUDE
[[ -d tests/console/node_modules ]] || npm ci --prefix tests/console --no-audit --no-fund --loglevel=error
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
mkdir -p "$folder/home" "$folder/projects" docs/pictures

# Nothing of whoever runs this gets into the pictures.
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL CLAUDE_CODE_OAUTH_TOKEN
export AGENT_WEBKIT_STORE=memory AGENT_WEBKIT_WORKSPACE=$folder/projects RUST_LOG=error
export CLAUDE_CONFIG_DIR=$folder/home/.claude CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
PORT=${PORT:-8000}
export PORT

mkfifo "$folder/said"
scripts/serve.sh --port "$PORT" --practice >"$folder/said" &
read -r _ link <"$folder/said"
token=${link#*#token=}
node scripts/pictures/console.mjs "${link%%/#*}" "${token%%&*}" "$folder/projects" "$root/docs/pictures/console.png"
kill $!
wait $! || true

token=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
PATH=${CARGO_TARGET_DIR:-$root/target}/release:$PATH AGENT_WEBKIT_AUTH_TOKEN=$token \
    python3 scripts/pictures/terminal.py "$root/docs/pictures/terminal.svg"

size=$(cat docs/pictures/* | wc -c)
echo "the pictures have $size bytes"
((size <= most)) || { echo "that is more than $most bytes." >&2; exit 1; }
