#!/usr/bin/env bash
# Prints the path of a Python with the reference server, which is installed into .local/reference if it is
# missing. If it cannot be installed, prints the reason in one sentence.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.2.0
what="agent-webkit-server[fastapi,postgres]==$version"
folder=$PWD/.local/reference
python=$folder/bin/python

if [[ $(cat "$folder/version" 2>/dev/null) != "$what" ]]; then
    command -v python3 >/dev/null || { echo "python3 is missing." >&2; exit 1; }
    echo "installing the Python reference $version into .local/reference" >&2
    rm -rf "$folder"
    python3 -m venv "$folder" >&2 || { echo "python3 cannot make a virtual environment (on Debian: apt install python3-venv)." >&2; exit 1; }
    "$python" -m pip install --quiet --disable-pip-version-check "$what" >&2 ||
        { echo "pip cannot install agent-webkit-server $version: no registry can be reached, or it has no packages for this Python." >&2; exit 1; }
    echo "$what" >"$folder/version"
fi
echo "$python"
