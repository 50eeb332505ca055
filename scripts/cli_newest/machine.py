"""A machine of its own for one scripted turn: a home, a config directory, a workspace, CLI processes."""
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from agent import Agent

ROOT = Path(__file__).resolve().parent.parent.parent

# What a path holds that is another one in each run.
IDS = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"plans/[^/]+\.md", "plans/<slug>.md"),
    (r"\b(tool-results|tasks)/\w+", r"\1/<id>"),
    (r"snapshot-(\w+)-\d+-\w+", r"snapshot-\1-<id>"),
    (r"-\w{6}(?=/)", "-<id>"),
    (r"agent-[0-9a-z]+", "agent-<id>"),
    (r"\b(?=[0-9a-z]*\d)[0-9a-z]{8,}\b", "<id>"),
    (r"\d+", "<n>"),
]

# Names of files and folders that are not in each run: the CLI writes the time of a cleanup when it is idle.
UNSTEADY = {".git", ".last-cleanup"}


class Machine:
    """Folders that hold everything the CLI reads and writes. `seen` gets the frames of its processes."""

    def __init__(self, folder, program, model, seen):
        self.folder, self.program, self.seen = folder, program, seen
        self.workspace = folder / "workspace"
        self.agents = []
        for name in ["home", "config", "workspace", "tmp"]:
            (folder / name).mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "CLAUDE_CODE_TMPDIR": str(folder / "tmp"),
            "CLAUDE_CONFIG_DIR": str(folder / "config"),
            "ANTHROPIC_BASE_URL": model,
            "ANTHROPIC_API_KEY": "practice",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_HARBOR_KITE": "0",
            # So that a repository of the user's does not count as that of the workspace.
            "GIT_CEILING_DIRECTORIES": str(folder),
        }

    def agent(self, *flags, initialize=None, resume=None, env=None):
        """Starts a CLI process."""
        environment = {**self.environment, **(env or {})}
        agent = Agent(self.program, self.workspace, environment, self.seen, *flags, resume=resume)
        self.agents.append(agent)
        agent.request("initialize", **(initialize or {}))
        return agent

    def end(self):
        """Ends the last agent."""
        self.agents[-1].end()

    def kill(self):
        for agent in self.agents:
            agent.kill()

    def repository(self):
        """Makes the workspace a git repository with one commit."""
        git = ["git", "-c", "user.name=practice", "-c", "user.email=practice@localhost"]
        for arguments in [["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]]:
            subprocess.run([*git, *arguments], cwd=self.workspace, env=self.environment, check=True)

    def files(self):
        """Returns the paths of all files outside of `.git`, without what differs from run to run."""
        paths = [path.relative_to(self.folder) for path in self.folder.rglob("*") if not path.is_dir()]
        return {normalised(str(path), self.folder) for path in paths if not UNSTEADY & set(path.parts)}


def normalised(path, folder):
    path = path.replace(re.sub(r"[^0-9A-Za-z]", "-", str(folder)), "<machine>")
    for pattern, name in IDS:
        path = re.sub(pattern, name, path)
    return path


@contextmanager
def machine(program, model, seen):
    """A new machine, which is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cli-newest-")).resolve()
    try:
        yield Machine(folder, program, model, seen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
