"""The write story: scan → compare → load → split → encode → commit.

A file is loaded when it is new or its bytes have changed; a document is encoded when its title, text or split has changed; a
batch of chunks is committed as soon as it is encoded. So an unchanged folder costs no encoding, and an interrupted run goes on
where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Protocol

from vecsearch.batches import Batches, conflict, content_digest
from vecsearch.core.errors import InputError, StorageFull, UnreadableFile, VecsearchWarning
from vecsearch.core.types import Draft, Failure, FoundFile, IndexReport, Loaded, Metadata, Precision, Scan, Skip, Split, plural
from vecsearch.documents.loaders import load_bytes
from vecsearch.documents.text import NoText, NotText
from vecsearch.documents.validate import checked
from vecsearch.encoding.protocol import Encoder
from vecsearch.persistence import paths, publish
from vecsearch.persistence.database import Database
from vecsearch.persistence.reader import Reader, StoredDocument, StoredSource
from vecsearch.persistence.writer import ReadSource, Writer


class Progress(Protocol):
    """Told how the run goes."""

    def begin(self, total_bytes: int) -> None:
        """The size of all the files to look at."""

    def advance(self, read_bytes: float, chunks: int) -> None:
        """So much more is done, so many more chunks have a vector."""


class Silent:
    """Tells nobody."""

    def begin(self, total_bytes: int) -> None:
        """Nothing."""

    def advance(self, read_bytes: float, chunks: int) -> None:
        """Nothing."""


@dataclass(slots=True)
class Tally:
    """Documents added, updated, unchanged, removed; files that failed or were skipped."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)


class Ingest:
    """One run over files, or over the lines of a pipe. The caller holds the write lock."""

    def __init__(
        self, database: Database, name: str, *, encoder_of: Callable[[], Encoder], precision: Precision, split: Split,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._database, self._name, self._parent = database, name, database.parent
        self._reader, self._writer = Reader(database, name), Writer(database, name)
        self._batches = Batches(database, name, encoder_of=encoder_of, precision=precision, advance=progress.advance)
        self._split, self._progress = split, progress
        self._tally, self._started = Tally(), perf_counter()

    def run(self, scan: Scan, *, allow_empty: bool) -> IndexReport:
        """Bring the collection up to what the scanned roots hold."""
        self._tally.failed.extend(scan.failed)
        self._tally.skipped.extend(scan.skipped)
        known = self._known()
        self._remove_vanished(known, scan, allow_empty=allow_empty)
        sizes = {found.path: _size(found.path) for found in scan.files}
        self._progress.begin(sum(sizes.values()))
        for found in scan.files:
            self._file(found, known.get(paths.stored(self._parent, found.path)), sizes[found.path])
        return self._finished()

    def upsert(self, drafts: Sequence[Draft], errors: Sequence[str], *, origin: str) -> IndexReport:
        """Add or replace documents that come from no file; removes nothing."""
        self._tally.failed.extend(Failure(origin, error) for error in errors)
        size = sum(len(draft.text) for draft in drafts)
        self._progress.begin(size)
        self._documents(drafts, None, origin, size)
        return self._finished()

    def _finished(self) -> IndexReport:
        self._batches.flush()
        with self._reader.snapshot() as snapshot:
            documents, chunks = (0, 0) if snapshot is None else snapshot.counts()
        if snapshot is not None:
            self._publish()
        tally, seconds = self._tally, round(perf_counter() - self._started, 3)
        return IndexReport(
            tally.added, tally.updated, tally.unchanged, tally.removed, tuple(tally.failed), tuple(tally.skipped), documents,
            chunks, seconds,
        )  # fmt: skip

    def _publish(self) -> None:
        """The rows are committed: an index file that cannot be written slows searches, and loses nothing."""
        try:
            publish.publish(self._database, self._name)
        except StorageFull as error:
            warnings.warn(str(error), VecsearchWarning, stacklevel=2)

    def _known(self) -> dict[str, StoredSource]:
        with self._reader.snapshot() as snapshot:
            return {} if snapshot is None else snapshot.sources()

    # -- one file

    def _file(self, found: FoundFile, known: StoredSource | None, size: int) -> None:
        name = paths.stored(self._parent, found.path)
        try:
            data = found.path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if known and (known.digest, known.split, known.error) == (digest, self._split.value, None):
                self._tally.unchanged += known.documents
                self._progress.advance(size, 0)
                return
            loaded = load_bytes(data, suffix=found.path.suffix.lower(), name=found.path.name)
        except (NotText, NoText) as error:
            self._no_text(found, known, error, name)
        except (UnreadableFile, OSError) as error:
            self._failed(found, _reason(error), known, name)
        else:
            self._loaded(found, loaded, digest, name, size)
            return
        self._progress.advance(size, 0)

    def _no_text(self, found: FoundFile, known: StoredSource | None, error: InputError, name: str) -> None:
        if found.named or (known and known.documents):
            self._failed(found, str(error), known, name)
        else:
            self._tally.skipped.append(Skip(found.path.as_posix(), str(error)))

    def _failed(self, found: FoundFile, reason: str, known: StoredSource | None, name: str) -> None:
        kept = f"; {plural(known.documents, 'document')} of before kept" if known and known.documents else ""
        self._tally.failed.append(Failure(found.path.as_posix(), reason + kept))
        if known:
            self._writer.note_failure(name, reason)

    def _loaded(self, found: FoundFile, loaded: Loaded, digest: str, name: str, size: int) -> None:
        uri = found.path.as_posix()
        drafts = loaded.drafts if loaded.itemised else [replace(loaded.drafts[0], id=name)]
        self._tally.failed.extend(Failure(uri, error) for error in loaded.errors)
        seen, problems = self._documents(drafts, name, uri, size)
        problems = [*loaded.errors, *problems]
        read = ReadSource(
            path=name, digest=digest, split=self._split, error="; ".join(problems[:3]) or None,
            mounted=_mounted(found.path, self._parent), gone=() if problems else self._gone(name, seen),
        )  # fmt: skip
        self._tally.removed += len(read.gone)
        self._batches.finish(read)

    def _gone(self, name: str, seen: set[str]) -> tuple[str, ...]:
        with self._reader.snapshot() as snapshot:
            return () if snapshot is None else tuple(sorted(snapshot.keys_of_source(name) - seen))

    def _documents(self, drafts: Sequence[Draft], source: str | None, uri: str, size: float) -> tuple[set[str], list[str]]:
        """Store what is new or changed; gives the ids seen and what was wrong with others."""
        with self._reader.snapshot() as snapshot:
            stored = {} if snapshot is None else snapshot.stored([draft.id for draft in drafts])
        weight = size / max(1, len(drafts))
        seen: set[str] = set()
        problems: list[str] = []
        relabelled: dict[str, Metadata] = {}
        for draft in drafts:
            prior = stored.get(draft.id)
            try:
                self._check(draft, source, prior)
            except InputError as error:
                problems.append(str(error))
                self._tally.failed.append(Failure(uri, str(error)))
                continue
            seen.add(draft.id)
            if prior is None or prior.digest != content_digest(draft, self._split):
                self._count(prior is None, True)
                self._batches.add(draft, source=source, split=self._split, weight=weight, replaces=prior is not None)
                continue
            if changed := prior.metadata != dict(draft.metadata):
                relabelled[draft.id] = draft.metadata
            self._count(False, changed)
            self._progress.advance(weight, 0)
        if relabelled:
            self._writer.change(relabelled)
        return seen, problems

    def _check(self, draft: Draft, source: str | None, prior: StoredDocument | None) -> None:
        checked(draft)
        self._batches.check_free(draft.id, source)
        if prior and prior.source != source:
            raise InputError(conflict(draft.id, prior.source, source))

    def _count(self, new: bool, changed: bool) -> None:
        self._tally.added += new
        self._tally.updated += changed and not new
        self._tally.unchanged += not changed

    # -- what is no longer there

    def _remove_vanished(self, known: dict[str, StoredSource], scan: Scan, *, allow_empty: bool) -> None:
        gone: set[str] = set()
        for root in scan.complete:
            below = {name: paths.absolute(self._parent, name) for name in known}
            missing = {name: path for name, path in below.items() if path.is_relative_to(root) and not os.path.lexists(path)}
            lost = {name for name, path in missing.items() if known[name].mounted and not _mounted(path, self._parent)}
            if root in scan.empty and missing and not allow_empty:
                self._tally.failed.append(Failure(root.as_posix(), _kept("the folder is empty", len(missing))))
            elif lost and not allow_empty:
                self._tally.failed.append(Failure(root.as_posix(), _kept("a file system is gone", len(lost))))
                gone |= missing.keys() - lost
            else:
                gone |= missing.keys()
        if gone:
            self._tally.removed += self._writer.forget_sources(sorted(gone))


def gives_documents(found: FoundFile) -> bool:
    """Whether a file, read now, has anything to index."""
    try:
        return bool(load_bytes(found.path.read_bytes(), suffix=found.path.suffix.lower(), name=found.path.name).drafts)
    except (UnreadableFile, NotText, NoText, OSError):
        return False


def _kept(why: str, missing: int) -> str:
    return (
        f"{why}, {plural(missing, 'file')} had been indexed from there: nothing was removed, in case a drive is not mounted; "
        "if they are really gone, run again with --allow-empty"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _mounted(path: Path, parent: Path) -> bool:
    """Whether a file, or the nearest folder above it that is there, lies on another device than the database's parent folder."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_dev != parent.stat().st_dev
        except OSError:
            continue
    return False
