"""What differs between two recordings, and whether this project relies on it."""
import re
from functools import cache
from typing import NamedTuple

from machine import ROOT

# Words of changes that are ours, and not the CLI's.
OURS = {"entry", "string", "number", "boolean", "null"}


class Change(NamedTuple):
    """`sign` is + for what is new, - for what is gone, ~ for what has other types."""

    sign: str
    text: str
    name: str


def difference(old, new):
    """Returns {part: [change]}, without the parts in which nothing differs."""
    old_members, new_members = old.members(), new.members()
    both = sorted(old_members.keys() & new_members.keys())
    parts = {"frames": changes(old_members, new_members)}
    parts["members"] = [change for kind in both for change in in_types(kind, old_members[kind], new_members[kind])]
    # A frame that is new or gone altogether is reported once, not for each turn.
    parts["turns"] = [
        change
        for turn in old.frames
        for change in changes(old.frames[turn].keys() & both, new.frames[turn].keys() & both, f"{turn}: ")
    ]
    parts["files"] = changes(set().union(*old.files.values()), set().union(*new.files.values()))
    parts |= {kind: changes(names, new.offers[kind]) for kind, names in old.offers.items()}
    return {part: found for part, found in parts.items() if found}


def changes(old, new, place=""):
    """Returns what is gone and what is new."""
    gone = [Change("-", place + name, name) for name in sorted(set(old) - set(new))]
    return gone + [Change("+", place + name, name) for name in sorted(set(new) - set(old))]


def in_types(kind, old, new):
    """Returns the changes of a frame's members, each of which is a path with its JSON types."""
    place = f"{kind}: "
    others = sorted(path for path in old.keys() & new.keys() if old[path] != new[path])
    types = lambda members, path: "|".join(sorted(members[path]))
    changed = [f"{path}: {types(old, path)} -> {types(new, path)}" for path in others]
    found = changes(old, new, place) + [Change("~", place + text, text) for text in changed]
    return [change._replace(name=change.text) for change in found]


def is_relied_on(change):
    """Whether something is gone, or has other types, of which src/claude holds every name. Also whether the CLI
    ended in another way, or did not do what a turn waits for."""
    if re.match("(exit|no) ", change.name):
        return change.sign == "+" and change.name != "exit 0"
    return change.sign != "+" and words_in(change.name) <= known_words()


def words_in(text):
    return set(re.findall(r"[\w-]*\w", text)) - OURS


@cache
def known_words():
    """Returns the words in the code of src/claude. Members in camelCase are fields in snake_case there."""
    words = set()
    for path in (ROOT / "src/claude").rglob("*.rs"):
        words |= words_in(re.sub(r"^\s*//.*", "", path.read_text(), flags=re.MULTILINE))
    return words | {re.sub(r"_(\w)", lambda match: match[1].upper(), word) for word in words}
