#!/usr/bin/env bash
# Runs every test, or with arguments the tests that these select for cargo-nextest. No account is needed: the
# practice model answers the real CLI.
set -euo pipefail
cd "$(dirname "$0")/.."

# The tests must not use the credentials of the user.
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL CLAUDE_CODE_OAUTH_TOKEN
for name in ${!AGENT_WEBKIT_@}; do
    [[ $name == AGENT_WEBKIT_CLAUDE ]] || unset "$name"
done

AGENT_WEBKIT_CLAUDE=$(scripts/claude.sh)
export AGENT_WEBKIT_CLAUDE

if AGENT_WEBKIT_REFERENCE=$(scripts/reference.sh); then
    export AGENT_WEBKIT_REFERENCE
else
    unset AGENT_WEBKIT_REFERENCE
    echo "SKIPPED: the tests with the Python reference, which is not installed; the line above says why." >&2
fi

if ! cmp -s tests/clients/package-lock.json tests/clients/node_modules/.package-lock.ours; then
    echo "installing the published clients into tests/clients/node_modules"
    npm ci --prefix tests/clients --no-audit --no-fund --loglevel=error
    cp tests/clients/package-lock.json tests/clients/node_modules/.package-lock.ours
fi

if ! cmp -s tests/webhooks/package-lock.json tests/webhooks/node_modules/.package-lock.ours; then
    echo "installing the published verifier of webhooks into tests/webhooks/node_modules"
    npm ci --prefix tests/webhooks --no-audit --no-fund --loglevel=error
    cp tests/webhooks/package-lock.json tests/webhooks/node_modules/.package-lock.ours
fi

if ! cmp -s tests/console/package-lock.json tests/console/node_modules/.package-lock.ours; then
    echo "installing what drives the browser into tests/console/node_modules"
    npm ci --prefix tests/console --no-audit --no-fund --loglevel=error
    cp tests/console/package-lock.json tests/console/node_modules/.package-lock.ours
fi
if ! cmp -s examples/react/package-lock.json examples/react/node_modules/.package-lock.ours; then
    echo "installing what the React example is built with into examples/react/node_modules"
    npm ci --prefix examples/react --no-audit --no-fund --loglevel=error
    cp examples/react/package-lock.json examples/react/node_modules/.package-lock.ours
fi
npm run build --prefix examples/react --silent -- --logLevel warn
if ! AGENT_WEBKIT_CHROMIUM=$(scripts/chromium.sh); then
    echo "SKIPPED: the tests of the console in a browser; the line above says why." >&2
fi
export AGENT_WEBKIT_CHROMIUM
# Tests find the server where it is installed, and each starts its own.
if ! scripts/nats.sh >/dev/null; then
    echo "SKIPPED: the tests with NATS; the line above says why." >&2
fi

if (($#)); then
    exec scripts/postgres.sh cargo nextest run --all-features "$@"
fi
if [[ -x tests/layers_alone/run.sh ]]; then
    tests/layers_alone/run.sh
fi
cargo test --workspace --all-features --doc
if cargo nextest --version >/dev/null 2>&1; then
    scripts/postgres.sh cargo nextest run --workspace --all-features
else
    scripts/postgres.sh cargo test --workspace --all-features --all-targets -- --test-threads=4
fi
