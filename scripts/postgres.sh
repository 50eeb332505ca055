#!/usr/bin/env bash
# Runs a command with DATABASE_URL set to a Postgres server: the one that is already set, or a new one, which
# ends with the command.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

if (($# == 0)); then
    echo "usage: scripts/postgres.sh COMMAND…" >&2
    exit 2
fi
[[ -z ${DATABASE_URL:-} ]] || exec "$@"

# Finds the folder of initdb, which Debian does not put on the PATH.
find_binaries() {
    local initdb
    for initdb in "$(command -v initdb)" $(ls -d /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb 2>/dev/null | sort -rV); do
        [[ -x $initdb ]] && dirname "$initdb" && return
    done
    return 1
}

if ! binaries=$(find_binaries); then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo "installing the distribution's PostgreSQL" >&2
        # Without this setting the package creates and starts its own server, which is not needed here.
        {
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common &&
                sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf &&
                DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
        } </dev/null >/dev/null || true
    fi
    binaries=$(find_binaries) || { echo "PostgreSQL is missing: install it so that initdb can be found, or set DATABASE_URL to a server." >&2; exit 1; }
fi

# Postgres refuses to run as root.
as_user=(env)
folder=$(mktemp -d "${TMPDIR:-/tmp}/agent-webkit-postgres-XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [[ $(id -u) == 0 ]]; then
    user=nobody
    id postgres >/dev/null 2>&1 && user=postgres
    chown "$user" "$folder"
    as_user=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
fi

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
cd "$folder"
echo "$password" >password
"${as_user[@]}" "$binaries/initdb" --pgdata data --username postgres --auth password --pwfile password \
    --encoding UTF8 --locale C --no-sync >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }

# Serves until the pipe at stdin is closed, which happens whenever and however this script ends.
serve_while_open() {
    trap '' INT TERM HUP
    "${as_user[@]}" "$binaries/postgres" -D data -p "$1" -k '' -c fsync="${POSTGRES_FSYNC:-off}" \
        -c listen_addresses=127.0.0.1 -c max_connections=300 </dev/null >server.log 2>&1 &
    cat >/dev/null
    kill -QUIT $! 2>/dev/null
    wait
    rm -rf "$folder"
}

# Ports below those of outgoing connections. If the port is in use, the server ends and another port is tried.
for ((try = 0; try < 20; try++)); do
    port=$((15000 + RANDOM % 15000))
    rm -f server.log data/postmaster.pid
    exec {alive}> >(serve_while_open "$port")
    watcher=$!
    until [[ $(sed -n 8p data/postmaster.pid 2>/dev/null) == ready* ]]; do
        if grep -qs FATAL server.log; then
            port=
            break
        fi
        sleep 0.1
    done
    [[ -z $port ]] || break
    grep -qs 'could not create any TCP/IP sockets' server.log || break
done
[[ -n $port ]] || { cat server.log >&2; exit 1; }

finish() {
    exec {alive}>&-
    wait "$watcher" || true
}
trap finish EXIT

cd "$root"
DATABASE_URL=postgres://postgres:$password@127.0.0.1:$port/postgres "$@" {alive}>&-
