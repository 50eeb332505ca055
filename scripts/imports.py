#!/usr/bin/env python3
"""Checks the imports of src/ and layers/src/: the arrows between rooms, and circles between files.

A room is a folder or file directly below src/. ARROWS lists the rooms that each room may import. A circle is
a set of files that import each other, directly or indirectly. A circle is an error if its files are in
different folders, or if none of them is the folder's mod.rs. Code under `#[cfg(test)]` and in doc comments
is ignored.
"""
import re
import sys
from pathlib import Path

ARROWS = {
    "bin": {"check", "client", "console", "proto", "settings", "stack", "service", "storage", "metrics", "layers", "claude", "practice"},
    "settings": {"stack", "service", "storage", "approvals", "genui", "claude", "practice", "layers", "webhooks", "push"},
    "stack": {"service", "storage", "agent", "genui", "layers", "metrics", "webhooks", "push"},
    "push": {"webhooks", "service", "storage", "layers", "metrics", "error_text", "sync"},
    "webhooks": {"service", "storage", "layers", "metrics", "error_text", "sync"},
    "console": {"layers"},
    # Of storage only the seams: what a session needs to be stored, whichever database does it.
    "service": {"storage", "agent", "proto", "layers", "metrics", "backoff", "error_text", "sync"},
    "claude": {"storage", "agent", "proto", "metrics", "approvals", "genui", "tools", "backoff", "sync"},
    "storage": {"layers", "metrics", "proto", "backoff", "error_text", "sync"},
    "agent": {"proto", "storage"},
    "client": {"proto", "layers", "backoff"},
    "check": {"client", "layers"},
    "approvals": {"error_text", "sync"},
    "genui": {"layers", "tools"},
    "tools": {"error_text"},
    "practice": set(),
    "metrics": {"proto"},
    "testing": {"agent", "proto"},
    "proto": set(),
    "backoff": set(),
    "error_text": set(),
    "sync": {"layers"},
    "guide": set(),
}
# Where one room may import only some modules of another: those modules.
SEAMS = {
    ("service", "storage"): {"catalog", "inbox", "transcripts", "persistence", "Persistence", "wake"},
    ("claude", "storage"): {"transcripts"},
    ("agent", "storage"): {"transcripts"},
    ("webhooks", "storage"): {"catalog", "outbox", "Outbox"},
    ("push", "storage"): {"catalog", "subscriptions", "Persistence"},
}
ROOT = Path(__file__).resolve().parent.parent


def code(path):
    """Returns the file's code, without comments and tests."""
    text = re.sub(r"(?m)^\s*//.*$|(?<=\s)//[^\"\n]*$", "", path.read_text())
    text = re.sub(r"pub\(in [\w:]+\)", "pub", text)
    tests = re.search(r"(?m)^#\[cfg\(test\)\]\nmod \w+( \{|;)", text)
    return text[: tests.start()] if tests else text


def paths(tree, prefix=()):
    """Yields the paths of one `use` tree, as tuples of names."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    names = tuple(name for name in re.split(r"::|\s+as\s+\w+", head.strip()) if name)
    if not brace:
        yield prefix + names
        return
    depth, item = 0, ""
    for char in rest.rstrip()[:-1] + ",":
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            if item.strip():
                yield from paths(item, prefix + names)
            item = ""
        else:
            item += char


class Crate:
    def __init__(self, root, name, skip=()):
        self.root, self.files, self.mentions = root, {}, {}
        for path in sorted(root.rglob("*.rs")):
            below = path.relative_to(root)
            if below.parts[0] in skip or path.name == "tests.rs":
                continue
            module = below.with_suffix("").parts
            self.files[tuple(part for part in module if part not in ("mod", "lib", "main"))] = path
        self.exports = {}
        for module, path in self.files.items():
            text = code(path)
            self.mentions[module] = list(self.find(module, text, name))
            self.exports[module] = {found[-1]: found for found in self.find(module, text, name, r"pub(?:\([^)]*\))?\s+")}

    def find(self, module, text, name, visibility=r"(?:pub(?:\([^)]*\))?\s+)?"):
        uses = [path for tree in re.findall(rf"(?m)^\s*{visibility}use\s+([^;]+);", text) for path in paths(tree)]
        if visibility.startswith("(?:"):
            uses += [tuple(found.split("::")) for found in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", text)]
        for path in uses:
            at = module
            if path[0] in ("crate", name):
                at, path = (), path[1:]
            elif path[0] in ("self", "super"):
                while path and path[0] in ("self", "super"):
                    at, path = at[:-1] if path[0] == "super" else at, path[1:]
            elif (*module, path[0]) not in self.files:
                continue
            if path:
                yield (*at, *path)

    def defining(self, path, seen=()):
        """Returns the module of the file that defines what `path` names, through re-exports."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.files:
                further = self.exports[path[:length]].get(path[length]) if length < len(path) else None
                if further and further != path and further not in seen:
                    return self.defining(further, (*seen, path))
                return path[:length]
        return ()

    def imports(self):
        """Maps each file to the files that it imports. A mod.rs that only declares children imports none."""
        edges = {}
        for module in self.files:
            targets = {self.defining(path) for path in self.mentions[module] if path[-1] != "*"}
            exported = {self.defining(path) for path in self.exports[module].values()}
            edges[module] = targets - {module, ()} - (exported if self.files[module].name == "mod.rs" else set())
        return edges


def circles(edges):
    """Returns the sets of files that reach each other (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(stack[at:])
            del stack[at:]

    for node in edges:
        if node not in index:
            visit(node)
    return [circle for circle in found if len(circle) > 1]


def check(crate, label, arrows):
    errors = []
    edges = crate.imports()
    for circle in circles(edges):
        files = sorted(crate.files[module] for module in circle)
        if len({path.parent for path in files}) > 1 or not any(path.name == "mod.rs" for path in files):
            names = ", ".join(str(path.relative_to(ROOT)) for path in files)
            errors.append(f"{label}: these files import each other in a circle: {names}")
    for module, mentions in crate.mentions.items() if arrows else ():
        room = module[0] if module else None
        for path in mentions if room else ():
            other = path[0]
            if other == room or other not in ARROWS and other != "layers":
                continue
            seams = SEAMS.get((room, other))
            if other not in ARROWS[room]:
                errors.append(f"{crate.files[module].relative_to(ROOT)}: {room} must not import {other}")
            elif seams and len(path) > 1 and path[1] not in seams:
                errors.append(f"{crate.files[module].relative_to(ROOT)}: {room} must not import {other}::{path[1]}")
    return errors


def main():
    sys.setrecursionlimit(10_000)
    product = Crate(ROOT / "src", "agent_webkit")
    layers = Crate(ROOT / "layers/src", "agent_webkit_layers")
    errors = check(product, "src", True) + check(layers, "layers", False)
    print("\n".join(sorted(set(errors))) or f"imports: {len(product.files) + len(layers.files)} files, no circle, no wrong arrow")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
