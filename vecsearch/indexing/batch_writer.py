"""Documents → chunks → vectors → committed batches: the half of the write path that files, pipes and code share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.batched import batched
from vecsearch.core.errors import DimensionMismatchError
from vecsearch.core.settings import BATCH_CHUNKS, BATCH_PROVIDED_VECTORS, ENCODER_BATCH_SIZE
from vecsearch.core.types import ChunkSpan, CollectionSpec, ParsedDocument, Split
from vecsearch.documents.chunk_inputs import chunk_document, format_encoder_input, hash_content, hash_encoder_input
from vecsearch.encoders.base import Encoder
from vecsearch.encoders.unit_vectors import normalize_vectors
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.read.reader import Reader
from vecsearch.stores.sqlite.write import compaction, replacement
from vecsearch.stores.sqlite.write.writer import PROVIDED_VECTORS_MARK, IndexedFile, NewDocument, PreservedFields, Writer
from vecsearch.text.analyzer import STEMMER_DEFAULT, is_known_stemmer
from vecsearch.text.language import detect_language

Matrix: TypeAlias = NDArray[np.float32]


class Progress(Protocol):
    """Told how a long run goes."""

    def begin(self, total: int) -> None:
        """How much there is to do, in bytes or characters."""

    def advance(self, amount: float, chunks: int) -> None:
        """So much more is done, so many more chunks have a vector."""


class NullProgress:
    """Tells nobody."""

    def begin(self, total: int) -> None:
        """Nothing."""

    def advance(self, amount: float, chunks: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class PendingDocument:
    """A document that is cut but not yet encoded; `texts` are what the encoder will see, one for each cut."""

    draft: ParsedDocument
    source: str | None
    digest: str
    spans: tuple[ChunkSpan, ...]
    texts: tuple[str, ...]
    weight: float
    replaces: bool
    preserved: PreservedFields | None = None


class BatchWriter:
    """Collects documents and commits them as soon as a batch of chunks is encoded.

    The caller holds the write lock, or gives `locked`, which takes it for every write and leaves it while texts are encoded.
    """

    def __init__(
        self, database: Database, name: str, *, get_encoder: Callable[[], Encoder], spec: CollectionSpec,
        advance: Callable[[float, int], None] = lambda read, chunks: None,
        hold_lock: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:  # fmt: skip
        self._database, self._name = database, name
        self._reader, self._writer = Reader(database, name), Writer(database, name)
        self._get_encoder, self._spec, self._advance, self._hold_lock = get_encoder, spec, advance, hold_lock
        self.encoded_count = 0  # texts
        self._pending: list[PendingDocument] = []
        self._ready: list[NewDocument] = []
        self._sources: dict[str, str | None] = {}  # of the documents in both, by id
        self._chunk_count = 0  # in both
        self._indexed_files: list[IndexedFile] = []
        self._state: CollectionState | None = None

    def is_pending(self, key: str, *, other_than: str | None) -> bool:
        """Whether a document of another source than this waits under an id."""
        return key in self._sources and self._sources[key] != other_than

    def add(
        self, draft: ParsedDocument, digest: str, *, source: str | None, split: Split, weight: float = 0.0, replaces: bool = False
    ) -> None:
        """Cut a document and queue it; commits when a batch is full. `digest` is its `hash_content`."""
        cuts, texts = chunk_document(draft, split, self._get_encoder())
        self.queue(PendingDocument(draft, source, digest, cuts, texts, weight, replaces))

    def queue(self, pending: PendingDocument) -> None:
        """Queue a document that is cut already."""
        self._pending.append(pending)
        self._count_queued(pending.draft, pending.source, len(pending.spans))

    def add_twin(
        self,
        draft: ParsedDocument,
        digest: str,
        twin: int,
        *,
        source: str | None,
        weight: float = 0.0,
        preserved: PreservedFields | None = None,
    ) -> bool:
        """Queue a document that says what another (its row) says: it is neither cut nor encoded. False where that has changed."""
        with self._reader.open_snapshot() as snapshot:
            found = None if snapshot is None else snapshot.document_reader.load_chunks(twin, digest=digest)
        if found is None:
            return False
        cuts, vectors = found
        self._ready.append(
            NewDocument(draft.id, source, draft.text, draft.title, draft.metadata, digest, cuts, vectors, preserved)
        )
        self._advance(weight, len(cuts))
        self._count_queued(draft, source, len(cuts))
        return True

    def _count_queued(self, draft: ParsedDocument, source: str | None, chunks: int) -> None:
        self._sources[draft.id] = source
        self._chunk_count += chunks
        if self._chunk_count >= BATCH_CHUNKS:
            self.flush()

    def commit_with_vectors(self, drafts: Sequence[ParsedDocument], rows: Matrix) -> None:
        """Commit documents of one chunk each whose vectors the caller brings, thousands at a time."""
        for some in batched(zip(drafts, rows, strict=True), BATCH_PROVIDED_VECTORS):
            self._writer.commit([_make_document_with_vector(draft, row) for draft, row in some])

    def finish_file(self, file: IndexedFile) -> None:
        """Mark a file as read, together with the last of its documents."""
        self._indexed_files.append(file)
        if not self._pending and (not self._ready or len(self._indexed_files) >= BATCH_CHUNKS):
            self.flush()

    def flush(self) -> None:
        """Encode and commit what waits."""
        waiting, ready, read = self._pending, self._ready, self._indexed_files
        if waiting:
            holds, gives = self._ensure_collection().dimension, self._get_encoder().dimension
            if holds != gives:  # a collection of vectors that the caller brought
                raise DimensionMismatchError(holds, gives)
        if waiting or ready:
            self._commit(waiting, ready, read)
        elif read and self._has_collection():
            self._writer.commit([], read)
        self._pending, self._ready, self._indexed_files = [], [], []
        self._sources, self._chunk_count = {}, 0

    def _commit(
        self, pending: Sequence[PendingDocument], ready: Sequence[NewDocument], indexed_files: Sequence[IndexedFile]
    ) -> None:
        vectors, staged = self._collect_vectors(pending)
        new = [_make_document(each, vectors) for each in pending]
        with self._hold_lock():
            self._writer.commit([*new, *ready], indexed_files)
            if staged:
                self._writer.drop_staged()
            compaction.publish_if_due(self._database, self._name)

    def _collect_vectors(self, pending: Sequence[PendingDocument]) -> tuple[dict[str, Matrix], bool]:
        """A vector for every text: known from before, else encoded, a batch at a time; what is more than a batch is staged."""
        weights: dict[str, float] = {}
        texts = {}
        for each in pending:
            for text in each.texts:
                key = hash_encoder_input(text)
                texts[key] = text
                weights[key] = weights.get(key, 0.0) + each.weight / len(each.texts)
        vectors = self._read_known_vectors(pending, list(texts))
        staged = bool(vectors)
        self._advance(sum(weights[key] for key in vectors), len(vectors))
        missing = [key for key in texts if key not in vectors]
        missing.sort(key=lambda key: len(texts[key]), reverse=True)  # texts of one length pad each other least
        for some in batched(missing, BATCH_CHUNKS):
            fresh = self._encode_texts(some, texts, weights)
            vectors |= fresh
            if len(missing) > BATCH_CHUNKS:
                with self._hold_lock():
                    self._writer.stage_vectors(fresh)
                staged = True
        return vectors, staged

    def _encode_texts(self, keys: Sequence[str], texts: Mapping[str, str], weights: Mapping[str, float]) -> dict[str, Matrix]:
        """A vector for each of these texts, and word of every pass: a batch takes seconds on a small machine."""
        fresh: dict[str, Matrix] = {}
        for some in batched(keys, ENCODER_BATCH_SIZE):
            rows = normalize_vectors(self._get_encoder().encode_documents([texts[key] for key in some]))
            fresh |= zip(some, rows, strict=True)
            self.encoded_count += len(some)
            self._advance(sum(weights[key] for key in some), len(some))
        return fresh

    def _read_known_vectors(self, pending: Sequence[PendingDocument], keys: Sequence[str]) -> dict[str, Matrix]:
        """Vectors of an interrupted run, and of chunks that a changed document keeps."""
        wanted = set(keys)
        with self._reader.open_snapshot() as snapshot:
            if snapshot is None:
                return {}
            found: dict[str, Matrix] = snapshot.document_reader.load_staged_vectors(keys)
            replaced = [each.draft.id for each in pending if each.replaces]
            for each in snapshot.document_reader.iterate_vectors(replaced):
                key = hash_encoder_input(format_encoder_input(each.title, each.context, each.text))
                if key in wanted:
                    found[key] = each.vector
        return found

    def _ensure_collection(self) -> CollectionState:
        if self._state is None:
            encoder = self._get_encoder()
            texts = (each.draft.text for each in self._pending)
            with self._hold_lock():
                replacement.drop_leftovers(self._database)
                self._state = ensure_collection(self._writer, encoder, encoder.dimension, self._spec, texts)
        return self._state

    def _has_collection(self) -> bool:
        with self._reader.open_snapshot() as snapshot:
            return snapshot is not None


def ensure_collection(
    writer: Writer, encoder: Encoder, dimension: int, spec: CollectionSpec, texts: Iterable[str]
) -> CollectionState:
    """The collection, made now if it is not there, in the language of these texts if none was asked for."""
    language = spec.stemmer or detect_language(texts)
    return writer.ensure_collection(
        encoder=encoder.name, fingerprint=encoder.fingerprint, dimension=dimension, precision=spec.precision,
        language=language if language and is_known_stemmer(language) else STEMMER_DEFAULT,
    )  # fmt: skip


def format_id_conflict(key: str, stored_source: str | None, new_source: str | None) -> str:
    """The message for one id from two sources."""
    said = ["a document added from code or a pipe" if source is None else source for source in (stored_source, new_source)]
    return f"the id {key!r} is taken: it came from {said[0]}, and now from {said[1]}; give one of them another id"


def _make_document_with_vector(draft: ParsedDocument, vector: Matrix) -> NewDocument:
    digest = (
        f"{PROVIDED_VECTORS_MARK}{hash_content(draft, Split.TOKENS)}"  # no other text is given a vector that a caller made up
    )
    whole = ChunkSpan(0, len(draft.text))
    return NewDocument(draft.id, None, draft.text, draft.title, draft.metadata, digest, (whole,), vector[np.newaxis])


def _make_document(pending: PendingDocument, vectors: dict[str, Matrix]) -> NewDocument:
    draft = pending.draft
    rows = np.stack([vectors[hash_encoder_input(text)] for text in pending.texts])
    return NewDocument(
        draft.id, pending.source, draft.text, draft.title, draft.metadata, pending.digest, pending.spans, rows, pending.preserved
    )
