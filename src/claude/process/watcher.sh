# Ends all agents of a host that was killed and could not do it itself.
# $1: what their environments carry; $2: the host's process group, which is left alone; $3: the folder that
# holds their configuration folders.
trap '' INT TERM HUP
folder=$3

# The host holds the other end of this pipe and writes nothing: it ends when the host does.
while read -r _; do :; done

# A process is invisible for a moment while it executes another program, so one look is not enough.
quiet=0
while [ "$quiet" -lt 3 ]; do
    found=$(grep -lsaF -- "$1" /proc/[0-9]*/environ)
    if [ -z "$found" ]; then quiet=$((quiet + 1)); else quiet=0; fi
    for environ in $found; do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
        # After the name in parentheses: state, parent, process group.
        set -- "$1" "$2" ${stat##*) }
        [ "$5" = "$2" ] || kill -9 "-$5" 2>/dev/null
        kill -9 "$pid" 2>/dev/null
    done
    sleep 0.05 2>/dev/null || sleep 1
done

rm -rf -- "$folder"
