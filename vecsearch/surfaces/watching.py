"""Keeps an index fresh: each burst of changes below the watched paths is one run over the files that changed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from vecsearch.core.errors import VecsearchError
from vecsearch.core.types import plural
from vecsearch.surfaces import indexing, render
from vecsearch.surfaces.options import Common

if TYPE_CHECKING:
    from vecsearch.core.types import FoundFile, IndexReport, Scan

_CALM_MS: Final = 300  # without a change, before a burst is over
_LONGEST_MS: Final = 5_000
_CLOCK_S: Final = 2.0  # as coarse as the times of files are anywhere


def watch(options: Common, given: Sequence[str], run: indexing.IndexRun) -> None:
    """Index the paths, then every change to them, until interrupted."""
    started = time.time() - _CLOCK_S
    _say(options, indexing.paths(options, given, run), first=True)
    waiting = _Touched(since=started)
    for changed in _bursts(options, given):
        waiting.paths |= changed
        try:
            report = indexing.paths(options, given, run, only=waiting.of)
        except VecsearchError as error:  # another process writes, say: with the next burst again
            click.echo(f"Error: {error}", err=True)
            continue
        waiting = _Touched()
        _say(options, report)


@dataclass(slots=True)
class _Touched:
    """What is not indexed yet: paths that changed, and, `since` a time before the watch began, files changed then."""

    paths: set[Path] = field(default_factory=set)
    since: float | None = None

    def of(self, scan: Scan) -> Scan:
        """The scan with only these files; what is gone shows in any case."""
        return replace(scan, files=tuple(filter(self._has, scan.files)))

    def _has(self, found: FoundFile) -> bool:
        if not self.paths.isdisjoint((found.path, *found.path.parents)):
            return True
        if self.since is None:
            return False
        try:
            info = found.path.stat()
        except OSError:
            return True
        return max(info.st_mtime, info.st_ctime) >= self.since


def _bursts(options: Common, given: Sequence[str]) -> Iterator[set[Path]]:
    """Paths that changed together; at first, perhaps, none: then the watch has begun."""
    from watchfiles import watch as changes

    roots = [path for path in (Path(each).expanduser().absolute() for each in given) if path.exists()]
    database = options.folder_to_make().absolute()
    if not options.quiet:
        click.echo(f"watching {plural(len(roots), 'path')}; Ctrl-C ends it", err=True)
    begun = False
    for burst in changes(
        *roots, watch_filter=None, step=_CALM_MS, debounce=_LONGEST_MS, rust_timeout=_CALM_MS, yield_on_timeout=True
    ):
        changed = {path for path in (Path(name) for _, name in burst) if not path.is_relative_to(database)}
        if changed or not begun:
            yield changed
        begun = True


def _say(options: Common, report: IndexReport, *, first: bool = False) -> None:
    """A line for a run that did something, or could not."""
    if not (first or report.added or report.updated or report.removed or report.failed):
        return
    for line in render.trouble_lines(report):
        click.echo(line, err=True)
    if options.as_json:
        click.echo(render.as_json(report.to_dict()))
    elif not options.quiet:
        for line in render.report_lines(report):
            click.echo(line)
