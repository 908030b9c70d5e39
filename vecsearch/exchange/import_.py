"""Import documents of another place: taken as they are where the same model made their vectors, else encoded again.

What is good is stored, in batches; what is not is reported with its place. An interrupted import that is run again, skipping what
is there, goes on where it stopped.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from vecsearch.core.batched import batched
from vecsearch.core.errors import InputError, ModelMismatchError, VecsearchWarning
from vecsearch.core.files import FailedFile
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.core.source_paths import to_absolute_path, to_stored_path
from vecsearch.core.stop_signal import NO_STOP, RunStoppedError, StopSignal
from vecsearch.core.types import CollectionSpec, OnConflict, Split, VectorOrigin
from vecsearch.documents.chunk_inputs import hash_content
from vecsearch.documents.validation import has_words
from vecsearch.encoders import registry
from vecsearch.encoders.base import EncoderSpec, TextEncoder
from vecsearch.exchange.transfer_records import ExportHeader, ImportEntry, ImportRecord, ImportSource
from vecsearch.indexing.batch_writer import BatchWriter
from vecsearch.indexing.commit_check import LeftOut, format_id_conflict
from vecsearch.indexing.progress import NullProgress, Progress
from vecsearch.indexing.stages import chunk, rechunk
from vecsearch.indexing.vector_filler import VectorFiller
from vecsearch.indexing.write_target import CollectionTarget, count_stored
from vecsearch.stores.base import CollectionInfo, IndexedFile, Matrix, NewDocument, Store, StoredDocument

_BATCH_CHARACTERS: Final = 20_000_000  # of documents committed together
_NO_VECTORS: Final = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. Counts are documents.

    `vectors_reused` and `encoded` say how those that were stored got their vectors, or will; `documents` and `chunks` are the
    collection's totals after it, of which `pending_vectors` chunks are found by their words alone so far. `stopped`: the run was
    told to stop before its end; another one that skips what is there goes on.
    """

    added: int
    replaced: int
    skipped: int
    vectors_reused: int
    encoded: int
    failed: tuple[FailedFile, ...]
    documents: int
    chunks: int
    seconds: float
    pending_vectors: int = 0
    stopped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the shell's JSON, in its order."""
        return asdict(self)


@dataclass(slots=True)
class _ImportCounts:
    """Documents so far that were not stored; see `ImportReport`."""

    skipped: int = 0
    failed: list[FailedFile] = field(default_factory=list)


class ImportRun:
    """One run. The write lock is held for a batch."""

    def __init__(
        self, store: Store, name: str, *, requested_model: str | TextEncoder | None, get_encoder: Callable[[], TextEncoder],
        spec: CollectionSpec, policy: OnConflict, progress: Progress | None = None, fill: bool = True,
        stop: StopSignal = NO_STOP,
    ) -> None:  # fmt: skip
        """Set up a run. `fill`: vectors are made, too, of all that waits for one."""
        self._target, self._source_root = CollectionTarget(store, name), store.source_root
        get_encoder = cache(get_encoder)  # the same one for all of the run: each commit looks again
        self._requested_model, self._get_encoder, self._spec, self._policy = requested_model, get_encoder, spec, policy
        self._progress: Progress = progress or NullProgress()
        self._name = name
        self._batches = BatchWriter(
            self._target, get_encoder=get_encoder, spec=spec, advance=lambda _, chunks: self._progress.advance(0, chunks),
            may_overwrite=policy is OnConflict.REPLACE, vectors_follow=True,
        )  # fmt: skip
        self._fill, self._stop = fill, stop
        self._counts, self._start_time = _ImportCounts(), perf_counter()
        self._places: dict[str, str] = {}  # where each id stood
        self._reread: set[str] = set()  # files that are to be read again when they are indexed
        self._characters = 0  # of documents that wait in the batch with their vectors

    def run(self, source: ImportSource, origin: str) -> ImportReport:
        """Store every record. Raises InputError, before anything is stored, for an id that is there where none may be."""
        with self._target.open_snapshot() as snapshot:
            info = None if snapshot is None else snapshot.info
        with suppress(RunStoppedError):
            if info is not None and self._policy is OnConflict.ERROR:
                self._refuse_stored_ids(source)
            reuses = self._can_reuse_vectors(source.header, info)
            if source.header is not None and not reuses:
                self._warn_encoded_again(source.header, info)
            self._progress.begin(int(source.total))
            for entries in self._read_batches(source):
                self._process_entries(entries, origin, source.header if reuses else None)
                self._progress.advance(sum(entry.weight for entry in entries), 0)
        self._batches.flush()
        if self._fill:
            filler = VectorFiller(
                self._target, get_encoder=self._get_encoder, progress=self._progress, stop=self._stop,
                source_root=self._source_root,
            )  # fmt: skip
            self._counts.failed += [FailedFile(failure.source or origin, failure.error) for failure in filler.run().failed]
        return self._build_report(origin)

    def _read_batches(self, source: ImportSource) -> Iterator[list[ImportEntry]]:
        return batched(self._stop.check_each(source.read_entries()), READ_DOCUMENTS)

    def _refuse_stored_ids(self, source: ImportSource) -> None:
        for entries in self._read_batches(source):
            ids = [entry.record.document.id for entry in entries if entry.record is not None]
            if existing := self._read_stored(ids):
                raise InputError(
                    f"the id {next(iter(existing))!r} is there already, so nothing was imported; to go on all the same: "
                    "on_conflict 'skip' (--on-conflict skip) or 'replace'"
                )

    def _read_stored(self, ids: Sequence[str]) -> Mapping[str, StoredDocument]:
        with self._target.open_snapshot() as snapshot:
            return {} if snapshot is None else snapshot.find_stored_documents(ids)

    # -- whose vectors

    def _can_reuse_vectors(self, header: ExportHeader | None, info: CollectionInfo | None) -> bool:
        """Return whether the vectors that come are the collection's kind, or what it is to be created for."""
        if header is None:
            return False
        if info is not None:
            return (header.fingerprint, header.dimension) == (info.encoder.fingerprint, info.encoder.dimension)
        if self._requested_model is None:
            return True
        try:
            registry.load_matching(
                self._requested_model, collection=self._name, stored=header.model, fingerprint=header.fingerprint
            )
        except ModelMismatchError:
            return False
        return True

    def _warn_encoded_again(self, header: ExportHeader, info: CollectionInfo | None) -> None:
        ours = self._get_encoder().name if info is None else info.encoder.model
        warnings.warn(
            f"the vectors that come were made by {header.model}, those of collection {self._name!r} by {ours}"
            f"{' in another way' if ours == header.model else ''}: the texts are encoded again",
            VecsearchWarning,
            stacklevel=4,
        )

    # -- records

    def _process_entries(self, entries: Sequence[ImportEntry], origin: str, header: ExportHeader | None) -> None:
        new = [entry for entry in entries if self._is_first(entry, origin)]
        stored = self._read_stored([entry.record.document.id for entry in new if entry.record is not None])
        chosen = [
            record
            for entry in new
            if (record := entry.record) is not None and self._is_wanted(record, stored.get(record.document.id), entry, origin)
        ]
        if chosen and header is not None:
            self._ensure(header)
        self._mark_for_reading({path for record in chosen if (path := self._resolve_path(record)) is not None})
        for record in self._stop.check_each(chosen):
            if record.vector_origin is VectorOrigin.NONE:
                self._store(record, _NO_VECTORS)
            elif header is not None and record.vectors is not None:
                self._store(record, record.vectors.astype(np.float32))
            elif has_words(record.document.title, record.document.text):
                self._encode(record)
            else:
                what = "it is a vector without a text, which this collection's model cannot make again"
                self._counts.failed.append(FailedFile(origin, f"{self._places[record.document.id]}: {what}"))

    def _is_first(self, entry: ImportEntry, origin: str) -> bool:
        if entry.record is None:
            self._counts.failed.append(FailedFile(origin, f"{entry.where}: {entry.error}"))
            return False
        key = entry.record.document.id
        if key in self._places:
            place = self._places[key]
            self._counts.failed.append(FailedFile(origin, f"{entry.where}: the id {key!r} was given already, by {place}"))
            return False
        self._places[key] = entry.where
        return True

    def _is_wanted(self, record: ImportRecord, stored: StoredDocument | None, entry: ImportEntry, origin: str) -> bool:
        if stored is None:
            return True
        if self._policy is OnConflict.SKIP:
            self._counts.skipped += 1
            return False
        if self._policy is OnConflict.ERROR:  # another run has stored it since this one began
            self._counts.failed.append(FailedFile(origin, f"{entry.where}: the id {stored.id!r} is there already"))
            return False
        path = self._resolve_path(record)
        if stored.source is not None and stored.source != path:
            conflict = format_id_conflict(stored.id, stored.source, path)
            self._counts.failed.append(FailedFile(origin, f"{entry.where}: {conflict}"))
            return False
        return True

    def _store(self, record: ImportRecord, vectors: Matrix) -> None:
        """Store a document with the vectors that it came with, or without any, as it came."""
        document = record.document
        follows = record.vector_origin is VectorOrigin.TEXT and record.digest is not None
        digest = record.digest or hash_content(document, Split.TOKENS)
        self._batches.add_encoded(
            NewDocument(
                document.id, self._resolve_path(record), document.text, document.title, document.metadata,
                digest, record.spans or (ChunkSpan(0, len(document.text)),), vectors,
                vector_origin=VectorOrigin.TEXT if follows else record.vector_origin or VectorOrigin.CALLER,
                payload=document.payload,
            )
        )  # fmt: skip
        self._characters += len(document.text)
        if self._characters >= _BATCH_CHARACTERS:
            self._batches.flush()
            self._characters = 0

    def _encode(self, record: ImportRecord) -> None:
        document, source = record.document, self._resolve_path(record)
        encoder = self._get_encoder()
        if not record.spans:
            self._batches.add(chunk(document, Split.TOKENS, encoder, source=source))
            return
        digest = record.digest or hash_content(document, Split.TOKENS)
        self._batches.add(rechunk(document, record.spans, encoder, digest=digest, source=source))

    def _resolve_path(self, record: ImportRecord) -> str | None:
        """Return the stored path of its file as it is to be in this database."""
        if record.source is None:
            return None
        return to_stored_path(self._source_root, Path(os.path.normpath(to_absolute_path(self._source_root, record.source))))

    # -- writing

    def _ensure(self, header: ExportHeader) -> None:
        """Create the collection if it is not there, before anything else can create it for another model."""
        with self._target.open_writer() as writer:
            spec = EncoderSpec(header.model, header.fingerprint, header.dimension)
            if self._batches.check_unchanged(writer, spec) is None:
                self._batches.create(writer, spec, precision=header.precision, stemmer=self._spec.stemmer or header.stemmer)

    def _mark_for_reading(self, paths: set[str]) -> None:
        """Mark complete files that get documents which they may not hold: they are read again when indexed."""
        if not (new := paths - self._reread):
            return
        self._reread |= new
        with self._target.open_snapshot() as snapshot:
            absolute = [to_absolute_path(self._source_root, path) for path in sorted(new)]
            sources = {} if snapshot is None else snapshot.find_stored_sources(below=absolute)
        for path in sorted(new & sources.keys()):
            if (stored := sources[path]).digest:
                self._batches.finish_file(IndexedFile(path, None, stored.split, stored.error, stored.mounted))

    def _count_left_out(self, left_out: LeftOut, origin: str) -> None:
        """Report a document whose id another run stored between the look-up and the commit."""
        key = left_out.id
        if self._policy is OnConflict.SKIP:
            self._counts.skipped += 1
            return
        same = self._policy is OnConflict.ERROR and left_out.stored_source == left_out.source
        reason = f"the id {key!r} is there already" if same else str(left_out)
        self._counts.failed.append(FailedFile(origin, f"{self._places[key]}: {reason}"))

    def _build_report(self, origin: str) -> ImportReport:
        for left_out in self._batches.left_out:
            self._count_left_out(left_out, origin)
        if not self._stop.is_set:
            with self._target.open_writer() as writer:
                if writer.info is not None:
                    writer.refresh_indexes()
        documents, chunks, pending = count_stored(self._target)
        counts, written, seconds = self._counts, self._batches.counts, round(perf_counter() - self._start_time, 3)
        return ImportReport(
            written.added, written.replaced, counts.skipped, written.added + written.replaced - written.encoded, written.encoded,
            tuple(counts.failed), documents, chunks, seconds, pending, self._stop.is_set,
        )  # fmt: skip
