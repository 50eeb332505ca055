# Prints, one a line, what an agent could not use, and at the end `done`.
# $1: the CLI; the others: the workspaces.
cli=$1
shift
[ -n "$AGENT_WEBKIT_AGENT" ] && [ -n "$CLAUDE_CONFIG_DIR" ] || echo environment
(: >"$CLAUDE_CONFIG_DIR/probe") 2>/dev/null || echo config
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
