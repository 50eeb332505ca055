"""Compares two versions of the `claude` CLI: by default the pinned one and the newest that npm has.

Both play the same scripted turns with the practice model. What differs is in .local/cli-newest.txt. Then the
tests that use the CLI run on the new version. The exit status is 1 if something differs that src/claude names,
or if a test fails.
"""
import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from difference import difference, is_relied_on
from machine import ROOT
from recording import Recording
from turns import TURNS

PACKAGE = "@anthropic-ai/claude-code"
DETAILS = ROOT / ".local/cli-newest.txt"

# The tests that use the CLI, see tests/README.md.
SUITES = [f"--test={name}" for name in ["wire", "durable", "supervision", "claude_*", "guides", "hosts"]]
SUITES += ["-E", "not binary(hosts) | test(examples::)"]

# What depends on timing is not in each run. A turn that differs is played again this often on both versions,
# and what one of the runs showed counts as seen.
REPEATS = 2

# Maximum number of changes that are printed for each part.
PRINTED = 12


def main():
    parser = argparse.ArgumentParser(prog="scripts/cli_newest", description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?", help="a version or the path of a CLI, by default the pinned version")
    parser.add_argument("new", nargs="?", help="a version or the path of a CLI, by default npm's newest version")
    parser.add_argument("--no-test", action="store_true", help="only compare; run no tests")
    arguments = parser.parse_args()

    old = installed(arguments.old)
    new = installed(arguments.new or output("npm", "view", PACKAGE, "version"))
    versions = [output(program, "--version").split()[0] for program in (old, new)]
    print(" -> ".join(versions), flush=True)
    if not arguments.new and versions[0] == versions[1]:
        print("The pinned version is the newest.")
        return 0

    parts = compare(old, new)
    DETAILS.write_text(report(parts))
    print(report(parts, PRINTED), end="", flush=True)
    relied_on = sum(is_relied_on(change) for changes in parts.values() for change in changes)
    print(f"All changes are in {DETAILS.relative_to(ROOT)}. Marked with !, because src/claude names them: {relied_on}")
    passed = arguments.no_test or passes(new)
    return 0 if passed and not relied_on else 1


def compare(old, new):
    """Returns what differs, as {part: [change]}."""
    with practice_model() as model, ThreadPoolExecutor() as pool:
        recordings = [Recording(program, model) for program in (old, new)]
        turns = TURNS
        for _ in range(1 + REPEATS):
            list(pool.map(Recording.play, recordings, [turns] * 2))
            turns = [turn for turn in TURNS if not recordings[0].same_in(turn, recordings[1])]
    return difference(*recordings)


def report(parts, limit=None):
    """Returns a line for each change, those that matter first."""
    lines = []
    for part, changes in parts.items():
        lines.append(f"{part}:")
        shown = sorted(changes, key=lambda change: not is_relied_on(change))[:limit]
        lines += [f"{'!' if is_relied_on(change) else ' '} {change.sign} {change.text}" for change in shown]
        lines += [f"    … and {len(changes) - len(shown)} more"] if len(shown) < len(changes) else []
    return "".join(f"{line}\n" for line in lines) or "Nothing differs.\n"


def passes(program):
    environment = {**os.environ, "AGENT_WEBKIT_CLAUDE": program}
    return subprocess.run([ROOT / "scripts/test.sh", *SUITES], env=environment).returncode == 0


def installed(version):
    """Installs a version, by default the pinned one. Returns the path of its program."""
    if version and "/" in version:
        return str(Path(version).absolute())
    environment = {name: value for name, value in os.environ.items() if name != "AGENT_WEBKIT_CLAUDE"}
    return output(ROOT / "scripts/claude.sh", *([version] if version else []), env=environment)


def output(*command, env=None):
    return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextmanager
def practice_model():
    """Builds and starts the practice model. Yields its address."""
    build = ["cargo", "build", "--quiet", "--all-features", "--example", "practice_model"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    process = subprocess.Popen([target / "debug/examples/practice_model"], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


sys.exit(main())
