"""Which paths patterns in gitignore's notation leave out: those of ignore files, and those that the user gives. Walks no folder.

A pattern is held against one path at a time, as git does on its way down: what lies below an ignored folder is never asked for.
"""

# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Final

from vecsearch.core.errors import InputError
from vecsearch.documents.gitignore_globs import translate_name_glob, translate_path_glob
from vecsearch.documents.globs import describe_os_error

# What has to be in a folder, and the ignore file that it then may have; one overrides those before it.
_IGNORE_FILES: Final = ((".git", ".git/info/exclude"), (".gitignore", ".gitignore"), (".vecsearchignore", ".vecsearchignore"))
_MARKS: Final = frozenset(mark for mark, _ in _IGNORE_FILES)
_FILE_BYTES_MAX: Final = 100_000  # more would be slow to hold against every path
_PATTERN_MAX: Final = 4_096  # no path is longer

_WILD: Final = re.compile(r"[*?\[\\]")


# -- patterns


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One line. `text` is a path, or where `glob` an expression for one; `by_name`: the last part of the path alone decides."""

    ignores: bool
    folders_only: bool
    by_name: bool
    glob: bool
    text: str


@dataclass(frozen=True, slots=True)
class _PatternSet:
    """Patterns one of which has to match."""

    names: frozenset[str]
    paths: frozenset[str]
    name_globs: re.Pattern[str] | None
    path_globs: re.Pattern[str] | None

    @classmethod
    def from_patterns(cls, patterns: Sequence[_Pattern]) -> _PatternSet:
        def select_texts(*, by_name: bool, glob: bool) -> frozenset[str]:
            return frozenset(pattern.text for pattern in patterns if (pattern.by_name, pattern.glob) == (by_name, glob))

        return cls(
            select_texts(by_name=True, glob=False),
            select_texts(by_name=False, glob=False),
            _compile_alternatives(select_texts(by_name=True, glob=True)),
            _compile_alternatives(select_texts(by_name=False, glob=True)),
        )

    def has_match(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return (
            name in self.names
            or path in self.paths
            or bool(self.name_globs and self.name_globs.fullmatch(name))
            or bool(self.path_globs and self.path_globs.fullmatch(path))
        )


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """Patterns in gitignore's notation, relative to one folder. `pattern_runs` are patterns in a row that say the same, the
    last first: what they say, and when they match a file, a folder."""

    pattern_runs: tuple[tuple[bool, _PatternSet, _PatternSet], ...]

    def match_path(self, path: str, *, folder: bool) -> bool | None:
        """Return what the last pattern that matches says: True, or False where it begins with `!`; None where no pattern
        matches."""
        for says, file, any_kind in self.pattern_runs:
            if (any_kind if folder else file).has_match(path):
                return says
        return None


def compile_rules(patterns: Sequence[str], *, option: str) -> IgnoreRules:
    """Return the rules that the user gives. Raises InputError for one that gitignore would pass over, such as a comment."""
    for pattern in patterns:
        if _parse_pattern(pattern) is None:
            raise InputError(f"{option}: {pattern!r:.120} is no pattern such as '*.md', 'drafts/' or '/notes/**/*.txt'")
    return _compile_lines(tuple(patterns))


@lru_cache(maxsize=256)
def _compile_lines(lines: tuple[str, ...]) -> IgnoreRules:
    runs = []
    for says, run in groupby(filter(None, map(_parse_pattern, lines)), key=lambda pattern: pattern.ignores):
        patterns = list(run)
        runs.append(
            (
                says,
                _PatternSet.from_patterns([pattern for pattern in patterns if not pattern.folders_only]),
                _PatternSet.from_patterns(patterns),
            )
        )
    return IgnoreRules(tuple(reversed(runs)))


def _parse_pattern(line: str) -> _Pattern | None:
    """Return what a line says; None for a blank one, a comment, or what can match nothing."""
    text = line.rstrip(" ")
    if len(text) < len(line) and (len(text) - len(text.rstrip("\\"))) % 2:
        text += " "  # it is escaped
    if text.startswith("#") or len(text) > _PATTERN_MAX:
        return None
    ignores, text = not text.startswith("!"), text.removeprefix("!")
    folders_only, text = text.endswith("/"), text.removesuffix("/")
    by_name, text = "/" not in text, text.removeprefix("/")
    glob = bool(_WILD.search(text))
    if glob:
        translated = translate_name_glob(text) if by_name else translate_path_glob(text)
        return None if translated is None else _Pattern(ignores, folders_only, by_name, glob, translated)
    return _Pattern(ignores, folders_only, by_name, glob, text) if text else None


def _compile_alternatives(expressions: Iterable[str]) -> re.Pattern[str] | None:
    pattern = "|".join(sorted(expressions))
    return re.compile(pattern) if pattern else None


# -- ignore files


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """One ignore file. `prefix` stands before what is left of a path below the root after its first `prefix_length`
    characters."""

    rules: IgnoreRules
    name: str
    prefix_length: int
    prefix: str
    parent: _IgnoreFile | None


@dataclass(frozen=True, slots=True)
class IgnoreStack:
    """The ignore files that hold in a folder on the way down from a root.

    `on_error` is called with the path of an ignore file that cannot be read, and why.
    """

    root: str
    on_error: Callable[[str, str], None]
    top: _IgnoreFile | None = None

    @classmethod
    def from_parent_folders(cls, root: str, on_error: Callable[[str, str], None]) -> IgnoreStack:
        """Return the ignore files of the folders above a root, up to the top of the git repository that holds it; none without a
        repository."""
        ignoring, real = cls(root, on_error), os.path.realpath(root)
        for place in _list_repository_folders(real):
            marks = [mark for mark in _MARKS if os.path.lexists(os.path.join(place, mark))]
            ignoring = ignoring._push_ignore_files(place, marks, f"{os.path.relpath(real, place)}/", len(os.path.join(root, "")))
        return ignoring

    def enter_folder(self, folder: str, names: Iterable[str]) -> IgnoreStack:
        """Return the ignore files that hold in a folder with entries of these names; `self` holds in the folder around it."""
        marks = _MARKS.intersection(names)
        return self._push_ignore_files(folder, marks, "", len(os.path.join(folder, ""))) if marks else self

    def find_ignore_file(self, path: str, *, folder: bool) -> str | None:
        """Return the ignore file, relative to the root or absolute, that leaves out a path; None where it is not left out."""
        layer = self.top
        while layer is not None:
            verdict = layer.rules.match_path(layer.prefix + path[layer.prefix_length :], folder=folder)
            if verdict is not None:
                return layer.name if verdict else None
            layer = layer.parent
        return None

    def _push_ignore_files(self, folder: str, marks: Iterable[str], prefix: str, prefix_length: int) -> IgnoreStack:
        layer, inside = self.top, len(os.path.join(self.root, ""))
        for mark, file in _IGNORE_FILES:
            if mark in marks and (rules := self._read_rules(path := os.path.join(folder, file))):
                layer = _IgnoreFile(rules, path if prefix else path[inside:], prefix_length, prefix, layer)
        return IgnoreStack(self.root, self.on_error, layer)

    def _read_rules(self, path: str) -> IgnoreRules | None:
        try:
            return _compile_lines(tuple(_read_lines(path)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.on_error(path, f"{describe_os_error(error, path)}; nothing is ignored by it")
        return None


def _list_repository_folders(folder: str) -> list[str]:
    """Return the folders above a place, from the top of the repository that holds it downward."""
    places: list[str] = []
    while not os.path.lexists(os.path.join(folder, ".git")):
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return []
        places.append(folder)
    return places[::-1]


def _read_lines(path: str) -> list[str]:
    info = os.stat(path)  # noqa: PTH116
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if info.st_size > _FILE_BYTES_MAX:
        raise OSError(errno.EFBIG, f"more than {_FILE_BYTES_MAX:,} bytes")
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:  # noqa: PTH123 (as names of files)
        lines = [line.removesuffix("\n").removesuffix("\r") for line in file]
    if any("\0" in line for line in lines):
        raise OSError(errno.EINVAL, "characters that no pattern has (NUL)")
    return lines
