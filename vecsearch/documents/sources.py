"""Which files are meant: roots on the command line to a list of readable files. Opens no file and judges no content.

A walk leaves out what is hidden, caches, and vecsearch databases; it follows symbolic links but never in a circle.
"""

# Paths stay the strings that scandir gives: a Path for each entry would cost more than the walk.
# ruff: noqa: PTH111, PTH112, PTH113, PTH114, PTH116, PTH118, PTH119

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path
from typing import Final

from vecsearch.core.settings import DATABASE_FILE
from vecsearch.core.types import Failure, FoundFile, Scan, Skip

IGNORED_FOLDERS: Final = frozenset(("__pycache__", "node_modules"))

_MAGIC: Final = re.compile(r"[*?\[]")
_VANISHED: Final = (FileNotFoundError, NotADirectoryError)
_BROKEN_LINK: Final = "broken symbolic link"
_IRREGULAR: Final = "not a regular file"


def scan(roots: Sequence[str | PathLike[str]]) -> Scan:
    """What some files, folders and glob patterns hold, in the order of the roots and then of names; each file once.

    Never raises for a root: what cannot be read stands in `failed`.
    """
    found = _Found()
    for root in roots:
        _root(os.path.expanduser(os.fspath(root)), found)
    return found.scan()


@dataclass(slots=True)
class _Found:
    """What the roots gave so far; dicts for their order, and because two roots may lead to the same place."""

    files: dict[str, bool] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    walked: dict[str, None] = field(default_factory=dict)
    empty: dict[str, None] = field(default_factory=dict)
    unread: list[Path] = field(default_factory=list)

    def fail(self, path: str, reason: str, *, unread: bool = False) -> None:
        """`unread`: what lies below is not known, so no root around it is complete."""
        self.failed.setdefault(_printable(path), reason)
        if unread:
            self.unread.append(Path(path))

    def file(self, path: str, *, named: bool) -> None:
        self.files[path] = named or self.files.get(path, False)

    def scan(self) -> Scan:
        complete = (Path(root) for root in self.walked)
        return Scan(
            files=tuple(FoundFile(Path(path), named) for path, named in self.files.items()),
            failed=tuple(Failure(uri, error) for uri, error in self.failed.items()),
            skipped=tuple(Skip(uri, reason) for uri, reason in self.skipped.items()),
            complete=tuple(root for root in complete if not any(place.is_relative_to(root) for place in self.unread)),
            empty=tuple(map(Path, self.empty)),
        )


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the way down. `identity` is what the file system knows it by, whatever links led to it."""

    path: str
    identity: tuple[int, int]
    parent: _Folder | None = None

    def is_circle(self) -> bool:
        above = self.parent
        while above is not None:
            if above.identity == self.identity:
                return True
            above = above.parent
        return False


# -- roots


def _root(given: str, found: _Found) -> None:
    path = os.path.abspath(given)  # not resolved: a file keeps the name that the user knows it by
    if not given:
        found.fail("", "an empty path")
    elif os.path.lexists(path):
        _named(path, found)
    elif not _MAGIC.search(given) or "\0" in given:
        found.fail(path, "no such file or folder")
    elif not (matches := _expanded(given, found)):
        found.fail(path, "matches no file")
    else:
        for match in matches:
            if os.path.basename(match) not in IGNORED_FOLDERS and not _is_database(match):
                _named(match, found)


def _named(path: str, found: _Found) -> None:
    """A path that the user gave: a problem with it is a failure, not a skip."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        found.fail(path, _reason(error, path))
        return
    if not _is_unicode(path):
        found.fail(path, "the name is no valid Unicode")
    elif stat.S_ISREG(mode):
        found.file(path, named=True)
    elif not stat.S_ISDIR(mode):
        found.fail(path, _IRREGULAR)
    elif _is_database(path):
        found.fail(path, "is a vecsearch database, not documents")
    else:
        _walk(path, found)


def _is_database(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, DATABASE_FILE))


# -- folders


def _walk(root: str, found: _Found) -> None:
    """Take in everything below a folder. Iterative: folders nest as deep as they like."""
    found.walked[root] = None
    waiting: list[tuple[str, _Folder | None]] = [(root, None)]
    linked: set[tuple[int, int]] = set()
    while waiting:
        path, parent = waiting.pop()
        try:
            info = os.stat(path)
            folder = _Folder(path, (info.st_dev, info.st_ino), parent)
            if folder.is_circle() or (parent and os.path.islink(path) and folder.identity in linked):
                continue
            linked.add(folder.identity)
            entries = _entries(path)
        except OSError as error:
            if parent is None or not isinstance(error, _VANISHED):
                found.fail(path, _reason(error, path), unread=True)
            continue
        if parent is None and not entries:
            found.empty[root] = None
        if parent is None or not _is_database(path):
            below = [entry.path for entry in entries if _take(entry, found)]
            waiting.extend((each, folder) for each in reversed(below))


def _entries(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _take(entry: os.DirEntry[str], found: _Found) -> bool:
    """Take in what an entry of a walk is; True for a folder to walk into."""
    if entry.name.startswith("."):
        return False
    if not _is_unicode(entry.name):
        found.fail(entry.path, "the name is no valid Unicode")
        return False
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        _no_stat(entry, error, found)
        return False
    if stat.S_ISDIR(mode):
        return entry.name not in IGNORED_FOLDERS
    if stat.S_ISREG(mode):
        found.file(entry.path, named=False)
    else:
        found.skipped.setdefault(entry.path, _IRREGULAR)
    return False


def _no_stat(entry: os.DirEntry[str], error: OSError, found: _Found) -> None:
    """A broken link is known for what it is; a file that went while the folder was read is not worth a word."""
    vanished = isinstance(error, _VANISHED) or error.errno == errno.ELOOP
    if entry.is_symlink() and os.path.lexists(entry.path):
        found.fail(entry.path, _reason(error, entry.path), unread=True)  # it may have led to a drive that is not mounted
    elif not vanished:
        found.fail(entry.path, _reason(error, entry.path), unread=True)


# -- patterns


def _expanded(pattern: str, found: _Found) -> list[str]:
    """Absolute paths that a glob pattern matches, sorted. Hidden names need a dot in the pattern; `**` follows no links."""
    start, *parts = re.split(r"/+", pattern) if pattern.startswith("/") else (".", *re.split(r"/+", pattern))
    reached = [start or "/"]
    for part in parts[:-1] if parts[-1:] == [""] else parts:
        reached = list(dict.fromkeys(each for place in reached for each in _step(place, part, found)))
    if parts[-1:] == [""]:
        reached = [path for path in reached if os.path.isdir(path)]
    return sorted(dict.fromkeys(map(os.path.abspath, reached)))


def _step(place: str, part: str, found: _Found) -> Iterator[str]:
    """What one part of a pattern leads to from a place."""
    if part == "**":
        yield from _any_depth(place, found)
    elif _MAGIC.search(part):
        for entry in _listed(place, found):
            if fnmatchcase(entry.name, part) and (part.startswith(".") or not entry.name.startswith(".")):
                yield entry.path
    elif os.path.lexists(os.path.join(place, part)):
        yield os.path.join(place, part)


def _any_depth(place: str, found: _Found) -> Iterator[str]:
    """A folder, and all folders below it."""
    waiting = [place]
    while waiting:
        folder = waiting.pop()
        yield folder
        for entry in _listed(folder, found):
            plain = not entry.name.startswith(".") and entry.name not in IGNORED_FOLDERS
            if plain and entry.is_dir(follow_symlinks=False) and not _is_database(entry.path):
                waiting.append(entry.path)


def _listed(folder: str, found: _Found) -> list[os.DirEntry[str]]:
    """The entries of a folder; none of what is no folder."""
    try:
        return _entries(folder)
    except _VANISHED:
        return []
    except OSError as error:
        found.fail(os.path.abspath(folder), _reason(error, folder), unread=True)
        return []


# -- words


def _reason(error: OSError, path: str) -> str:
    """Why a path cannot be read, in lower case."""
    if os.path.islink(path) and (isinstance(error, _VANISHED) or error.errno == errno.ELOOP):
        return _BROKEN_LINK
    return (error.strerror or str(error)).lower()


def _is_unicode(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= each <= "\udfff" for each in name)


def _printable(path: str) -> str:
    return path if _is_unicode(path) else os.fsencode(path).decode("utf-8", "replace")
