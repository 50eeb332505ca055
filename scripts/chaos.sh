#!/usr/bin/env bash
# Runs a campaign of faults: FAULTS faults (100; one takes about three seconds) on STORE (sqlite or postgres), with
# PEOPLE people (6) and the choices of SEED (random).
set -euo pipefail
cd "$(dirname "$0")/.."

case ${STORE:-postgres} in
sqlite) campaign=one_server_on_sqlite ;;
postgres)
    campaign=three_servers_on_postgres
    # Installs Postgres where it is missing.
    scripts/postgres.sh true
    ;;
*) echo "STORE must be sqlite or postgres." >&2; exit 2 ;;
esac

AGENT_WEBKIT_CLAUDE=$(scripts/claude.sh)
export AGENT_WEBKIT_CLAUDE CHAOS_FAULTS=${FAULTS:-100} CHAOS_PEOPLE=${PEOPLE:-6}
[[ -z ${SEED:-} ]] || export CHAOS_SEED=$SEED
exec cargo test --quiet --all-features --test chaos "$campaign" -- --exact --nocapture
