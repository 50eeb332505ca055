#!/usr/bin/env python3
"""Fails if a dependency of agent-webkit-layers needs a newer Rust than the layers' manifest declares."""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version(text):
    return tuple(int(part) for part in f"{text or 0}.0.0".split(".")[:3])


def main():
    tree = ["cargo", "tree", "--package", "agent-webkit-layers", "--all-features", "--edges", "normal", "--prefix", "none"]
    lines = subprocess.check_output([*tree, "--format", "{p}"], text=True, cwd=ROOT).splitlines()
    used = {tuple(line.split()[:2]) for line in lines if line}
    metadata = subprocess.check_output(["cargo", "metadata", "--format-version", "1"], text=True, cwd=ROOT)
    packages = {(p["name"], "v" + p["version"]): p["rust_version"] for p in json.loads(metadata)["packages"]}
    own = next(needed for (name, _), needed in packages.items() if name == "agent-webkit-layers")
    newer = [f"{name} {at} needs Rust {packages[name, at]}" for name, at in sorted(used) if version(packages[name, at]) > version(own)]
    print("\n".join(newer) or f"msrv: none of {len(used) - 1} dependencies of the layers needs more than Rust {own}")
    return 1 if newer else 0


if __name__ == "__main__":
    sys.exit(main())
