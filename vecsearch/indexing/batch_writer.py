"""Chunked documents → committed batches: the half of the write path that files, pipes and code share.

What comes from files is committed with the vectors that are known; the others follow (`vector_filler`). What comes from code is
encoded first. The write lock is held while a batch is committed, not while it is made, so that several runs take turns. So each
commit looks again at what it was planned for: a collection that was dropped, renamed, restored or embedded by another model in
between ends the run, and an id that another source has taken meanwhile is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import Final, NamedTuple

from vecsearch.core.batched import batched
from vecsearch.core.encoder_fields import is_thread_safe, read_dimension
from vecsearch.core.errors import CollectionChangedError, DimensionMismatchError
from vecsearch.core.id_table import AnyIds
from vecsearch.core.parsed import ChunkSpan, ParsedDocument
from vecsearch.core.settings import BATCH_CHARACTERS, BATCH_CHUNKS, BATCH_PROVIDED_VECTORS, BATCH_SECONDS, BATCH_TEXT_CHUNKS
from vecsearch.core.types import JSON, CollectionSpec, Metadata, Precision, Split, VectorOrigin
from vecsearch.documents.chunk_inputs import format_encoder_input, hash_content, hash_encoder_input
from vecsearch.encoders.base import EncoderSpec, TextEncoder, describe_encoder
from vecsearch.indexing.batch_embedding import BatchEmbedding, begin_embedding
from vecsearch.indexing.commit_check import CommitPlan, FinishedFile, LeftOut, Relabelling, plan_commit
from vecsearch.indexing.stages import ChunkedDocument, assemble, collect_texts
from vecsearch.indexing.write_target import WriteTarget, find_stored
from vecsearch.stores.base import (
    CollectionInfo,
    Continuation,
    IndexedFile,
    Matrix,
    NewDocument,
    Preparation,
    StoredDocument,
    Writer,
)
from vecsearch.text.analyzer import STEMMER_DEFAULT, is_known_stemmer
from vecsearch.text.language import detect_language

_SPANS_KEPT: Final = 1_000


@dataclass(slots=True)
class _Batch:
    """What waits to be committed together."""

    chunked: list[ChunkedDocument] = field(default_factory=list)
    ready: list[NewDocument] = field(default_factory=list)
    files: list[FinishedFile] = field(default_factory=list)
    relabellings: dict[str, Relabelling] = field(default_factory=dict)
    payloads: dict[str, JSON] = field(default_factory=dict)  # other ones of stored documents
    sources: dict[str, str | None] = field(default_factory=dict)  # of the documents in it, by id
    weights: dict[str, float] = field(default_factory=dict)  # how much of the run's total each document is
    chunks: int = 0
    characters: int = 0  # of those that are to be encoded
    begun: float = field(default_factory=monotonic)


class _PreparedBatch(NamedTuple):
    """A batch, its documents as they are committed, and what is computed for that meanwhile."""

    batch: _Batch
    new: Sequence[NewDocument]
    preparation: Preparation | None

    @property
    def is_under_way(self) -> bool:
        return self.preparation is not None and self.preparation.is_under_way


@dataclass(slots=True)
class WriteCounts:
    """Documents committed so far.

    New ones, replaced ones, those given other metadata alone, those removed since their file gives them no longer; of the new
    and the replaced ones how many came without vectors.
    """

    added: int = 0
    replaced: int = 0
    relabelled: int = 0
    removed: int = 0
    encoded: int = 0

    def count(self, plan: CommitPlan, encoded: Set[str]) -> None:
        """Count what was committed; `encoded`: ids of the documents of the batch that came without vectors."""
        self.replaced += len(plan.replaced)
        self.added += len(plan.documents) - len(plan.replaced)
        self.relabelled += len(plan.metadata)
        self.removed += sum(len(file.removed_ids) for file in plan.files)
        self.encoded += sum(document.id in encoded for document in plan.documents)


class BatchWriter:
    """Collects documents, and commits them as soon as there are enough for a batch, or the first has waited for long."""

    def __init__(
        self,
        target: WriteTarget,
        *,
        get_encoder: Callable[[], TextEncoder],
        spec: CollectionSpec,
        advance: Callable[[float, int], None] = lambda amount, chunks: None,
        may_replace: Callable[[str | None], bool] = lambda source: False,
        may_overwrite: bool = True,
        vectors_follow: bool = False,
        prepare: Callable[[CollectionInfo, Sequence[NewDocument]], Preparation | None] = lambda info, documents: None,
    ) -> None:
        """Set up a writer for one target.

        `vectors_follow`: what has no vector is committed without one, else it is encoded first.
        `may_replace`: whether a document of this source (a stored path) may be taken over by another, as its file is gone.
        `may_overwrite`: whether a document may replace the stored one of the same id and source.
        `prepare`: begins what a commit takes most of, beside this process; what it is done for is committed then.
        """
        self._target, self._get_encoder, self._spec, self._advance = target, get_encoder, spec, advance
        self._may_replace, self._may_overwrite, self._vectors_follow = may_replace, may_overwrite, vectors_follow
        self.counts = WriteCounts()
        self.left_out: list[LeftOut] = []
        self._batch = _Batch()
        self._begun: tuple[_Batch, BatchEmbedding] | None = None  # what is encoded, and not committed yet
        self._prepare = prepare
        self._prepared: _PreparedBatch | None = None  # what is to be committed as soon as that is prepared
        self._vectors: Mapping[str, Matrix] = {}  # of the batch that was committed last
        self._made_by: EncoderSpec | None = None  # what encodes the first batch of a collection that was not there
        with target.open_snapshot() as snapshot:
            self._info = None if snapshot is None else snapshot.info

    def is_waiting(self, key: str, *, other_than: str | None) -> bool:
        """Return whether a document of another source than this waits under an id."""
        waiting = [self._batch] if self._prepared is None else [self._batch, self._prepared.batch]
        return any(key in batch.sources and batch.sources[key] != other_than for batch in waiting)

    def add(self, chunked: ChunkedDocument, *, weight: float = 0.0) -> None:
        """Queue a document; commits when a batch is full."""
        self._batch.chunked.append(chunked)
        self._batch.characters += len(chunked.document.text)
        self._queue(chunked.document.id, chunked.source, len(chunked.spans), weight)

    def add_encoded(self, new: NewDocument, *, weight: float = 0.0) -> None:
        """Queue a document that has its vectors already."""
        self._batch.ready.append(new)
        self._queue(new.id, new.source, len(new.spans), weight)

    def set_metadata(self, key: str, metadata: Metadata, *, source: str | None) -> None:
        """Queue other metadata for a stored document of this source."""
        self._batch.relabellings[key] = Relabelling(source, metadata)

    def set_payload(self, key: str, payload: JSON) -> None:
        """Queue another payload for a stored document."""
        self._batch.payloads[key] = payload

    def finish_file(self, file: IndexedFile, ids: AnyIds = frozenset(), *, removes_others: bool = False) -> None:
        """Mark a file as read, together with the last of its documents.

        `ids`: the documents that it gave; where one of them is not there then, the file is marked to be read again.
        `removes_others`: its other documents are removed.
        """
        batch = self._batch
        batch.files.append(FinishedFile(file, ids, removes_others))
        self._commit_once_prepared()
        if not batch.chunked and not batch.ready and self._prepared is None:
            self.flush()
        else:
            self._flush_if_due()

    def _queue(self, key: str, source: str | None, chunks: int, weight: float) -> None:
        batch = self._batch
        batch.sources[key], batch.weights[key] = source, weight
        batch.chunks += chunks
        self._flush_if_due()

    def _flush_if_due(self) -> None:
        batch = self._batch
        most = BATCH_PROVIDED_VECTORS if not batch.chunked else BATCH_TEXT_CHUNKS if self._vectors_follow else BATCH_CHUNKS
        is_late = monotonic() - batch.begun > BATCH_SECONDS if self._vectors_follow else batch.characters >= BATCH_CHARACTERS
        if batch.chunks >= most or len(batch.files) >= most or is_late:
            self._commit_and_encode(more=True)

    def flush(self) -> None:
        """Commit what waits, encoded if it is to be. Raises CollectionChangedError, DatabaseLockedError, DiskFullError."""
        self._commit_and_encode(more=False)
        self._complete_begun()
        self._commit_prepared()

    def _commit_and_encode(self, *, more: bool) -> None:
        """Encode what waits, and commit meanwhile what was encoded before; what needs no encoding is committed.

        Where `more` follows, whoever calls may get it ready meanwhile, too: that uses the encoder, which must be safe to share.
        """
        batch, self._batch = self._batch, _Batch()
        goes_on = more and bool(batch.chunked) and is_thread_safe(self._get_encoder())
        embedding = self._begin_embedding(batch, beside=goes_on) if batch.chunked else BatchEmbedding()
        before, self._begun = self._begun, (batch, embedding)
        try:
            if before is not None:
                self._complete(*before)
        finally:
            if not goes_on:
                embedding.get_rows()
        if not embedding.missing:
            self._complete_begun(more=more)

    def _complete_begun(self, *, more: bool = False) -> None:
        before, self._begun = self._begun, None
        if before is not None:
            self._complete(*before, more=more)

    def _complete(self, batch: _Batch, embedding: BatchEmbedding, *, more: bool = False) -> None:
        vectors = self._vectors = embedding.collect(batch.chunked, self._vectors)
        dimension = read_dimension(self._get_encoder()) if batch.chunked else 0
        new = [*(assemble(chunked, vectors, dimension) for chunked in batch.chunked), *batch.ready]
        self._commit_prepared()
        if new or batch.files or batch.relabellings or batch.payloads:
            preparation = self._prepare(self._info, new) if more and self._info is not None else None
            self._prepared = _PreparedBatch(batch, new, preparation)
            self._commit_once_prepared()

    def _commit_once_prepared(self) -> None:
        if self._prepared is not None and not self._prepared.is_under_way:
            self._commit_prepared()

    def _commit_prepared(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            batch, new, preparation = prepared
            self._commit(new, batch, preparation)
            self._advance(sum(batch.weights.values()), sum(len(document.spans) for document in new))

    def extend_text(self, more: Continuation, *, source: str | None, after: str | None, first: NewDocument | None = None) -> bool:
        """Commit, at once, more text of a document, and what it begins with where `first` is given.

        Returns False, and commits nothing, where the stored document is not of this source and digest (`after`) any more. Raises
        CollectionChangedError, DatabaseLockedError, DiskFullError.
        """
        self.flush()
        with self._target.open_writer() as writer:
            if self.check_unchanged(writer) is None:
                return False
            self._check_dimension()
            stored = find_stored(writer, more.id)
            if stored is None or (stored.source, stored.digest) != (source, after):
                return False
            writer.commit([] if first is None else [first], continuations=[more])
        return True

    def commit_with_vectors(self, documents: Sequence[ParsedDocument], rows: Matrix, are_given: Sequence[bool]) -> None:
        """Commit documents of one chunk each, thousands at a time: their vectors, where `are_given`, the caller brings."""
        for batch in batched(enumerate(documents), BATCH_PROVIDED_VECTORS):
            new = [_make_whole_document(document, rows[n : n + are_given[n]]) for n, document in batch]
            self._commit(new, _Batch(sources={document.id: None for document in new}))

    # -- committing

    def _commit(self, new: Sequence[NewDocument], batch: _Batch, preparation: Preparation | None = None) -> None:
        with self._target.open_writer() as writer:
            if self.check_unchanged(writer, self._made_by) is None:
                if not new:
                    return
                self.ensure(writer, (document.text for document in new))
            with writer.open_snapshot() as snapshot:
                plan = plan_commit(snapshot, new, batch.relabellings, batch.files, self._is_replaceable)
            writer.commit(plan.documents, plan.files, metadata=plan.metadata, payloads=batch.payloads, preparation=preparation)
        self.counts.count(plan, {chunked.document.id for chunked in batch.chunked})
        self.left_out.extend(plan.left_out)

    def _is_replaceable(self, stored: StoredDocument, document: NewDocument) -> bool:
        return (self._may_overwrite and stored.source == document.source) or self._may_replace(stored.source)

    def check_unchanged(self, writer: Writer, made_by: EncoderSpec | None = None) -> CollectionInfo | None:
        """Return the collection as it is now. Raises CollectionChangedError where it is not the one that this run began with.

        `made_by`: what made the vectors that wait. Another run may have created the collection meanwhile, for another model.
        """
        before, now = self._info, writer.info
        if before is None:
            if now is not None and made_by is not None and made_by.fingerprint != now.encoder.fingerprint:
                raise CollectionChangedError(
                    f"the collection {now.name!r} was created with the model {now.encoder.model} while this run encoded with "
                    f"{made_by.model}; nothing of this run was stored: run again, without a model or with that one"
                )
            self._info = now  # another run may have created it meanwhile
            return now
        if now is None or not now.is_later_state_of(before):
            raise CollectionChangedError(
                f"the collection {before.name!r} was {_describe_change(before, now)} while this run wrote to it; "
                "what was committed before is kept: run again to go on with the collection as it is now"
            )
        return now

    def ensure(self, writer: Writer, texts: Iterable[str]) -> CollectionInfo:
        """Return the collection, created now if it is not there, with the stemmer of these texts if none was requested."""
        encoder = self._get_encoder()
        spec = describe_encoder(encoder)
        return self.create(writer, spec, precision=self._spec.precision, stemmer=choose_stemmer(self._spec, texts))

    def create(self, writer: Writer, encoder: EncoderSpec, *, precision: Precision, stemmer: str) -> CollectionInfo:
        """Create the collection that this run writes to, if it is not there."""
        self._info = writer.ensure(encoder, precision=precision, stemmer=stemmer)
        return self._info

    # -- encoding

    def _check_dimension(self) -> None:
        gives = read_dimension(self._get_encoder())
        if self._info is not None and self._info.encoder.dimension != gives:  # a collection of vectors that were brought
            raise DimensionMismatchError(self._info.encoder.dimension, gives)

    def _begin_embedding(self, batch: _Batch, *, beside: bool) -> BatchEmbedding:
        """Begin to encode those of the batch's texts whose vectors are not known from before, unless they follow."""
        self._made_by = describe_encoder(self._get_encoder()) if self._info is None else None
        self._check_dimension()
        texts = collect_texts(batch.chunked) if self._info is not None or not self._vectors_follow else {}
        known = self._find_known(batch.chunked, texts)
        if self._vectors_follow:
            return BatchEmbedding(known)
        before = None if self._begun is None else self._begun[1]
        return begin_embedding(texts, known, before, self._get_encoder(), beside=beside or before is not None)

    def _find_known(self, documents: Sequence[ChunkedDocument], texts: Mapping[str, str]) -> dict[str, Matrix]:
        """Return the vectors of chunks that a changed document keeps, or finds in a partly encoded copy."""
        known: dict[str, Matrix] = {}
        with self._target.open_snapshot() as snapshot:
            if snapshot is None:
                return known
            same = snapshot.find_by_digest([chunked.digest for chunked in documents], partial=True)
            for chunk in snapshot.iterate_vectors(list({*(chunked.document.id for chunked in documents), *same.values()})):
                key = hash_encoder_input(format_encoder_input(chunk.title, chunk.context, chunk.text))
                if key in texts:
                    known[key] = chunk.vector
        return known


def choose_stemmer(spec: CollectionSpec, texts: Iterable[str]) -> str:
    """Return the requested stemmer, else that of the texts' language, else the default."""
    stemmer = spec.stemmer or detect_language(texts)
    return stemmer if stemmer and is_known_stemmer(stemmer) else STEMMER_DEFAULT


def _describe_change(before: CollectionInfo, now: CollectionInfo | None) -> str:
    if now is None:
        return "dropped or renamed"
    if now.identity == before.identity or now.has_same_vectors(before):
        return "dropped and created again, or restored from a backup,"
    return f"embedded again by the model {now.encoder.model}"


def _make_whole_document(document: ParsedDocument, vectors: Matrix) -> NewDocument:
    """Return a document of one chunk, which has the vector that is in `vectors`, or none."""
    spans = _make_whole_span(len(document.text))
    digest = hash_content(document, Split.TOKENS)
    return NewDocument(
        document.id, None, document.text, document.title, document.metadata, digest, spans, vectors,
        vector_origin=VectorOrigin.CALLER if len(vectors) else VectorOrigin.NONE, payload=document.payload,
    )  # fmt: skip


@lru_cache(_SPANS_KEPT)
def _make_whole_span(length: int) -> tuple[ChunkSpan]:
    """Return the one chunk of a text; the same for all of its length, since many objects keep Python's collector busy."""
    return (ChunkSpan(0, length),)
