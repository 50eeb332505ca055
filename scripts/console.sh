#!/usr/bin/env bash
# Builds the console's page from src/console/web into src/console/dist. With --check it tests the page's sources, builds
# into a temporary folder and fails if that differs from src/console/dist.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root/src/console/web"

# The largest first view, compressed, in bytes.
most=$((150 * 1024))

command -v npm >/dev/null || { echo "npm is missing: the console is built with Node 20 or newer." >&2; exit 1; }
if ! cmp -s package-lock.json node_modules/.package-lock.ours; then
    echo "installing the tools that build the console into src/console/web/node_modules" >&2
    npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.package-lock.ours
fi

npx prettier --check --log-level warn --config .prettierrc.json \
    src ../../../tests/console/*.mjs ../../../tests/console/stories ../../../examples/{plain.html,react/src,react/app}
npx tsc --noEmit
npx tsc --noEmit --project src/worker
if [[ ${1:-} != --check ]]; then
    npx vite build --logLevel warn
    npx vite build --logLevel warn --config vite.worker.config.ts
    gzip -9 -n -k "$root"/src/console/dist/app.{js,css}
    exit
fi

npm test --silent
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
npx vite build --logLevel warn --outDir "$built"
npx vite build --logLevel warn --config vite.worker.config.ts --outDir "$built"
# By their content: versions of gzip compress differently.
for file in app.js app.css; do
    gzip -dc "$root/src/console/dist/$file.gz" | cmp - "$built/$file" || stale=1
done
if ! diff -rq --exclude='*.gz' "$built" "$root/src/console/dist" || [[ -n ${stale:-} ]]; then
    echo "src/console/dist is not what its sources give: run scripts/console.sh and commit the result." >&2
    exit 1
fi
size=$(cat "$built"/index.html "$built"/app.js "$built"/app.css "$built"/icon.svg | gzip -9 | wc -c)
echo "the console's first view has $size bytes compressed"
if ((size > most)); then
    echo "that is more than $most bytes." >&2
    exit 1
fi
