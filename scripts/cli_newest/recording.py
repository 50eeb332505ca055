"""Records a version of the CLI: what it does in the scripted turns, and what it offers."""
import mmap
import re
import subprocess
from pathlib import Path

from agent import Stuck
from machine import machine
from shapes import shapes_of

# The binary holds the program as JavaScript, in which texts and the names of members are readable. The flags
# include those that the help does not list.
IN_BINARY = {
    "flags": rb'\("(?:-\w, )?(--[a-z][a-z-]+)(?: [<\[][^"]{1,40})?"',
    "variables": rb'[."]((?:CLAUDE|ANTHROPIC)_[A-Z0-9_]+)',
    "subtypes": rb'subtype(?:===?|:|:[\w$.]{1,14}\()"([a-z_]+)"',
    "hooks": rb'hook_event_name:[\w$.]{1,14}\("(\w+)"\)',
}


class Recording:
    """What was seen of a version. By turn, `frames` are the members of each kind and `files` are paths; `offers`
    are names by what they are."""

    def __init__(self, program, model):
        self.program, self.model = program, model
        self.frames, self.files = {}, {}
        self.offers = offers_of(program)

    def play(self, turns):
        """Plays these turns and adds what they show to what was seen before."""
        for turn in turns:
            self._play(turn)

    def _play(self, turn):
        kinds = self.frames.setdefault(turn.__name__, {})

        def seen(frame, request=None):
            for kind, members in shapes_of(frame, request):
                known = kinds.setdefault(kind, {})
                for path, types in members.items():
                    known.setdefault(path, set()).update(types)

        with machine(self.program, self.model, seen) as on:
            try:
                turn(on)
                on.end()
            except Stuck as stuck:
                kinds.setdefault(f"no {stuck}", {})
            finally:
                on.kill()
            self.files.setdefault(turn.__name__, set()).update(on.files())

    def same_in(self, turn, other):
        """Whether this turn was the same in another recording."""
        name = turn.__name__
        return self.frames[name] == other.frames[name] and self.files[name] == other.files[name]

    def members(self):
        """Returns the members of each kind in all turns."""
        members = {}
        for kinds in self.frames.values():
            for kind, found in kinds.items():
                known = members.setdefault(kind, {})
                for path, types in found.items():
                    known[path] = known.get(path, set()) | types
        return members


def offers_of(program):
    """Returns what the help and the binary name."""
    with open(Path(program).resolve(), "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as binary:
        offers = {kind: {name.decode() for name in re.findall(regex, binary)} for kind, regex in IN_BINARY.items()}
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return offers | {"help": options_in(text)}


def options_in(text):
    """Returns each option with its argument and choices, and each command. Sentences do not count."""
    found = set()
    for entry in re.split(r"\n(?=  \S)|\n\n", text):
        term = re.match(r"  (\S+(?: \S+)*)", entry)
        if term:
            choices = re.search(r"choices:\s+((?:\"[^\"]*\",?\s*)+)", entry)
            found.add(" ".join([term[1], *(choices[1].split() if choices else [])]))
    return found
