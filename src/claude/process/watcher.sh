# Ends all agents of a host that was killed, and removes their config directories.
# $1: the process tag in their environments; $2: the host's process group, which gets no signal; $3: the
# directory that holds the config directories.
trap '' INT TERM HUP
folder=$3

# The host holds the other end of this pipe and writes nothing to it: end of file means that the host died.
while read -r _; do :; done

# A process has no readable environment during exec, so only three empty scans in a row count.
quiet=0
while [ "$quiet" -lt 3 ]; do
    found=$(grep -lsaF -- "$1" /proc/[0-9]*/environ)
    if [ -z "$found" ]; then quiet=$((quiet + 1)); else quiet=0; fi
    for environ in $found; do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
        # The fields of stat after the name in parentheses: state, parent, process group.
        set -- "$1" "$2" ${stat##*) }
        # Not a group that the process has joined: its leader carries another tag or none. A leader that has ended has an
        # empty environment.
        leader=/proc/$5/environ
        if [ "$5" != "$2" ] && { grep -qsaF -- "$1" "$leader" || ! grep -qsa . "$leader"; }; then
            kill -9 "-$5" 2>/dev/null
        fi
        kill -9 "$pid" 2>/dev/null
    done
    sleep 0.05 2>/dev/null || sleep 1
done

rm -rf -- "$folder"
