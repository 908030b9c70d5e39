"""What glob patterns match, and what the file system says of a folder. Opens no file.

A pattern passes over what is hidden, caches and vecsearch databases, as a walk does; where it names them they are matched.
"""

# Paths stay the strings that scandir gives, as in sources.py.
# ruff: noqa: PTH112, PTH113, PTH114, PTH118

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from vecsearch.core.settings import DATABASE_FILE

IGNORED_FOLDERS: Final = frozenset(("__pycache__", "node_modules"))
MAGIC: Final = re.compile(r"[*?\[]")
VANISHED: Final = (FileNotFoundError, NotADirectoryError)

_Fail: TypeAlias = Callable[[str, str], None]  # told the absolute path of a folder that cannot be read, and why


def expanded(pattern: str, fail: _Fail) -> list[str]:
    """Absolute paths that a glob pattern matches, sorted. Hidden names need a dot in the pattern; `**` follows no links."""
    start, *parts = re.split(r"/+", pattern) if pattern.startswith("/") else (".", *re.split(r"/+", pattern))
    reached = [start or "/"]
    for part in parts[:-1] if parts[-1:] == [""] else parts:
        reached = list(dict.fromkeys(each for place in reached for each in _step(place, part, fail)))
    if parts[-1:] == [""]:
        reached = [path for path in reached if os.path.isdir(path)]
    return sorted(dict.fromkeys(map(os.path.abspath, reached)))


def _step(place: str, part: str, fail: _Fail) -> Iterator[str]:
    """What one part of a pattern leads to from a place."""
    if part == "**":
        yield from _any_depth(place, fail)
    elif MAGIC.search(part):
        for entry in _listed(place, fail):
            if fnmatchcase(entry.name, part) and (part.startswith(".") or not entry.name.startswith(".")):
                yield entry.path
    elif os.path.lexists(os.path.join(place, part)):
        yield os.path.join(place, part)


def _any_depth(place: str, fail: _Fail) -> Iterator[str]:
    """A folder, and all folders below it."""
    waiting = [place]
    while waiting:
        folder = waiting.pop()
        yield folder
        for entry in _listed(folder, fail):
            plain = not entry.name.startswith(".") and entry.name not in IGNORED_FOLDERS
            if plain and entry.is_dir(follow_symlinks=False) and not is_database(entry.path):
                waiting.append(entry.path)


def _listed(folder: str, fail: _Fail) -> list[os.DirEntry[str]]:
    """The entries of a folder; none of what is no folder."""
    try:
        return entries_of(folder)
    except VANISHED:
        return []
    except OSError as error:
        fail(os.path.abspath(folder), why(error, folder))
        return []


# -- folders


def entries_of(path: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name. Raises OSError."""
    with os.scandir(path) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def is_database(folder: str) -> bool:
    """Whether a folder is a vecsearch database."""
    return os.path.isfile(os.path.join(folder, DATABASE_FILE))


def why(error: OSError, path: str) -> str:
    """Why a path cannot be read, in lower case."""
    if os.path.islink(path) and (isinstance(error, VANISHED) or error.errno == errno.ELOOP):
        return "broken symbolic link"
    return (error.strerror or str(error)).lower()
