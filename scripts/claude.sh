#!/usr/bin/env bash
# Prints the path of the claude CLI: $AGENT_WEBKIT_CLAUDE, or the pinned one in .local/claude, which is
# installed if it is missing. With an argument: of that version, in .local/claude-VERSION.
set -euo pipefail
cd "$(dirname "$0")/.."

version=2.1.332
folder=.local/claude

if (($#)); then
    version=$1
    folder=.local/claude-$version
elif [[ -n ${AGENT_WEBKIT_CLAUDE:-} ]]; then
    [[ -x $AGENT_WEBKIT_CLAUDE ]] || { echo "AGENT_WEBKIT_CLAUDE=$AGENT_WEBKIT_CLAUDE cannot be run." >&2; exit 1; }
    echo "$AGENT_WEBKIT_CLAUDE"
    exit
fi

claude=$PWD/$folder/node_modules/.bin/claude
if [[ $(cat "$folder/version" 2>/dev/null) != "$version" ]]; then
    for tool in node npm; do
        command -v $tool >/dev/null || { echo "$tool is missing: install Node 20 or newer with npm, or set AGENT_WEBKIT_CLAUDE to a claude CLI." >&2; exit 1; }
    done
    echo "installing the claude CLI $version into $folder" >&2
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "@anthropic-ai/claude-code@$version" >&2 ||
        { echo "npm cannot install the claude CLI, for the reason above: it needs the network, or set AGENT_WEBKIT_CLAUDE to a claude CLI." >&2; exit 1; }
    # npm may be configured to skip install scripts. This package's script installs the binary for this
    # machine.
    "$claude" --version >/dev/null 2>&1 || node "$folder/node_modules/@anthropic-ai/claude-code/install.cjs" >&2
    "$claude" --version >/dev/null || { echo "the claude CLI in $folder does not run on this machine." >&2; exit 1; }
    echo "$version" >"$folder/version"
fi
echo "$claude"
