"""What a run notes besides documents: the roots that it was given, and the files that it passed over."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from vecsearch.core.files import FailedFile, Scan, SkippedFile
from vecsearch.core.roots import Root
from vecsearch.core.row_options import RowOptions
from vecsearch.core.source_paths import format_path, parse_path, to_absolute_path, to_stored_path
from vecsearch.core.timestamps import get_timestamp
from vecsearch.core.types import format_count
from vecsearch.indexing.root_plan import RootPlan
from vecsearch.indexing.write_target import CollectionTarget
from vecsearch.stores.base import StoredSource


class RootRecorder:
    """Stores the roots of a run as soon as there is a collection, so that an interrupted run is not asked for them again."""

    def __init__(self, target: CollectionTarget, source_root: Path, plan: RootPlan) -> None:
        self._target, self._source_root, self._plan = target, source_root, plan
        self._is_done = not plan.roots
        self._known: set[str] = set()
        self._dropped: list[str] = []
        self._guessed: list[Root] = []

    def record(self) -> None:
        """Store the roots; files of one that has other options than before are read again."""
        if self._is_done:
            return
        with self._target.open_writer() as writer, writer.open_snapshot() as snapshot:
            if snapshot is None:
                return
            self._known = {root.path for root in snapshot.load_roots().roots}
        with self._target.open_writer() as writer:
            if writer.info is not None:
                writer.set_roots(self._plan.roots, changed=self._plan.list_changed_paths())
                self._is_done = True

    def drop_new(self, path: str) -> None:
        """Note that a root that was given now holds nothing, and so is not to be kept."""
        self._dropped.append(path)

    def keep_columns(self, path: Path, rows: RowOptions) -> None:
        """Note which columns were guessed for a file that is a root: it stays a list of these, whatever its rows become."""
        is_root = any(Path(parse_path(root.path)) == path for root in self._plan.roots)
        options = self._plan.get_options(path)
        if is_root and options.rows is not None and not options.rows.list_columns():
            self._guessed.append(Root(format_path(path), replace(options, rows=replace(rows, guess=False)), get_timestamp()))

    def finish(self) -> None:
        """Store the roots, if that was not possible before, without what was dropped."""
        self.record()
        if self._guessed:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.set_roots(self._guessed)
        if dropped := [path for path in self._dropped if path not in self._known]:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.forget_roots(dropped)


class SkipRecorder:
    """Notes which files were passed over, so that a run tells only of new ones."""

    def __init__(self, target: CollectionTarget, source_root: Path) -> None:
        self._target, self._source_root = target, source_root
        self._stored: dict[str, StoredSource] = {}
        self._reasons: dict[str, str] = {}
        self._outdated: set[str] = set()

    def add_scan(self, scan: Scan, sources: Mapping[str, StoredSource]) -> Iterator[SkippedFile]:
        """Take what a walk passed over, and what is stored of it; yield it, new or not."""
        self._stored = {name: known for name, known in sources.items() if known.skipped is not None}
        met = {file.path for file in scan.files}
        for name in self._stored:
            path = to_absolute_path(self._source_root, name)
            if path not in met and any(path.is_relative_to(root) for root in scan.fully_scanned):
                self._outdated.add(name)
        for skip in scan.skipped:
            name = to_stored_path(self._source_root, Path(parse_path(skip.source)))
            has_documents = name in sources and sources[name].documents  # kept, or about to go
            yield skip if has_documents else self.add(name, skip)

    def add(self, name: str, skip: SkippedFile) -> SkippedFile:
        """Take a file, by stored path, that was passed over; return it, new or not."""
        self._outdated.discard(name)
        known = self._stored.get(name)
        is_new = known is None or known.skipped != skip.reason
        if is_new:
            self._reasons[name] = skip.reason
        return replace(skip, is_new=is_new)

    def remove_outdated(self) -> None:
        """Forget files that a walk does not meet any more."""
        if self._outdated:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.delete_sources(sorted(self._outdated))

    def record(self) -> None:
        """Store what was passed over."""
        if self._reasons:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.record_skips(self._reasons)


def explain_gone(fault: FailedFile, sources: Mapping[str, StoredSource], source_root: Path) -> FailedFile:
    """Add to the failure of a path that is gone what is kept of it, and the command that removes that."""
    path = Path(parse_path(fault.source))
    if not fault.source or os.path.lexists(path):
        return fault
    count = sum(known.documents for name, known in sources.items() if to_absolute_path(source_root, name).is_relative_to(path))
    if not count:
        return fault
    command = f"vecsearch delete --source {shlex.quote(fault.source)}"
    kept = (
        "1 document that came from it is kept" if count == 1 else f"{format_count(count, 'document')} that came from it are kept"
    )
    return replace(fault, error=f"{fault.error}; {kept}; to remove {'it' if count == 1 else 'them'}: {command}")
