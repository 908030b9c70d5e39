"""Documents of another place, into a collection: taken as they are where the same encoder made their vectors, else encoded anew.

What is good is stored, in batches; what is not is reported with its place. An interrupted import that is run again, skipping what
is there, goes on where it stopped.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from vecsearch.core import source_paths
from vecsearch.core.batched import batched
from vecsearch.core.errors import InputError, ModelMismatchError, VecsearchWarning
from vecsearch.core.settings import BATCH_PROVIDED_VECTORS, READ_DOCUMENTS
from vecsearch.core.types import CollectionSpec, FailedFile, OnConflict, Split
from vecsearch.documents.chunk_inputs import hash_content, refit_chunks
from vecsearch.encoders import registry
from vecsearch.encoders.base import Encoder
from vecsearch.exchange.transfer_records import Entry, Header, Record, Source
from vecsearch.indexing.batch_writer import BatchWriter, NullProgress, PendingDocument, Progress, format_id_conflict
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.read.document_reader import StoredDocument, StoredSource
from vecsearch.stores.sqlite.read.reader import Reader
from vecsearch.stores.sqlite.write import compaction, replacement
from vecsearch.stores.sqlite.write.writer import PROVIDED_VECTORS_MARK, IndexedFile, NewDocument, Writer

_CHARACTERS: Final = 20_000_000  # of documents committed together


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. Counts are documents; `taken` and `encoded` say how those that were stored got their vectors;
    `documents` and `chunks` are the collection's totals after it."""

    added: int
    replaced: int
    skipped: int
    taken: int
    encoded: int
    failed: tuple[FailedFile, ...]
    documents: int
    chunks: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The fields of the shell's JSON, in its order."""
        return asdict(self)


@dataclass(slots=True)
class _Tally:
    added: int = 0
    replaced: int = 0
    skipped: int = 0
    taken: int = 0
    encoded: int = 0
    failed: list[FailedFile] = field(default_factory=list)


class Importing:
    """One run. The caller holds the write lock."""

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        asked: str | Encoder | None,
        encoder_of: Callable[[], Encoder],
        making: CollectionSpec,
        policy: OnConflict,
        progress: Progress | None = None,
    ) -> None:
        self._database, self._name, self._asked, self._making, self._policy = database, name, asked, making, policy
        self._reader, self._writer, self._encoder_of = Reader(database, name), Writer(database, name), encoder_of
        self._progress: Progress = progress or NullProgress()
        self._batches = BatchWriter(
            database, name, get_encoder=encoder_of, spec=making, advance=lambda _, n: self._progress.advance(0, n)
        )
        self._tally, self._started = _Tally(), perf_counter()
        self._seen: dict[str, str] = {}  # where each id stood
        self._ready: list[NewDocument] = []
        self._characters, self._chunks, self._ensured = 0, 0, False
        self._files: dict[str, StoredSource] = {}

    def run(self, source: Source, uri: str) -> ImportReport:
        """Store every record. Raises InputError, before anything is stored, for an id that is there where none may be."""
        replacement.drop_leftovers(self._database)
        state = self._look()
        if state is not None and self._policy is OnConflict.ERROR:
            self._refuse_taken(source)
        takes = self._takes(source.header, state)
        if source.header is not None and not takes:
            self._say_encoded_anew(source.header, state)
        self._progress.begin(int(source.total))
        for some in batched(source.entries(), READ_DOCUMENTS):
            self._portion(some, uri, source.header if takes else None)
            self._progress.advance(sum(each.weight for each in some), 0)
        self._commit()
        self._batches.flush()
        return self._finished()

    def _look(self) -> CollectionState | None:
        with self._reader.open_snapshot() as snapshot:
            if snapshot is None:
                return None
            self._files = snapshot.document_reader.load_sources()
            return snapshot.state

    def _refuse_taken(self, source: Source) -> None:
        for some in batched(source.entries(), READ_DOCUMENTS):
            with self._reader.open_snapshot() as snapshot:
                assert snapshot is not None  # nobody else writes now
                keys = [each.record.draft.id for each in some if each.record is not None]
                if taken := snapshot.document_reader.load_stored_documents(keys):
                    raise InputError(
                        f"the id {next(iter(taken))!r} is there already, so nothing was imported; to go on all the same: "
                        "on_conflict 'skip' (--on-conflict skip) or 'replace'"
                    )

    # -- whose vectors

    def _takes(self, header: Header | None, state: CollectionState | None) -> bool:
        """Whether the vectors that come are the collection's kind, or what it is to be made for."""
        if header is None:
            return False
        if state is not None:
            return (header.fingerprint, header.dimension) == (state.fingerprint, state.dimension)
        if self._asked is None:
            return True
        try:
            registry.load_matching(self._asked, collection=self._name, stored=header.encoder, fingerprint=header.fingerprint)
        except ModelMismatchError:
            return False
        return True

    def _say_encoded_anew(self, header: Header, state: CollectionState | None) -> None:
        ours = self._encoder_of().name if state is None else state.encoder
        warnings.warn(
            f"the vectors that come were made by {header.encoder}, those of collection {self._name!r} by {ours}"
            f"{' in another way' if ours == header.encoder else ''}: the texts are encoded anew",
            VecsearchWarning,
            stacklevel=4,
        )

    # -- records

    def _portion(self, some: Sequence[Entry], uri: str, header: Header | None) -> None:
        fresh = [entry for entry in some if self._is_fresh(entry, uri)]
        with self._reader.open_snapshot() as snapshot:
            keys = [each.record.draft.id for each in fresh if each.record is not None]
            there = {} if snapshot is None else snapshot.document_reader.load_stored_documents(keys)
        chosen = [
            record
            for entry in fresh
            if (record := entry.record) is not None and self._is_wanted(record, there.get(record.draft.id), entry, uri)
        ]
        if chosen and header is not None:
            self._ensure(header)
        self._count_as_unread({self._path(record) for record in chosen})
        for record in chosen:
            if header is not None and record.vectors is not None:
                self._take(record, record.vectors)
            else:
                self._encode(record, replaces=record.draft.id in there)

    def _is_fresh(self, entry: Entry, uri: str) -> bool:
        if entry.record is None:
            self._tally.failed.append(FailedFile(uri, f"{entry.where}: {entry.error}"))
            return False
        key = entry.record.draft.id
        if key in self._seen:
            self._tally.failed.append(FailedFile(uri, f"{entry.where}: the id {key!r} was given already, by {self._seen[key]}"))
            return False
        self._seen[key] = entry.where
        return True

    def _is_wanted(self, record: Record, there: StoredDocument | None, entry: Entry, uri: str) -> bool:
        if there is None:
            self._tally.added += 1
            return True
        if self._policy is OnConflict.SKIP:
            self._tally.skipped += 1
            return False
        here = self._path(record)
        if there.source is not None and there.source != here:
            self._tally.failed.append(FailedFile(uri, f"{entry.where}: {format_id_conflict(there.key, there.source, here)}"))
            return False
        self._tally.replaced += 1
        return True

    def _take(self, record: Record, vectors: Any) -> None:
        draft = record.draft
        digest = record.digest or PROVIDED_VECTORS_MARK + hash_content(draft, Split.TOKENS)
        rows = vectors.astype(np.float32)
        self._ready.append(
            NewDocument(draft.id, self._path(record), draft.text, draft.title, draft.metadata, digest, record.cuts, rows)
        )
        self._tally.taken += 1
        self._characters += len(draft.text)
        self._chunks += len(record.cuts)
        if self._characters >= _CHARACTERS or self._chunks >= BATCH_PROVIDED_VECTORS:
            self._commit()

    def _encode(self, record: Record, *, replaces: bool) -> None:
        draft, source = record.draft, self._path(record)
        self._tally.encoded += 1
        if not record.cuts:
            self._batches.add(draft, hash_content(draft, Split.TOKENS), source=source, split=Split.TOKENS, replaces=replaces)
            return
        cuts, texts = refit_chunks(draft, record.cuts, self._encoder_of())
        digest = (record.digest or hash_content(draft, Split.TOKENS)).removeprefix(PROVIDED_VECTORS_MARK)
        self._batches.queue(PendingDocument(draft, source, digest, cuts, texts, 0.0, replaces))

    def _path(self, record: Record) -> str | None:
        """The stored path of its file as it is to be in this database."""
        if record.source is None:
            return None
        parent = self._database.parent
        return source_paths.to_stored_path(parent, Path(os.path.normpath(source_paths.to_absolute_path(parent, record.source))))

    # -- writing

    def _ensure(self, header: Header) -> None:
        """The collection, made now if it is not there, before anything else can make it for another encoder."""
        if not self._ensured:
            self._writer.ensure_collection(
                encoder=header.encoder, fingerprint=header.fingerprint, dimension=header.dimension, precision=header.precision,
                language=self._making.stemmer or header.language,
            )  # fmt: skip
        self._ensured = True

    def _commit(self) -> None:
        if not self._ready:
            return
        self._writer.commit(self._ready)
        self._progress.advance(0, self._chunks)
        self._ready, self._characters, self._chunks = [], 0, 0
        compaction.publish_if_due(self._database, self._name)

    def _count_as_unread(self, touched: set[str | None]) -> None:
        """Files that were read completely, and get documents now that may not be what they hold, are read again when indexed."""
        known = (self._files.pop(path, None) for path in touched if path is not None)
        again = [
            IndexedFile(each.path, "", Split(each.split), each.error, each.mounted) for each in known if each and each.digest
        ]
        if again:
            self._writer.commit([], again)

    def _finished(self) -> ImportReport:
        with self._reader.open_snapshot() as snapshot:
            documents, chunks = (0, 0) if snapshot is None else snapshot.count_documents_and_chunks()
        if snapshot is not None:
            compaction.publish_if_possible(self._database, self._name)
        tally, seconds = self._tally, round(perf_counter() - self._started, 3)
        return ImportReport(
            tally.added,
            tally.replaced,
            tally.skipped,
            tally.taken,
            tally.encoded,
            tuple(tally.failed),
            documents,
            chunks,
            seconds,
        )
