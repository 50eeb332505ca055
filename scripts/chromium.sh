#!/usr/bin/env bash
# Prints the path of Chromium. Root installs the distribution's package on Debian if it is missing. If there is none,
# prints the reason in one sentence.
set -euo pipefail

find_chromium() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

if ! find_chromium; then
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "chromium is missing, and only root on Debian can install it here." >&2
        exit 1
    fi
    echo "installing the distribution's Chromium" >&2
    {
        apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation
    } </dev/null >/dev/null || true
    find_chromium || { echo "chromium is missing, and apt cannot install it." >&2; exit 1; }
fi
