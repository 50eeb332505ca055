"""An MCP server on stdio whose only tool asks the user for a name and returns the answer."""
import json
import sys

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


call = None
for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        version = message["params"]["protocolVersion"]
        info = {"name": "asks", "version": "1"}
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        send({"id": message["id"], "result": result})
    elif method == "tools/list":
        tool = {"name": "ask", "description": "Asks for a name.", "inputSchema": {"type": "object"}}
        send({"id": message["id"], "result": {"tools": [tool]}})
    elif method == "tools/call":
        call = message["id"]
        params = {"message": "What is your name?", "requestedSchema": SCHEMA}
        send({"id": "elicit", "method": "elicitation/create", "params": params})
    elif method is None and message.get("id") == "elicit":
        text = json.dumps(message.get("result"), sort_keys=True)
        send({"id": call, "result": {"content": [{"type": "text", "text": text}]}})
    elif "id" in message:
        send({"id": message["id"], "result": {}})
