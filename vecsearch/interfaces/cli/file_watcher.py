"""Keeps an index fresh: each burst of changes below the watched paths is one run over the files that changed.

A run stores texts, which are found by their words from then on; a thread beside it makes their vectors.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from vecsearch.core.errors import CollectionNotFoundError, InputError, NotADatabaseError, UsageError, VecsearchError
from vecsearch.core.source_paths import format_path, parse_path, resolve_path
from vecsearch.core.types import format_count, format_names
from vecsearch.core.undisturbed import run_undisturbed
from vecsearch.interfaces.cli import index_commands, streams
from vecsearch.interfaces.cli.options import CliContext
from vecsearch.interfaces.rendering import output
from vecsearch.interfaces.rendering.terminal_safe import make_printable

if TYPE_CHECKING:
    from vecsearch.core.files import FoundFile, IndexReport, Scan

_QUIET_PERIOD_MS: Final = 300  # without a change, before a burst is over
_DEBOUNCE_MAX_MS: Final = 5_000
_NAMES_SHOWN: Final = 3  # files of a burst
_MTIME_RESOLUTION_S: Final = 2.0  # as coarse as the times of files are anywhere


def watch(options: CliContext, paths: Sequence[str], run: index_commands.IndexOptions) -> None:
    """Index the paths, or all roots, then every change to them, until interrupted."""
    paths = paths or [parse_path(root.path) for root in index_commands.list_roots(options)]
    if not paths:
        raise UsageError("nothing to watch: no file or folder was indexed yet; name one: vecsearch watch PATH")
    if not _find_roots(paths):
        raise InputError(f"nothing to watch: no file or folder named {' or '.join(paths)}; make it first, or name another")
    started = time.time() - _MTIME_RESOLUTION_S
    _print_report(options, index_commands.index_paths(options, paths, run, vectors=False), first=True)
    waiting = _PendingChanges(changed_after=started)
    with _fill_beside(options) as wake:
        for changed in _watch_changes(options, paths):
            waiting.paths |= changed
            try:
                report = index_commands.index_paths(options, paths, run, only=waiting.filter_scan, vectors=False)
            except VecsearchError as error:  # another process writes, say: with the next burst again
                streams.print_line(f"Error: {error}")
                continue
            names, waiting = waiting.describe(), _PendingChanges()
            _print_report(options, report, names=names)
            wake()


@contextmanager
def _fill_beside(options: CliContext) -> Iterator[Callable[[], None]]:
    """Make the vectors that wait in a thread, at first and whenever what this gives is called, while the block lasts."""
    due: SimpleQueue[bool] = SimpleQueue()  # no Event: an interruption may leave it locked
    stopped = Event()
    quiet = replace(options, quiet=True)  # a progress bar would stand between the lines of the other thread

    def fill() -> None:
        while due.get() and not stopped.is_set():
            if not due.empty():
                continue  # once for all that came together
            try:
                for line in output.format_failed_files(index_commands.fill_vectors(quiet, stopped.is_set).failed):
                    streams.print_line(line)
            except (NotADatabaseError, CollectionNotFoundError):  # there was nothing to index yet
                continue
            except VecsearchError as error:
                streams.print_line(f"Error: {error}")

    thread = Thread(target=fill, name="vecsearch-filling")
    run_undisturbed(thread.start)
    due.put(True)
    try:
        yield partial(due.put, True)
    finally:
        stopped.set()
        due.put(False)
        thread.join()


@dataclass(slots=True)
class _PendingChanges:
    """What is not indexed yet: changed paths, and files changed after a time (`changed_after`) before the watch began."""

    paths: set[Path] = field(default_factory=set)
    changed_after: float | None = None
    names: set[str] = field(default_factory=set)  # of the files among them that were scanned

    def filter_scan(self, scan: Scan) -> Scan:
        """Return the scan with only these files; what is gone shows in any case."""
        files = tuple(filter(self._has_changed, scan.files))
        changed = (file for file in files if not self.paths.isdisjoint((file.path, *file.path.parents)))
        self.names |= {file.source for file in changed}
        return replace(scan, files=files)

    def describe(self) -> str:
        """Return which files changed, or are gone, relative to the current folder."""
        gone = {format_path(path) for path in self.paths if not (path.name.startswith(".") or os.path.lexists(path))}
        current = f"{format_path(Path.cwd())}/"
        return format_names(sorted(name.removeprefix(current) for name in self.names | gone), limit=_NAMES_SHOWN)

    def _has_changed(self, file: FoundFile) -> bool:
        if not self.paths.isdisjoint((file.path, *file.path.parents)):
            return True
        if self.changed_after is None:
            return False
        try:
            info = file.path.stat()
        except OSError:
            return True
        return max(info.st_mtime, info.st_ctime) >= self.changed_after


def _watch_changes(options: CliContext, paths: Sequence[str]) -> Iterator[set[Path]]:
    """Yield paths that changed together; at first, perhaps, none: then the watch has begun."""
    from watchfiles import watch as changes

    roots = _find_roots(paths)
    database = Path(resolve_path(options.choose_database()))
    if not options.quiet:
        streams.print_line(f"watching {format_count(len(roots), 'path')}; Ctrl-C stops it")
    begun = False
    for burst in changes(
        *roots,
        watch_filter=None,
        step=_QUIET_PERIOD_MS,
        debounce=_DEBOUNCE_MAX_MS,
        rust_timeout=_QUIET_PERIOD_MS,
        yield_on_timeout=True,
    ):
        changed = {path for path in (Path(name) for _, name in burst) if not path.is_relative_to(database)}
        if changed or not begun:
            yield changed
        begun = True


def _find_roots(paths: Sequence[str]) -> list[Path]:
    return [path for path in (Path(resolve_path(Path(name).expanduser())) for name in paths) if path.exists()]


def _print_report(options: CliContext, report: IndexReport, *, first: bool = False, names: str = "") -> None:
    """Print what a run did, if it did something, or could not, and with which files."""
    if not (first or report.added or report.updated or report.removed or report.failed):
        return
    for line in output.format_failures(report):
        streams.print_line(line)
    folder = index_commands.shorten_folder(options.choose_database())
    (changes, totals) = output.format_report(report, folder)
    lines = [f"{make_printable(names)}: {changes}" if names else changes, totals]
    options.show(report.to_dict(), [] if options.quiet else lines)
