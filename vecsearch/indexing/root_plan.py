"""Which roots a run is about, with which options: those that it was given, else those that each root keeps.

A root is what `index` was given. One inside another is its own: its files are chosen and read by its options, whichever of both
is indexed, but for a limit of size, which holds for all below the folder that it is given with. What is given below a root, with
nothing that differs from it, is refreshed as a part of that root.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Self

from vecsearch.core.errors import UsageError
from vecsearch.core.files import FailedFile, FileFilter, Scan
from vecsearch.core.roots import Root, RootOptions
from vecsearch.core.row_options import RowOptions
from vecsearch.core.source_paths import format_path, make_absolute, parse_path, read_given_path, resolve_path
from vecsearch.core.stop_signal import NO_STOP, StopSignal
from vecsearch.core.timestamps import get_timestamp
from vecsearch.core.types import AnyPath, Split
from vecsearch.documents.globs import GLOB_CHARACTERS, describe_os_error, expand_pattern, is_database
from vecsearch.documents.scan import scan

LIST_SUFFIXES: Final = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".ods", ".json", ".jsonl", ".ndjson", ".txt", ""})


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """What a run was given of the options of roots; None for what was not. `rows`: False where each file is a document.

    `guesses_rows`: whether the rows of a file that is named itself are documents is guessed, where that is not known of it yet.
    """

    split: Split | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    max_bytes: int | None = None
    password_file: str | None = None
    rows: RowOptions | Literal[False] | None = None
    guesses_rows: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """Return what was given, by name, as the options of a root have it."""
        pairs = ((each.name, getattr(self, each.name)) for each in fields(RootOptions))
        return {name: value or (None if name == "rows" else value) for name, value in pairs if value is not None}

    def complete(self, path: Path, before: RootOptions, *, is_known: bool) -> RootOptions:
        """Return the options of a path that is given: those of its root before, and what was given."""
        if self.guesses_rows and not is_known and before.rows is None and path.suffix.lower() in LIST_SUFFIXES and path.is_file():
            before = replace(before, rows=RowOptions(guess=True))
        return self.apply(before)

    def apply(self, before: RootOptions) -> RootOptions:
        """Return a root's options with what was given. Rows without a column named leave those that were guessed before."""
        values = self.values
        if before.rows is not None and before.rows.qualified and self.rows and not self.rows.list_columns():
            del values["rows"]
        return replace(before, **values)


@dataclass(frozen=True, slots=True)
class ChangedRoot:
    """A root that has other options from now on; `rereads`: all of its files are read again."""

    path: str
    before: RootOptions
    after: RootOptions

    @property
    def rereads(self) -> bool:
        return self.before.of_reading != self.after.of_reading


@dataclass(frozen=True, slots=True)
class RootPlan:
    """The roots of a run.

    `targets` are the paths to walk, as they were given, each with its options; `owners` the options by real path, of other roots
    too; `roots` are stored with the run, `changed` are those that had other options before.
    """

    targets: Mapping[str, RootOptions]
    owners: Mapping[Path, RootOptions]
    roots: tuple[Root, ...] = ()
    changed: tuple[ChangedRoot, ...] = ()
    passwords: tuple[str, ...] = ()
    failed: tuple[FailedFile, ...] = ()
    _by_folder: dict[Path, Path | None] = field(default_factory=dict)

    @classmethod
    def make(cls, stored: Sequence[Root], paths: Sequence[AnyPath] | None, given: GivenOptions) -> Self:
        """Plan a run over paths, or over all roots. Raises UsageError where there is none, or options come without a path."""
        known = {Path(parse_path(root.path)): root.options for root in stored}
        if paths is None:
            if not known:
                raise UsageError("nothing to refresh: no file or folder was indexed yet; name one: vecsearch index PATH")
            if given.values:
                raise UsageError(f"{', '.join(sorted(given.values))}: options of a root go with its path; see `vecsearch roots`")
            return cls._complete(known, dict(known), known.keys(), ())
        targets, names = dict[Path, RootOptions](), dict[Path, str]()
        roots, changed = set[Path](), list[ChangedRoot]()
        for name in paths:
            path = _resolve_root(name)
            names[path] = os.fspath(name)
            owner = next((place for place in (path, *path.parents) if place in known), None)
            before = RootOptions() if owner is None else known[owner]
            targets[path] = after = given.complete(path, before, is_known=owner == path)
            if owner in (path, None) or after != before:
                roots |= {path} if _is_there(path) else set()
            if owner is not None and given.apply(before) != before:
                changed.append(ChangedRoot(format_path(path), before, after))
        if given.max_bytes is not None:
            below = {
                path: options
                for path, options in known.items()
                if path not in targets and not targets.keys().isdisjoint(path.parents)
            }
            known = {**known, **{path: replace(options, max_bytes=given.max_bytes) for path, options in below.items()}}
            roots |= below.keys()
        return cls._complete(known, targets, roots, changed, names)

    @classmethod
    def make_for_files(cls, stored: Sequence[Root], files: Sequence[str], given: GivenOptions) -> Self:
        """Plan a run over some files, which become no roots."""
        return replace(cls.make(stored, files, given), roots=(), changed=())

    @classmethod
    def _complete(
        cls, known: Mapping[Path, RootOptions], targets: Mapping[Path, RootOptions], roots: Iterable[Path],
        changed: Sequence[ChangedRoot], names: Mapping[Path, str] = MappingProxyType({}),
    ) -> Self:  # fmt: skip
        owners = {**known, **targets}
        below = {
            path: options for path, options in known.items()
            if path not in targets and not targets.keys().isdisjoint(path.parents) and os.path.lexists(path)
        }  # fmt: skip
        walked = {**targets, **below}
        for path, options in walked.items():
            if not os.path.lexists(path):  # a pattern: what it matches is its own
                owners |= {Path(resolve_path(match)): options for match in _expand(path)}
        passwords, failed = _read_passwords(walked)
        now = get_timestamp()
        return cls(
            {names.get(path, str(path)): options for path, options in walked.items()}, owners,
            tuple(Root(format_path(path), owners[path], now) for path in roots), tuple(changed), passwords, failed,
        )  # fmt: skip

    def get_options(self, path: Path) -> RootOptions:
        """Return the options of the root that a file belongs to, the innermost."""
        owner = self._find_owner(path)
        return RootOptions() if owner is None else self.owners[owner]

    def _find_owner(self, path: Path) -> Path | None:
        if path in self.owners:
            return path
        folder = path.parent
        if folder not in self._by_folder:
            is_top = folder == path
            self._by_folder[folder] = None if is_top else self._find_owner(folder)
        return self._by_folder[folder]

    @property
    def reread(self) -> tuple[str, ...]:
        """Return the roots whose files are read again, as they are shown."""
        return tuple(root.path for root in self.changed if root.rereads)

    def list_changed_paths(self) -> tuple[Path, ...]:
        """Return the roots whose files are read again."""
        return tuple(Path(parse_path(root.path)) for root in self.changed if root.rereads)

    def scan(self, stop: StopSignal = NO_STOP) -> Scan:
        """Walk the roots, those of the same filter together; what lies in another root is left to that."""
        groups: dict[FileFilter, list[str]] = {}
        for path, options in self.targets.items():
            groups.setdefault(FileFilter(options.include, options.exclude, options.max_bytes), []).append(path)
        scans = [self._keep_own(scan(paths, selection=selection, stop=stop), selection) for selection, paths in groups.items()]
        if not scans:
            return Scan((), self.failed, (), (), (), ())
        joined = Scan(*(tuple(dict.fromkeys(item for each in scans for item in getattr(each, name))) for name in _SCAN_FIELDS))
        return replace(joined, failed=(*self.failed, *joined.failed))

    def _keep_own(self, walked: Scan, selection: FileFilter) -> Scan:
        """Return a walk without what lies in a root of another filter."""
        if len(self.owners) == 1:
            return walked

        @cache
        def is_own(owner: Path | None) -> bool:
            if owner is None:
                return True
            options = self.owners[owner]
            return FileFilter(options.include, options.exclude, options.max_bytes) == selection

        def is_kept(path: Path) -> bool:
            return is_own(self._find_owner(path))

        return replace(
            walked,
            files=tuple(file for file in walked.files if is_kept(file.path)),
            failed=tuple(fault for fault in walked.failed if is_kept(Path(parse_path(fault.source)))),
            skipped=tuple(skip for skip in walked.skipped if is_kept(Path(parse_path(skip.source)))),
            ignored=tuple(path for path in walked.ignored if is_kept(path)),
        )


_SCAN_FIELDS = ("files", "failed", "skipped", "fully_scanned", "empty_roots", "ignored", "linked_roots")


def _resolve_root(given: AnyPath) -> Path:
    path = read_given_path(os.path.expanduser(given))  # noqa: PTH111 (as `scan` does)
    if path and (os.path.lexists(path) or not GLOB_CHARACTERS.search(path)):
        return Path(resolve_path(path))
    return make_absolute(path) if path else Path()


def _is_there(path: Path) -> bool:
    if os.path.lexists(path):
        return path != Path() and not is_database(str(path))
    return GLOB_CHARACTERS.search(str(path)) is not None and bool(_expand(path))


def _expand(pattern: Path) -> list[str]:
    return expand_pattern(str(pattern), lambda *_: None)


def _read_passwords(targets: Mapping[Path, RootOptions]) -> tuple[tuple[str, ...], tuple[FailedFile, ...]]:
    """Return the passwords of all password files, each once; one that cannot be read is a failure, and what it opens another."""
    passwords: dict[str, None] = {}
    failed = []
    for file in dict.fromkeys(options.password_file for options in targets.values() if options.password_file is not None):
        try:
            lines = Path(parse_path(file)).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = describe_os_error(error, file) if isinstance(error, OSError) else "it is no UTF-8"
            failed.append(FailedFile(file, f"no passwords were read: {reason}; name another file: --password-file FILE"))
            continue
        passwords |= dict.fromkeys(filter(None, lines))
    return tuple(passwords), tuple(failed)
