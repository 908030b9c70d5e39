"""Which files are meant: roots on the command line to a list of readable files. Opens only ignore files, judges no content.

A walk leaves out what is hidden, caches, vecsearch databases, what ignore files or the selection leave out, and large files. It
follows symbolic links to what lies below the root, never in a circle, and none that lead out of it. A file is named by its
real path: whatever links lead to it, it is one file.
"""

# Paths stay the strings that scandir gives: a Path for each entry would cost more than the walk.
# ruff: noqa: PTH111, PTH116, PTH118, PTH119

from __future__ import annotations

import errno
import os
import re
import stat
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Final

from vecsearch.core.errors import raise_foreign
from vecsearch.core.files import FailedFile, FileFilter, FoundFile, Scan, SkippedFile
from vecsearch.core.source_paths import format_path, read_given_path, resolve_path
from vecsearch.core.stop_signal import NO_STOP, RunStoppedError, StopSignal
from vecsearch.core.types import format_count
from vecsearch.documents.globs import (
    GLOB_CHARACTERS,
    IGNORED_FOLDERS,
    MISSING_PATH_ERRORS,
    describe_os_error,
    expand_pattern,
    is_database,
    list_entries,
)
from vecsearch.documents.ignore_rules import IgnoreRules, IgnoreStack, compile_rules

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_IRREGULAR_MESSAGE: Final = "not a regular file"
_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def scan(
    roots: Sequence[str | PathLike[str]],
    *,
    selection: FileFilter = FileFilter(),  # noqa: B008 (it is frozen)
    stop: StopSignal = NO_STOP,
) -> Scan:
    """Return what some files, folders and glob patterns hold: by roots, then by names, linked folders last; each file once.

    Never raises for a root: what cannot be read stands in `failed`. Raises InputError for what is no pattern in the selection.
    Told to `stop`, it returns what it has met, and no folder as fully scanned.
    """
    builder = _ScanBuilder(stop)
    choice = _CompiledFilter.from_file_filter(selection)
    with suppress(RunStoppedError):
        for root in stop.check_each(roots):
            _scan_root(read_given_path(os.path.expanduser(root)), choice, builder)
    return builder.build_scan()


@dataclass(frozen=True, slots=True)
class _CompiledFilter:
    """A selection, compiled for matching."""

    include: IgnoreRules | None
    exclude: IgnoreRules
    max_bytes: int

    @classmethod
    def from_file_filter(cls, selection: FileFilter) -> _CompiledFilter:
        include = compile_rules(selection.include, option="include") if selection.include else None
        return cls(include, compile_rules(selection.exclude, option="exclude"), selection.max_bytes)


@dataclass(slots=True)
class _ScanBuilder:
    """What the roots gave so far; dicts for their order, and because two roots may lead to the same place."""

    stop: StopSignal
    files: dict[str, tuple[bool, int, int]] = field(default_factory=dict)  # whether named, the size, the device
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    walked_roots: dict[str, None] = field(default_factory=dict)
    empty_roots: dict[str, None] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    linked_roots: dict[str, None] = field(default_factory=dict)
    unread_paths: list[Path] = field(default_factory=list)

    def add_failure(self, path: str, reason: str) -> None:
        self.failed.setdefault(path, reason)

    def add_unreadable(self, path: str, reason: str) -> None:
        """Record a failure after which it is not known what lies there, so that no root around it counts as fully scanned."""
        self.add_failure(path, reason)
        self.unread_paths.append(Path(path))

    def skip(self, path: str, reason: str) -> None:
        self.skipped.setdefault(path, reason)

    def ignore(self, path: str, ignore_file: str) -> None:
        self.ignored[path] = None
        self.skip(path, f"ignored by {format_path(ignore_file)}")

    def add_file(self, path: str, info: os.stat_result, *, explicit: bool) -> None:
        self.files[path] = (explicit or (path in self.files and self.files[path][0]), info.st_size, info.st_dev)

    def build_scan(self) -> Scan:
        complete = (Path(root) for root in self.walked_roots)
        meant = self.files.keys() | self.failed.keys() | self.walked_roots.keys()  # by one root, whatever another left out
        scan = Scan(
            files=tuple(FoundFile(Path(path), *known) for path, known in self.files.items()),
            failed=tuple(FailedFile(format_path(path), error) for path, error in self.failed.items()),
            skipped=tuple(SkippedFile(format_path(path), reason) for path, reason in self.skipped.items() if path not in meant),
            fully_scanned=tuple(root for root in complete if not any(gap.is_relative_to(root) for gap in self.unread_paths)),
            empty_roots=tuple(map(Path, self.empty_roots)),
            ignored=tuple(Path(path) for path in self.ignored if path not in meant),
            linked_roots=tuple(map(Path, self.linked_roots)),
        )
        if self.stop.is_set:  # what was not met may be there, and be meant
            return replace(scan, fully_scanned=(), empty_roots=(), ignored=())
        return scan


# -- roots


def _scan_root(root: str, file_filter: _CompiledFilter, builder: _ScanBuilder) -> None:
    path = resolve_path(root)
    if not root:
        builder.add_failure("", "an empty path")
    elif _URL.match(root) and not os.path.lexists(path):
        builder.add_failure(root, "URLs are not read; save the page, and index the file")
    elif os.path.lexists(path):
        _scan_explicit_path(root, file_filter, builder)
    elif not GLOB_CHARACTERS.search(root) or "\0" in root:
        builder.add_failure(path, "no such file or folder")
    elif not (matches := expand_pattern(root, builder.add_unreadable, stop=builder.stop)):
        builder.add_failure(path, "matches no file")
    else:
        for match in builder.stop.check_each(matches):
            if os.path.basename(match) not in IGNORED_FOLDERS and not is_database(match):
                _scan_explicit_path(match, file_filter, builder)


def _scan_explicit_path(path: str, file_filter: _CompiledFilter, builder: _ScanBuilder) -> None:
    """Scan a path that the user gave: a problem with it is a failure, not a skip."""
    given, path = os.path.abspath(path), resolve_path(path)
    if given != path:
        builder.linked_roots[given] = None
    try:
        info = os.stat(path)
    except OSError as error:
        builder.add_failure(path, describe_os_error(error, path))
        return
    if stat.S_ISREG(info.st_mode) and info.st_size > file_filter.max_bytes:
        builder.add_failure(path, _format_size_error(info.st_size, file_filter.max_bytes))
    elif stat.S_ISREG(info.st_mode):
        builder.add_file(path, info, explicit=True)
    elif not stat.S_ISDIR(info.st_mode):
        builder.add_failure(path, _IRREGULAR_MESSAGE)
    elif is_database(path):
        builder.add_failure(path, "is a vecsearch database, not documents")
    else:
        _FolderWalker(path, file_filter, builder).run(info)


# -- folders


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the way down. `path` is the way from the root, which patterns are about, `real_path` where it really lies;
    `identity` is what the file system knows it by.

    `ignoring` is what holds in the folder around it; `included`: a pattern of `include` holds for what is below; `linked`: a
    symbolic link led here.
    """

    path: str
    real_path: str
    identity: tuple[int, int]
    ignore_stack: IgnoreStack
    included: bool
    linked: bool = False


class _FolderWalker:
    """Takes in everything below one root. Iterative: folders nest as deep as they like."""

    def __init__(self, root: str, file_filter: _CompiledFilter, builder: _ScanBuilder) -> None:
        self._root, self._file_filter, self._builder = root, file_filter, builder
        self._prefix_length = len(os.path.join(root, ""))
        self._pending: list[_Folder] = []
        self._linked_folders: deque[_Folder] = deque()  # walked last, so that a folder is met by its own name first
        self._visited: set[tuple[int, int]] = set()

    def run(self, info: os.stat_result) -> None:
        """Walk the root; `info` is its stat."""
        self._builder.walked_roots[self._root] = None
        ignoring = IgnoreStack.from_parent_folders(self._root, self._builder.add_failure)
        included = self._file_filter.include is None
        self._pending.append(_Folder(self._root, self._root, _get_file_identity(info), ignoring, included))
        while self._pending or self._linked_folders:
            self._walk_folder(self._pending.pop() if self._pending else self._linked_folders.popleft())

    def _walk_folder(self, folder: _Folder) -> None:
        if folder.linked and folder.identity in self._visited:
            return
        self._visited.add(folder.identity)
        self._builder.stop.check()
        is_root = folder.path == self._root
        try:
            entries = list_entries(folder.path)
        except OSError as error:
            if is_root or not isinstance(error, MISSING_PATH_ERRORS):
                self._builder.add_unreadable(folder.real_path, describe_os_error(error, folder.real_path))
            return
        if is_root and not entries:
            self._builder.empty_roots[self._root] = None
        if is_root or not is_database(folder.path):
            ignoring = folder.ignore_stack.enter_folder(folder.path, (entry.name for entry in entries))
            below = [
                place for entry in self._builder.stop.check_each(entries) if (place := self._visit_entry(entry, folder, ignoring))
            ]
            self._linked_folders.extend(place for place in below if place.linked)
            self._pending.extend(place for place in reversed(below) if not place.linked)

    def _visit_entry(self, entry: os.DirEntry[str], parent: _Folder, ignore_stack: IgnoreStack) -> _Folder | None:
        """Take in what an entry of a folder is; gives a folder to walk into."""
        if entry.name.startswith("."):
            return None
        info, real_path = _read_stat(entry), _find_real_path(entry, parent)
        known, folder = not isinstance(info, OSError), not isinstance(info, OSError) and stat.S_ISDIR(info.st_mode)
        included = self._is_included(entry, parent, folder=folder)
        if included is None or (known and not folder and not included) or (folder and entry.name in IGNORED_FOLDERS):
            return None
        if by := ignore_stack.find_ignore_file(entry.path, folder=folder):
            self._builder.ignore(entry.path if entry.is_symlink() else real_path, by)  # where a link leads may be wanted
        elif isinstance(info, OSError):
            _record_stat_error(entry, real_path, info, self._builder)
        elif (linked := entry.is_symlink()) and (target := self._find_outside_target(real_path)):
            reason = f"symbolic link that leads out of the folder, to {target}; index {target} itself"
            self._builder.skip(entry.path, reason)
        elif folder:
            return _Folder(entry.path, real_path, _get_file_identity(info), ignore_stack, included, linked or parent.linked)
        else:
            self._add_file(real_path, info)
        return None

    def _is_included(self, entry: os.DirEntry[str], parent: _Folder, *, folder: bool) -> bool | None:
        """Return whether a pattern of `include` holds for an entry; None where one of `exclude` does."""
        path = entry.path[self._prefix_length :]
        if self._file_filter.exclude.match_path(path, folder=folder):
            return None
        verdict = self._file_filter.include.match_path(path, folder=folder) if self._file_filter.include else None
        return parent.included if verdict is None else verdict

    def _find_outside_target(self, target: str) -> str | None:
        """Return where a link leads, if that is out of the root."""
        inside = target == self._root or target.startswith(os.path.join(self._root, ""))
        return None if inside else format_path(target)

    def _add_file(self, path: str, info: os.stat_result) -> None:
        if not stat.S_ISREG(info.st_mode):
            self._builder.skip(path, _IRREGULAR_MESSAGE)
        elif info.st_size > self._file_filter.max_bytes:
            self._builder.skip(path, _format_size_error(info.st_size, self._file_filter.max_bytes))
        else:
            self._builder.add_file(path, info, explicit=False)


def _find_real_path(entry: os.DirEntry[str], parent: _Folder) -> str:
    if entry.is_symlink():
        return resolve_path(entry.path)
    return entry.path if parent.real_path == parent.path else os.path.join(parent.real_path, entry.name)


def _read_stat(entry: os.DirEntry[str]) -> os.stat_result | OSError:
    try:
        return entry.stat()
    except OSError as error:
        raise_foreign(error)
        return error


def _get_file_identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def _record_stat_error(entry: os.DirEntry[str], path: str, error: OSError, builder: _ScanBuilder) -> None:
    """Record why an entry cannot be read; a file that went while the folder was read is passed over."""
    vanished = isinstance(error, MISSING_PATH_ERRORS) or error.errno == errno.ELOOP
    if entry.is_symlink() and os.path.lexists(entry.path):
        builder.add_unreadable(path, describe_os_error(error, entry.path))  # it may have led to a drive that is not mounted
    elif not vanished:
        builder.add_unreadable(path, describe_os_error(error, path))


# -- words


def _format_size_error(size: int, limit: int) -> str:
    is_, most = _format_bytes(size), _format_bytes(limit)
    if is_ == most:
        is_, most = f"{size:,} bytes", f"{limit:,} bytes"
    return f"{is_}, larger than the limit of {most}; --max-size takes more"


def _format_bytes(size: int) -> str:
    for unit, name in _UNITS:
        if size >= unit:
            digits = 0 if size % unit == 0 or size >= 100 * unit else 1
            return f"{size / unit:,.{digits}f} {name}"
    return format_count(size, "byte")
