#!/usr/bin/env bash
# Builds the server and runs `agent-webkit serve` with the arguments. Agents work in .local/work unless a workspace is given.
# Once the server listens, it prints a link that signs in to the console.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
binary=${CARGO_TARGET_DIR:-$root/target}/release/agent-webkit

fail() {
    echo "$1" >&2
    exit 1
}

# Whether one of the arguments is this option.
given() {
    local argument
    for argument in "${arguments[@]}"; do
        [[ $argument == "$1" || $argument == "$1="* ]] && return
    done
    return 1
}

port=${AGENT_WEBKIT_PORT:-8000}
arguments=("$@")
while (($#)); do
    case $1 in
        --port) port=${2:-$port} ;;
        --port=*) port=${1#*=} ;;
    esac
    shift
done

# Before anything else, because what comes next may take minutes.
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    fail "Port $port is in use: stop what listens there, or choose another one, as in \`make serve PORT=9000\`."
fi
command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.95 or newer from https://rustup.rs."

claude=$("$root/scripts/claude.sh")
[[ -x $binary ]] || echo "Building the server. The first time takes about four minutes on two cores." >&2
cargo build --release --manifest-path "$root/Cargo.toml" --bin agent-webkit --features cli ||
    fail "The server cannot be built, for the reason above. The first build downloads the crates, which needs the network."

export AGENT_WEBKIT_CLAUDE=$claude
export AGENT_WEBKIT_STORE=${AGENT_WEBKIT_STORE:-sqlite:$root/.local/data/sessions.db}
if ! given --workspace && [[ -z ${AGENT_WEBKIT_WORKSPACE:-} ]]; then
    export AGENT_WEBKIT_WORKSPACE=$root/.local/work
    mkdir -p "$AGENT_WEBKIT_WORKSPACE"
fi

fragment=
if [[ ${AGENT_WEBKIT_NO_AUTH:-} != 1 ]] && ! given --no-auth && ! given --token && ! given --tokens-file; then
    # In the environment, because every user of the machine can read a command line.
    export AGENT_WEBKIT_AUTH_TOKEN=${AGENT_WEBKIT_AUTH_TOKEN:-${AGENT_WEBKIT_TOKEN:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')}}
    # In the fragment, which a browser sends nowhere. The page takes it out of the address.
    fragment="#token=$AGENT_WEBKIT_AUTH_TOKEN&keep=1"
fi
console=1
if given --no-console || [[ ${AGENT_WEBKIT_NO_CONSOLE:-0} == 1 ]]; then console=; fi

# The server takes this shell's place, so that signals reach it. A reader that Ctrl-C does not end passes its output on.
exec "$binary" serve "${arguments[@]}" > >(
    trap '' INT
    while IFS= read -r line; do
        url=${line#listening on }
        if [[ $console && $url != "$line" ]]; then
            # Another address of this machine leads to a server on all of them.
            line="open $(sed 's#//\(0\.0\.0\.0\|\[::\]\):#//127.0.0.1:#' <<<"$url")/$fragment"
        fi
        printf '%s\n' "$line"
    done
)
