#!/usr/bin/env bash
# Builds the server and runs `agent-webkit serve` with the arguments.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

claude=$("$root/scripts/claude.sh")
cargo build --release --manifest-path "$root/Cargo.toml" --bin agent-webkit --features cli
export AGENT_WEBKIT_CLAUDE=$claude
export AGENT_WEBKIT_STORE=${AGENT_WEBKIT_STORE:-sqlite:$root/.local/data/sessions.db}

port=8000
arguments=("$@")
while (($#)); do
    case $1 in
        --port) port=${2:-$port} ;;
        --port=*) port=${1#*=} ;;
    esac
    shift
done

authorization=
link=http://127.0.0.1:$port/
if [[ ${AGENT_WEBKIT_NO_AUTH:-} != 1 && " ${arguments[*]} " != *" --no-auth "* && " ${arguments[*]} " != *" --token"* ]]; then
    token=${AGENT_WEBKIT_AUTH_TOKEN:-${AGENT_WEBKIT_TOKEN:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')}}
    # In the environment, because every user of the machine can read a command line.
    export AGENT_WEBKIT_AUTH_TOKEN=$token
    # In the fragment, which a browser sends nowhere. The page takes it out of the address.
    link+="#token=$token&keep=1"
    authorization=" -H 'authorization: Bearer $token'"
    echo "token: $token"
fi
[[ " ${arguments[*]} " == *" --no-console "* || ${AGENT_WEBKIT_NO_CONSOLE:-0} == 1 ]] || echo "open:  $link"
echo "try:   curl -X POST http://127.0.0.1:$port/sessions$authorization"

exec "${CARGO_TARGET_DIR:-$root/target}/release/agent-webkit" serve "${arguments[@]}"
