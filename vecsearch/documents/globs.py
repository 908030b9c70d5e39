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
from functools import partial
from typing import Final, TypeAlias

from vecsearch.core.settings import DATABASE_FILE
from vecsearch.core.source_paths import make_absolute
from vecsearch.core.stop_signal import NO_STOP, StopSignal

IGNORED_FOLDERS: Final = frozenset(("__pycache__", "node_modules"))
GLOB_CHARACTERS: Final = re.compile(r"[*?\[]")
MISSING_PATH_ERRORS: Final = (FileNotFoundError, NotADirectoryError)

_ErrorCallback: TypeAlias = Callable[[str, str], None]  # told the absolute path of a folder that cannot be read, and why
_FolderLister: TypeAlias = Callable[[str], list[os.DirEntry[str]]]


def expand_pattern(pattern: str, on_error: _ErrorCallback, *, stop: StopSignal = NO_STOP) -> list[str]:
    """Return the absolute paths that a glob pattern matches, sorted. Raises RunStoppedError.

    Hidden names need a dot in the pattern; `**` follows no links.
    """
    list_folder = partial(_list_folder, on_error=on_error, stop=stop)
    start, *parts = re.split(r"/+", pattern) if pattern.startswith("/") else (".", *re.split(r"/+", pattern))
    reached = [start or "/"]
    for part in parts[:-1] if parts[-1:] == [""] else parts:
        reached = list(dict.fromkeys(matched_path for place in reached for matched_path in _match_part(place, part, list_folder)))
    if parts[-1:] == [""]:
        reached = [path for path in reached if os.path.isdir(path)]
    return sorted({str(make_absolute(path)) for path in reached})


def _match_part(folder: str, part: str, list_folder: _FolderLister) -> Iterator[str]:
    """Yield what one part of a pattern leads to from a place."""
    if part == "**":
        yield from _walk_folders(folder, list_folder)
    elif GLOB_CHARACTERS.search(part):
        for entry in list_folder(folder):
            if fnmatchcase(entry.name, part) and (part.startswith(".") or not entry.name.startswith(".")):
                yield entry.path
    elif os.path.lexists(os.path.join(folder, part)):
        yield os.path.join(folder, part)


def _walk_folders(start: str, list_folder: _FolderLister) -> Iterator[str]:
    """Yield a folder, and all folders below it."""
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        yield folder
        for entry in list_folder(folder):
            plain = not entry.name.startswith(".") and entry.name not in IGNORED_FOLDERS
            if plain and entry.is_dir(follow_symlinks=False) and not is_database(entry.path):
                waiting.append(entry.path)


def _list_folder(folder: str, *, on_error: _ErrorCallback, stop: StopSignal) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; none of what is no folder."""
    stop.check()
    try:
        return list_entries(folder)
    except MISSING_PATH_ERRORS:
        return []
    except OSError as error:
        on_error(os.path.abspath(folder), describe_os_error(error, folder))
        return []


# -- folders


def list_entries(path: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds, by name. Raises OSError."""
    with os.scandir(path) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def is_database(folder: str) -> bool:
    """Return whether a folder is a vecsearch database."""
    return os.path.isfile(os.path.join(folder, DATABASE_FILE))


def describe_os_error(error: OSError, path: str) -> str:
    """Return why a path cannot be read, in lower case."""
    if os.path.islink(path) and (isinstance(error, MISSING_PATH_ERRORS) or error.errno == errno.ELOOP):
        return "broken symbolic link"
    return (error.strerror or str(error)).lower()
