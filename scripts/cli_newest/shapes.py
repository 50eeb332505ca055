"""The shape of a frame: its kind, and the path and types of each of its members. Values do not count, except the
names of tools, commands and the like."""
import re

# Lists of named things, and the member that holds the name of one that is not just its name.
NAMED = {"tools": "name", "slash_commands": "name", "commands": "name", "skills": "name", "agents": "name"}
NAMED |= {"models": "value", "plugins": "name", "available_output_styles": "name"}

# Objects whose members the turns themselves wrote.
OPAQUE = {"input", "tool_input", "toolInput", "updatedInput"}

JSON = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}


def shapes_of(frame, request=None):
    """Yields (kind, members) of a frame and of the transcript entries in it. `request` is the subtype of the
    request that a response answers."""
    members = members_of(frame)
    if frame.get("request", {}).get("subtype") == "hook_callback":
        members |= members_of(frame["request"]["input"], "request.input")
    yield kind_of(frame, request), members
    for entry in frame.get("entries", []) if frame["type"] == "transcript_mirror" else []:
        yield f"entry {kind_of(entry)}", members_of(entry)


def kind_of(frame, request=None):
    """Returns the type with what tells its variants apart."""
    kind = frame["type"]
    if kind == "control_response":
        return f"{kind} {request} {frame['response']['subtype']}"
    if kind in ("assistant", "user"):
        content = (frame.get("message") or {}).get("content")
        blocks = {block["type"] for block in content} if isinstance(content, list) else {"string"}
        return f"{kind} {'+'.join(sorted(blocks))}"
    inner = {"control_request": "request", "stream_event": "event", "attachment": "attachment"}.get(kind)
    if inner is None:
        return f"{kind} {frame['subtype']}" if "subtype" in frame else kind
    inner = frame[inner]
    block = inner.get("delta", {}).get("type") or inner.get("content_block", {}).get("type")
    hook = inner.get("input", {}).get("hook_event_name")
    return " ".join(filter(None, [kind, inner.get("subtype") or inner.get("type"), block, hook]))


def members_of(value, path=""):
    """Returns the JSON types of each member by its path."""
    found = {}
    if isinstance(value, dict):
        for key, inner in value.items():
            # A key that is no name, such as a text, a path or a model, is data.
            key = key if re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", key) else "*"
            inside = f"{path}.{key}" if path else key
            if key in OPAQUE:
                found[inside] = {"object"}
            elif key != "entries":
                if key in NAMED and isinstance(inner, list):
                    found |= {f"{inside}={name_in(item, NAMED[key])}": set() for item in inner}
                merge(found, members_of(inner, inside))
    elif isinstance(value, list):
        for item in value:
            merge(found, members_of(item, f"{path}[]"))
    else:
        found[path] = {JSON[type(value)]}
    return found


def merge(found, more):
    for path, types in more.items():
        found[path] = found.get(path, set()) | types


def name_in(item, member):
    return item.get(member) if isinstance(item, dict) else item
