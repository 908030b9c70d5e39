"""The write story: scan → compare → load → split → encode → commit.

A file is read when it is new or its bytes have changed; a document is encoded when its title, text or split has changed; a batch of
chunks is committed as soon as it is encoded. So an unchanged folder costs no encoding, and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from vecsearch.batches import Batches, conflict, content_digest
from vecsearch.core.errors import InputError, UnreadableFile
from vecsearch.core.types import Draft, Failure, FoundFile, Loaded, Scan, Skip, Split
from vecsearch.documents.loaders import load_bytes
from vecsearch.documents.text import NotText, NoText
from vecsearch.documents.validate import checked
from vecsearch.persistence import paths
from vecsearch.persistence.reader import Reader, StoredSource
from vecsearch.persistence.writer import ReadSource, Writer



class Progress(Protocol):
    """Told how the run goes."""

    def begin(self, total_bytes: int) -> None:
        """The size of all the files to look at."""

    def advance(self, read_bytes: float, chunks: int) -> None:
        """So much is done, so many chunks were stored."""


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

    def __init__(self, *, reader: Reader, writer: Writer, batches: Batches, parent: Path, split: Split, progress: Progress) -> None:
        self._reader, self._writer, self._batches = reader, writer, batches
        self._parent, self._split, self._progress = parent, split, progress
        self.tally = Tally()

    def run(self, scan: Scan, *, allow_empty: bool) -> Tally:
        """Bring the collection up to what the scanned roots hold."""
        self.tally.failed.extend(scan.failed)
        self.tally.skipped.extend(scan.skipped)
        known = self._known()
        self._remove_vanished(known, scan, allow_empty=allow_empty)
        sizes = {found.path: _size(found.path) for found in scan.files}
        self._progress.begin(sum(sizes.values()))
        for found in scan.files:
            self._file(found, known.get(paths.stored(self._parent, found.path)), sizes[found.path])
        self._batches.flush()
        return self.tally

    def upsert(self, drafts: Sequence[Draft], errors: Sequence[str], *, origin: str) -> Tally:
        """Add or replace documents that come from no file; removes nothing."""
        self.tally.failed.extend(Failure(origin, error) for error in errors)
        self._progress.begin(sum(len(draft.text) for draft in drafts))
        for draft in drafts:
            self._documents([draft], None, origin, len(draft.text))
        self._batches.flush()
        return self.tally

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
                self.tally.unchanged += known.documents
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
            self.tally.skipped.append(Skip(found.path.as_posix(), str(error)))

    def _failed(self, found: FoundFile, reason: str, known: StoredSource | None, name: str) -> None:
        kept = f"; its {known.documents} documents of before are kept" if known and known.documents else ""
        self.tally.failed.append(Failure(found.path.as_posix(), reason + kept))
        if known:
            self._writer.note_failure(name, reason)

    def _loaded(self, found: FoundFile, loaded: Loaded, digest: str, name: str, size: int) -> None:
        uri = found.path.as_posix()
        drafts = loaded.drafts if loaded.itemised else [replace(loaded.drafts[0], id=name)]
        self.tally.failed.extend(Failure(uri, error) for error in loaded.errors)
        seen, problems = self._documents(drafts, name, uri, size)
        problems = [*loaded.errors, *problems]
        read = ReadSource(
            path=name, digest=digest, split=self._split, error="; ".join(problems[:3]) or None,
            mounted=_mounted(found.path, self._parent), gone=() if problems else self._gone(name, seen),
        )  # fmt: skip
        self.tally.removed += len(read.gone)
        self._batches.finish(read)

    def _gone(self, name: str, seen: set[str]) -> tuple[str, ...]:
        with self._reader.snapshot() as snapshot:
            return () if snapshot is None else tuple(sorted(snapshot.keys_of_source(name) - seen))

    def _documents(self, drafts: Sequence[Draft], source: str | None, uri: str, size: float) -> tuple[set[str], list[str]]:
        """Store what is new or changed; gives the ids seen and what was wrong with others."""
        with self._reader.snapshot() as snapshot:
            stored = {} if snapshot is None else snapshot.stored([draft.id for draft in drafts])
        seen: set[str] = set()
        problems: list[str] = []
        for draft in drafts:
            prior = stored.get(draft.id)
            weight = size / len(drafts)
            try:
                checked(draft)
                self._batches.check_free(draft.id, source)
                if prior and prior.source != source:
                    raise InputError(conflict(draft.id, prior.source, source))
            except InputError as error:
                problems.append(str(error))
                self.tally.failed.append(Failure(uri, str(error)))
                continue
            seen.add(draft.id)
            if prior is None:
                self.tally.added += 1
            elif prior.digest != content_digest(draft, self._split):
                self.tally.updated += 1
            elif prior.metadata != dict(draft.metadata):
                self.tally.updated += 1
                self._writer.change({draft.id: draft.metadata})
                self._progress.advance(weight, 0)
                continue
            else:
                self.tally.unchanged += 1
                self._progress.advance(weight, 0)
                continue
            self._batches.add(draft, source=source, split=self._split, weight=weight, replaces=prior is not None)
        return seen, problems

    # -- what is no longer there

    def _remove_vanished(self, known: dict[str, StoredSource], scan: Scan, *, allow_empty: bool) -> None:
        gone: list[str] = []
        for root in scan.complete:
            below = [each for each in known.values() if paths.absolute(self._parent, each.path).is_relative_to(root)]
            missing = [each for each in below if not os.path.lexists(paths.absolute(self._parent, each.path))]
            if root in scan.empty and missing and not allow_empty:
                self.tally.failed.append(Failure(root.as_posix(), _empty_root(len(missing))))
                continue
            for each in missing:
                if each.mounted and not allow_empty and not _mounted(paths.absolute(self._parent, each.path), self._parent):
                    self.tally.failed.append(Failure(each.path, "gone with the file system it lay on; its documents are kept"))
                else:
                    gone.append(each.path)
        if gone:
            self.tally.removed += self._writer.forget_sources(list(dict.fromkeys(gone)))


def _empty_root(missing: int) -> str:
    return (
        f"the folder is empty, {missing} files were indexed from it: nothing was removed, in case a drive is not mounted; "
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
