"""Which files are meant: roots on the command line to a list of readable files. Opens only ignore files, judges no content.

A walk leaves out what is hidden, caches, vecsearch databases, what ignore files or the selection leave out, and large files. It
follows symbolic links to what lies below the root, never in a circle, and none that lead out of it.
"""

# Paths stay the strings that scandir gives: a Path for each entry would cost more than the walk.
# ruff: noqa: PTH111, PTH116, PTH118, PTH119

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Final

from vecsearch.core.types import Failure, FoundFile, Scan, Selection, Skip, plural
from vecsearch.documents.globs import IGNORED_FOLDERS, MAGIC, VANISHED, entries_of, expanded, is_database, why
from vecsearch.documents.ignoring import Ignoring, Rules, rules

_IRREGULAR: Final = "not a regular file"
_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def scan(roots: Sequence[str | PathLike[str]], *, selection: Selection = Selection()) -> Scan:  # noqa: B008 (it is frozen)
    """What some files, folders and glob patterns hold: by roots, then by names, linked folders last; each file once.

    Never raises for a root: what cannot be read stands in `failed`. Raises InputError for what is no pattern in the selection.
    """
    found = _Found()
    choice = _Choice.of(selection)
    for root in roots:
        _root(os.path.expanduser(os.fspath(root)), choice, found)
    return found.scan()


@dataclass(frozen=True, slots=True)
class _Choice:
    """A selection, ready to be asked."""

    include: Rules | None
    exclude: Rules
    max_bytes: int

    @classmethod
    def of(cls, selection: Selection) -> _Choice:
        include = rules(selection.include, option="include") if selection.include else None
        return cls(include, rules(selection.exclude, option="exclude"), selection.max_bytes)


@dataclass(slots=True)
class _Found:
    """What the roots gave so far; dicts for their order, and because two roots may lead to the same place."""

    files: dict[str, tuple[bool, int]] = field(default_factory=dict)  # whether named, and the size
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    walked: dict[str, None] = field(default_factory=dict)
    empty: dict[str, None] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    gaps: list[Path] = field(default_factory=list)

    def fail(self, path: str, reason: str) -> None:
        self.failed.setdefault(_printable(path), reason)

    def unread(self, path: str, reason: str) -> None:
        """A failure after which it is not known what lies there, so that no root around it is complete."""
        self.fail(path, reason)
        self.gaps.append(Path(path))

    def skip(self, path: str, reason: str) -> None:
        self.skipped.setdefault(path, reason)

    def ignore(self, path: str, by: str) -> None:
        self.ignored[path] = None
        self.skip(path, f"ignored by {_printable(by)}")

    def file(self, path: str, size: int, *, named: bool) -> None:
        self.files[path] = (named or (path in self.files and self.files[path][0]), size)

    def scan(self) -> Scan:
        complete = (Path(root) for root in self.walked)
        meant = self.files.keys() | self.failed.keys() | self.walked.keys()  # by one root, whatever another left out
        return Scan(
            files=tuple(FoundFile(Path(path), named, size) for path, (named, size) in self.files.items()),
            failed=tuple(Failure(uri, error) for uri, error in self.failed.items()),
            skipped=tuple(Skip(uri, reason) for uri, reason in self.skipped.items() if uri not in meant),
            complete=tuple(root for root in complete if not any(gap.is_relative_to(root) for gap in self.gaps)),
            empty=tuple(map(Path, self.empty)),
            ignored=tuple(Path(path) for path in self.ignored if path not in meant),
        )


# -- roots


def _root(given: str, choice: _Choice, found: _Found) -> None:
    path = os.path.abspath(given)  # not resolved: a file keeps the name that the user knows it by
    if not given:
        found.fail("", "an empty path")
    elif os.path.lexists(path):
        _named(path, choice, found)
    elif not MAGIC.search(given) or "\0" in given:
        found.fail(path, "no such file or folder")
    elif not (matches := expanded(given, found.unread)):
        found.fail(path, "matches no file")
    else:
        for match in matches:
            if os.path.basename(match) not in IGNORED_FOLDERS and not is_database(match):
                _named(match, choice, found)


def _named(path: str, choice: _Choice, found: _Found) -> None:
    """A path that the user gave: a problem with it is a failure, not a skip."""
    try:
        info = os.stat(path)
    except OSError as error:
        found.fail(path, why(error, path))
        return
    if not _is_unicode(path):
        found.fail(path, "the name is no valid Unicode")
    elif stat.S_ISREG(info.st_mode) and info.st_size > choice.max_bytes:
        found.fail(path, _too_large(info.st_size, choice.max_bytes))
    elif stat.S_ISREG(info.st_mode):
        found.file(path, info.st_size, named=True)
    elif not stat.S_ISDIR(info.st_mode):
        found.fail(path, _IRREGULAR)
    elif is_database(path):
        found.fail(path, "is a vecsearch database, not documents")
    else:
        _Walk(path, choice, found).run(info)


# -- folders


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the way down. `identity` is what the file system knows it by, whatever links led to it.

    `ignoring` is what holds in the folder around it; `included`: a pattern of `include` holds for what is below; `linked`: a
    symbolic link led here.
    """

    path: str
    identity: tuple[int, int]
    ignoring: Ignoring
    included: bool
    linked: bool = False


class _Walk:
    """Takes in everything below one root. Iterative: folders nest as deep as they like."""

    def __init__(self, root: str, choice: _Choice, found: _Found) -> None:
        self._root, self._choice, self._found = root, choice, found
        self._real, self._cut = os.path.realpath(root), len(os.path.join(root, ""))
        self._waiting: list[_Folder] = []
        self._links: deque[_Folder] = deque()  # walked last, so that a folder is met by its own name first
        self._seen: set[tuple[int, int]] = set()

    def run(self, info: os.stat_result) -> None:
        """`info` is that of the root."""
        self._found.walked[self._root] = None
        ignoring = Ignoring.above(self._root, self._found.fail)
        self._waiting.append(_Folder(self._root, _identity(info), ignoring, included=self._choice.include is None))
        while self._waiting or self._links:
            self._folder(self._waiting.pop() if self._waiting else self._links.popleft())

    def _folder(self, folder: _Folder) -> None:
        if folder.linked and folder.identity in self._seen:
            return
        self._seen.add(folder.identity)
        is_root = folder.path == self._root
        try:
            entries = entries_of(folder.path)
        except OSError as error:
            if is_root or not isinstance(error, VANISHED):
                self._found.unread(folder.path, why(error, folder.path))
            return
        if is_root and not entries:
            self._found.empty[self._root] = None
        if is_root or not is_database(folder.path):
            ignoring = folder.ignoring.below(folder.path, (entry.name for entry in entries))
            below = [each for entry in entries if (each := self._take(entry, folder, ignoring))]
            self._links.extend(each for each in below if each.linked)
            self._waiting.extend(each for each in reversed(below) if not each.linked)

    def _take(self, entry: os.DirEntry[str], parent: _Folder, ignoring: Ignoring) -> _Folder | None:
        """Take in what an entry of a folder is; gives a folder to walk into."""
        if entry.name.startswith("."):
            return None
        if not _is_unicode(entry.name):
            self._found.fail(entry.path, "the name is no valid Unicode")
            return None
        info = _stat(entry)
        known, folder = not isinstance(info, OSError), not isinstance(info, OSError) and stat.S_ISDIR(info.st_mode)
        included = self._included(entry, parent, folder=folder)
        if included is None or (known and not folder and not included) or (folder and entry.name in IGNORED_FOLDERS):
            return None
        if by := ignoring.ignored_by(entry.path, folder=folder):
            self._found.ignore(entry.path, by)
        elif isinstance(info, OSError):
            _no_stat(entry, info, self._found)
        elif (linked := entry.is_symlink()) and (target := self._outside(entry.path)):
            reason = f"symbolic link that leads out of the folder, to {target}; index {target} itself"
            self._found.skip(entry.path, reason)
        elif folder:
            return _Folder(entry.path, _identity(info), ignoring, included, linked or parent.linked)
        else:
            self._file(entry.path, info)
        return None

    def _included(self, entry: os.DirEntry[str], parent: _Folder, *, folder: bool) -> bool | None:
        """Whether a pattern of `include` holds for an entry; None where one of `exclude` does."""
        path = entry.path[self._cut :]
        if self._choice.exclude.verdict(path, folder=folder):
            return None
        verdict = self._choice.include.verdict(path, folder=folder) if self._choice.include else None
        return parent.included if verdict is None else verdict

    def _outside(self, path: str) -> str | None:
        """Where a link leads, if that is out of the root."""
        target = os.path.realpath(path)
        inside = target == self._real or target.startswith(os.path.join(self._real, ""))
        return None if inside else _printable(target)

    def _file(self, path: str, info: os.stat_result) -> None:
        if not stat.S_ISREG(info.st_mode):
            self._found.skip(path, _IRREGULAR)
        elif info.st_size > self._choice.max_bytes:
            self._found.skip(path, _too_large(info.st_size, self._choice.max_bytes))
        else:
            self._found.file(path, info.st_size, named=False)


def _stat(entry: os.DirEntry[str]) -> os.stat_result | OSError:
    try:
        return entry.stat()
    except OSError as error:
        return error


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def _no_stat(entry: os.DirEntry[str], error: OSError, found: _Found) -> None:
    """A broken link is known for what it is; a file that went while the folder was read is not worth a word."""
    vanished = isinstance(error, VANISHED) or error.errno == errno.ELOOP
    if entry.is_symlink() and os.path.lexists(entry.path):
        found.unread(entry.path, why(error, entry.path))  # it may have led to a drive that is not mounted
    elif not vanished:
        found.unread(entry.path, why(error, entry.path))


# -- words


def _too_large(size: int, limit: int) -> str:
    is_, most = _bytes(size), _bytes(limit)
    if is_ == most:
        is_, most = f"{size:,} bytes", f"{limit:,} bytes"
    return f"{is_}, larger than the limit of {most}; --max-size takes more"


def _bytes(size: int) -> str:
    for unit, name in _UNITS:
        if size >= unit:
            digits = 0 if size % unit == 0 or size >= 100 * unit else 1
            return f"{size / unit:,.{digits}f} {name}"
    return plural(size, "byte")


def _is_unicode(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= each <= "\udfff" for each in name)


def _printable(path: str) -> str:
    return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= each <= "\udfff" else each for each in path)
