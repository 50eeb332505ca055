#!/usr/bin/env bash
# Prints the path of nats-server. If it is missing, unpacks Debian's package into .local/, where the tests look for it. If
# there is none, prints the reason in one sentence.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin:$root/.local/nats/usr/sbin

if ! command -v nats-server; then
    command -v apt-get >/dev/null || { echo "nats-server is missing, and only apt can install it here." >&2; exit 1; }
    echo "unpacking the distribution's NATS server into .local/nats" >&2
    mkdir -p "$root/.local/nats"
    cd "$root/.local/nats"
    # Not installed, so that no service of the system starts.
    download() { rm -f ./*.deb && apt-get download -qq nats-server; }
    { download || { [[ $(id -u) == 0 ]] && apt-get update -qq && download; }; } >/dev/null 2>&1 &&
        dpkg-deb --extract ./*.deb . || true
    command -v nats-server || { echo "nats-server is missing, and apt cannot download it." >&2; exit 1; }
fi
