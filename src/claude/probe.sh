# Prints, one a line, what an agent could not use, and at the end `done`.
# $1: the CLI; $2: the directory that holds the config directories, if nothing above it may belong to agents; the others:
# the workspaces.
cli=$1
above=$2
shift 2
[ -n "$AGENT_WEBKIT_AGENT" ] && [ -n "$CLAUDE_CONFIG_DIR" ] || echo environment
(: >"$CLAUDE_CONFIG_DIR/probe") 2>/dev/null || echo config
while [ -n "$above" ]; do
    above=${above%/*}
    folder=${above:-/}
    if [ -O "$folder" ] || { [ -w "$folder" ] && ! [ -k "$folder" ]; }; then echo "above $folder"; fi
done
[ -w "${TMPDIR:-/tmp}" ] || echo temporary
if [ -x "$cli" ]; then
    "$cli" --version >/dev/null 2>&1 || echo version
else
    echo cli
fi
at=0
for workspace; do
    [ -r "$workspace" ] && [ -w "$workspace" ] && [ -x "$workspace" ] || echo "workspace $at"
    at=$((at + 1))
done
echo "done"
