#!/usr/bin/env bash
# Runs a campaign of faults: FAULTS faults (100; one takes about three seconds) on STORE (sqlite or postgres, or fleet:
# three servers on Postgres behind a strict round robin, whose owners of sessions die), with PEOPLE people (6), WATCHERS
# further readers of each session (2) and the choices of SEED (random). In a fleet MESSENGER (notifications, nats,
# nats-stops or nothing) carries the hints.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${STORE:-postgres} in
sqlite) campaign=one_server_on_sqlite ;;
postgres | fleet)
    campaign=three_servers_on_postgres
    [[ ${STORE:-} != fleet ]] || campaign=three_servers_behind_a_round_robin
    # Installs Postgres where it is missing.
    scripts/postgres.sh true
    ;;
*) echo "STORE must be sqlite, postgres or fleet." >&2; exit 2 ;;
esac

AGENT_WEBKIT_CLAUDE=$(scripts/claude.sh)
export AGENT_WEBKIT_CLAUDE CHAOS_FAULTS=${FAULTS:-100} CHAOS_PEOPLE=${PEOPLE:-6}
export CHAOS_WATCHERS=${WATCHERS:-2} CHAOS_MESSENGER=${MESSENGER:-notifications}
[[ $CHAOS_MESSENGER != nats* ]] || scripts/nats.sh >/dev/null
[[ -z ${SEED:-} ]] || export CHAOS_SEED=$SEED
exec cargo test --quiet --all-features --test chaos "$campaign" -- --exact --nocapture --include-ignored
