#!/usr/bin/env python3
"""Fails if a dependency of agent-webkit-layers needs a newer Rust than the layers' manifest declares.

The feature `rmcp` has the needs of that crate, so it is left out."""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version(text):
    return tuple(int(part) for part in f"{text or 0}.0.0".split(".")[:3])


def main():
    metadata = subprocess.check_output(["cargo", "metadata", "--format-version", "1"], text=True, cwd=ROOT)
    metadata = json.loads(metadata)["packages"]
    features = next(p["features"] for p in metadata if p["name"] == "agent-webkit-layers")
    features = ",".join(sorted(features.keys() - {"rmcp"}))
    tree = ["cargo", "tree", "--package", "agent-webkit-layers", "--features", features, "--edges", "normal", "--prefix", "none"]
    lines = subprocess.check_output([*tree, "--format", "{p}"], text=True, cwd=ROOT).splitlines()
    used = {tuple(line.split()[:2]) for line in lines if line}
    packages = {(p["name"], "v" + p["version"]): p["rust_version"] for p in metadata}
    own = next(needed for (name, _), needed in packages.items() if name == "agent-webkit-layers")
    newer = [f"{name} {at} needs Rust {packages[name, at]}" for name, at in sorted(used) if version(packages[name, at]) > version(own)]
    print("\n".join(newer) or f"msrv: none of {len(used) - 1} dependencies of the layers needs more than Rust {own}")
    return 1 if newer else 0


if __name__ == "__main__":
    sys.exit(main())
