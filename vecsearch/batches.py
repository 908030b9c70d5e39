"""Documents → chunks → vectors → committed batches: the half of the write path that files, pipes and code share."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import VecsearchWarning, WrongDimension
from vecsearch.core.portions import portions
from vecsearch.core.settings import (
    BATCH_BROUGHT,
    BATCH_CHUNKS,
    BLOCK_CHARACTERS,
    CONTEXT_SHARE_MAX,
    ENCODE_ROWS,
    TITLE_SHARE_MAX,
)  # fmt: skip
from vecsearch.core.types import Cut, Draft, Making, Section, Split
from vecsearch.documents import chunker
from vecsearch.documents.language import language_of
from vecsearch.encoding.forms import checked_rows, encoded_text
from vecsearch.encoding.protocol import Encoder
from vecsearch.persistence import publish, succession
from vecsearch.persistence.analysis import LANGUAGE_DEFAULT, is_known
from vecsearch.persistence.database import Database
from vecsearch.persistence.reader import Reader
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.writer import BROUGHT_MARK, Kept, NewDocument, ReadSource, Writer, encoded_digest

Matrix: TypeAlias = NDArray[np.float32]


class Progress(Protocol):
    """Told how a long run goes."""

    def begin(self, total: int) -> None:
        """How much there is to do, in bytes or characters."""

    def advance(self, amount: float, chunks: int) -> None:
        """So much more is done, so many more chunks have a vector."""


class Silent:
    """Tells nobody."""

    def begin(self, total: int) -> None:
        """Nothing."""

    def advance(self, amount: float, chunks: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A document that is cut but not yet encoded; `texts` are what the encoder will see, one for each cut."""

    draft: Draft
    source: str | None
    digest: str
    cuts: tuple[Cut, ...]
    texts: tuple[str, ...]
    weight: float
    replaces: bool
    kept: Kept | None = None


class Batches:
    """Collects documents and commits them as soon as a batch of chunks is encoded.

    The caller holds the write lock, or gives `locked`, which takes it for every write and leaves it while texts are encoded.
    """

    def __init__(
        self, database: Database, name: str, *, encoder_of: Callable[[], Encoder], making: Making,
        advance: Callable[[float, int], None] = lambda read, chunks: None,
        locked: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:  # fmt: skip
        self._database, self._name = database, name
        self._reader, self._writer = Reader(database, name), Writer(database, name)
        self._encoder_of, self._making, self._advance, self._locked = encoder_of, making, advance, locked
        self.encoded = 0  # texts
        self._waiting: list[Waiting] = []
        self._ready: list[NewDocument] = []
        self._sources: dict[str, str | None] = {}  # of the documents in both, by id
        self._chunks = 0  # in both
        self._read: list[ReadSource] = []
        self._state: CollectionState | None = None

    def is_waiting(self, key: str, *, other_than: str | None) -> bool:
        """Whether a document of another source than this waits under an id."""
        return key in self._sources and self._sources[key] != other_than

    def add(
        self, draft: Draft, digest: str, *, source: str | None, split: Split, weight: float = 0.0, replaces: bool = False
    ) -> None:
        """Cut a document and queue it; commits when a batch is full. `digest` is its `content_digest`."""
        cuts, texts = cut(draft, split, self._encoder_of())
        self.queue(Waiting(draft, source, digest, cuts, texts, weight, replaces))

    def queue(self, waiting: Waiting) -> None:
        """Queue a document that is cut already."""
        self._waiting.append(waiting)
        self._queued(waiting.draft, waiting.source, len(waiting.cuts))

    def add_twin(
        self, draft: Draft, digest: str, twin: int, *, source: str | None, weight: float = 0.0, kept: Kept | None = None
    ) -> bool:
        """Queue a document that says what another (its row) says: it is neither cut nor encoded. False where that has changed."""
        with self._reader.snapshot() as snapshot:
            found = None if snapshot is None else snapshot.catalogue.chunks_of(twin, digest=digest)
        if found is None:
            return False
        cuts, vectors = found
        self._ready.append(NewDocument(draft.id, source, draft.text, draft.title, draft.metadata, digest, cuts, vectors, kept))
        self._advance(weight, len(cuts))
        self._queued(draft, source, len(cuts))
        return True

    def _queued(self, draft: Draft, source: str | None, chunks: int) -> None:
        self._sources[draft.id] = source
        self._chunks += chunks
        if self._chunks >= BATCH_CHUNKS:
            self.flush()

    def commit_encoded(self, drafts: Sequence[Draft], rows: Matrix) -> None:
        """Commit documents of one chunk each whose vectors the caller brings, thousands at a time."""
        for some in portions(zip(drafts, rows, strict=True), BATCH_BROUGHT):
            self._writer.commit([_brought(draft, row) for draft, row in some])

    def finish(self, read: ReadSource) -> None:
        """Mark a file as read, together with the last of its documents."""
        self._read.append(read)
        if not self._waiting and (not self._ready or len(self._read) >= BATCH_CHUNKS):
            self.flush()

    def flush(self) -> None:
        """Encode and commit what waits."""
        waiting, ready, read = self._waiting, self._ready, self._read
        if waiting:
            holds, gives = self._ensure().dimension, self._encoder_of().dimension
            if holds != gives:  # a collection of vectors that the caller brought
                raise WrongDimension(holds, gives)
        if waiting or ready:
            self._commit(waiting, ready, read)
        elif read and self._collection_exists():
            self._writer.commit([], read)
        self._waiting, self._ready, self._read = [], [], []
        self._sources, self._chunks = {}, 0

    def _commit(self, waiting: Sequence[Waiting], ready: Sequence[NewDocument], read: Sequence[ReadSource]) -> None:
        vectors, staged = self._vectors(waiting)
        new = [_stored(each, vectors) for each in waiting]
        with self._locked():
            self._writer.commit([*new, *ready], read)
            if staged:
                self._writer.drop_staged()
            publish.publish_when_due(self._database, self._name)

    def _vectors(self, waiting: Sequence[Waiting]) -> tuple[dict[str, Matrix], bool]:
        """A vector for every text: known from before, else encoded, a batch at a time; what is more than a batch is staged."""
        weights: dict[str, float] = {}
        texts = {}
        for each in waiting:
            for text in each.texts:
                key = encoded_digest(text)
                texts[key] = text
                weights[key] = weights.get(key, 0.0) + each.weight / len(each.texts)
        vectors = self._known(waiting, list(texts))
        staged = bool(vectors)
        self._advance(sum(weights[key] for key in vectors), len(vectors))
        missing = [key for key in texts if key not in vectors]
        missing.sort(key=lambda key: len(texts[key]), reverse=True)  # texts of one length pad each other least
        for some in portions(missing, BATCH_CHUNKS):
            fresh = self._encoded(some, texts, weights)
            vectors |= fresh
            if len(missing) > BATCH_CHUNKS:
                with self._locked():
                    self._writer.stage(fresh)
                staged = True
        return vectors, staged

    def _encoded(self, keys: Sequence[str], texts: Mapping[str, str], weights: Mapping[str, float]) -> dict[str, Matrix]:
        """A vector for each of these texts, and word of every pass: a batch takes seconds on a small machine."""
        fresh: dict[str, Matrix] = {}
        for some in portions(keys, ENCODE_ROWS):
            rows = checked_rows(self._encoder_of().encode_documents([texts[key] for key in some]))
            fresh |= zip(some, rows, strict=True)
            self.encoded += len(some)
            self._advance(sum(weights[key] for key in some), len(some))
        return fresh

    def _known(self, waiting: Sequence[Waiting], keys: Sequence[str]) -> dict[str, Matrix]:
        """Vectors of an interrupted run, and of chunks that a changed document keeps."""
        wanted = set(keys)
        with self._reader.snapshot() as snapshot:
            if snapshot is None:
                return {}
            found: dict[str, Matrix] = snapshot.catalogue.staged(keys)
            replaced = [each.draft.id for each in waiting if each.replaces]
            for each in snapshot.catalogue.vectors_of(replaced):
                key = encoded_digest(encoded_text(each.title, each.context, each.text))
                if key in wanted:
                    found[key] = each.vector
        return found

    def _ensure(self) -> CollectionState:
        if self._state is None:
            encoder = self._encoder_of()
            texts = (each.draft.text for each in self._waiting)
            with self._locked():
                succession.drop_leftovers(self._database)
                self._state = ensure(self._writer, encoder, encoder.dimension, self._making, texts)
        return self._state

    def _collection_exists(self) -> bool:
        with self._reader.snapshot() as snapshot:
            return snapshot is not None


def ensure(writer: Writer, encoder: Encoder, dimension: int, making: Making, texts: Iterable[str]) -> CollectionState:
    """The collection, made now if it is not there, in the language of these texts if none was asked for."""
    language = making.language or language_of(texts)
    return writer.ensure(
        encoder=encoder.name, fingerprint=encoder.fingerprint, dimension=dimension, precision=making.precision,
        language=language if language and is_known(language) else LANGUAGE_DEFAULT,
    )  # fmt: skip


def cut(draft: Draft, split: Split, encoder: Encoder) -> tuple[tuple[Cut, ...], tuple[str, ...]]:
    """A document's chunks, and what the encoder sees for each."""
    title = _fitting_title(draft, encoder)
    used = len(encoder.token_spans(title + "\n")) if title else 0
    fitting = {context: _fitting_context(context, encoder) for context in {each.context for each in draft.sections}}
    costs = {context: len(encoder.token_spans(context + "\n")) if context else 0 for context in fitting.values()}
    sections = [replace(each, context=fitting[each.context]) for each in draft.sections]
    budget = max(1, encoder.max_tokens - used)
    cuts = chunker.split(
        draft.text, by=split, budget=budget, token_spans=encoder.token_spans, sections=sections,
        cost=lambda context: costs.get(context, 0),
    )  # fmt: skip
    if not cuts:  # a title alone
        return (Cut(0, 0),), (title,)
    return tuple(cuts), tuple(encoded_text(title, each.context, draft.text[each.start : each.end]) for each in cuts)


def refitted(draft: Draft, cuts: Sequence[Cut], encoder: Encoder) -> tuple[tuple[Cut, ...], tuple[str, ...]]:
    """Chunks made for another encoder, and what this one sees for each: those that do not fit its window are split further."""
    title = _fitting_title(draft, encoder)
    fitting = {context: _fitting_context(context, encoder) for context in {each.context for each in cuts}}
    kept: list[Cut] = []
    texts: list[str] = []
    for each in cuts:
        above, body = fitting[each.context], draft.text[each.start : each.end]
        whole = encoded_text(title, above, body)
        fits = len(body) <= BLOCK_CHARACTERS and len(encoder.token_spans(whole)) <= encoder.max_tokens
        parts = [each] if fits else _split_further(each, body, title, above, encoder)
        kept.extend(parts)
        texts.extend(encoded_text(title, above, draft.text[part.start : part.end]) for part in parts)
    return tuple(kept), tuple(texts)


def _split_further(whole: Cut, body: str, title: str, context: str, encoder: Encoder) -> list[Cut]:
    """A chunk's parts that fit, with their places; itself where there is nothing to split."""
    above = encoded_text(title, context, "")
    used = len(encoder.token_spans(f"{above}\n")) if above else 0
    first = {key: value[0] if key in ("lines", "rows") else value for key, value in whole.place.items()}
    parts = chunker.split(
        body, by=Split.TOKENS, budget=max(1, encoder.max_tokens - used), token_spans=encoder.token_spans,
        sections=(Section(0, first),),
    )  # fmt: skip
    return [Cut(whole.start + part.start, whole.start + part.end, part.place, whole.context) for part in parts] or [whole]


def content_digest(draft: Draft, split: Split) -> str:
    """Changes with anything that changes a document's chunks, their places or vectors."""
    said = (draft.title or "", split.value, draft.text, *(repr(each) for each in draft.sections))
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def conflict(key: str, there: str | None, here: str | None) -> str:
    """The message for one id from two sources."""
    said = ["a document added from code or a pipe" if source is None else source for source in (there, here)]
    return f"the id {key!r} is taken: it came from {said[0]}, and now from {said[1]}; give one of them another id"


def _fitting_title(draft: Draft, encoder: Encoder) -> str:
    title = (draft.title or "").strip()
    tokens = encoder.token_spans(title)
    most = max(1, int(encoder.max_tokens * TITLE_SHARE_MAX)) if draft.text.strip() else encoder.max_tokens
    if len(tokens) <= most:
        return title
    warnings.warn(
        f"the title of {draft.id!r} has {len(tokens)} tokens; its first {most} are encoded with every chunk, "
        "all of it is searched by words",
        VecsearchWarning,
        stacklevel=2,
    )
    return title[: tokens[most - 1][1]]


def _fitting_context(context: str, encoder: Encoder) -> str:
    """As much of a context as leaves most of the window to the text."""
    tokens = encoder.token_spans(context)
    most = max(1, int(encoder.max_tokens * CONTEXT_SHARE_MAX))
    return context if len(tokens) <= most else context[: tokens[most - 1][1]]


def _brought(draft: Draft, vector: Matrix) -> NewDocument:
    digest = f"{BROUGHT_MARK}{content_digest(draft, Split.TOKENS)}"  # no other text is given a vector that a caller made up
    whole = Cut(0, len(draft.text))
    return NewDocument(draft.id, None, draft.text, draft.title, draft.metadata, digest, (whole,), vector[np.newaxis])


def _stored(waiting: Waiting, vectors: dict[str, Matrix]) -> NewDocument:
    draft = waiting.draft
    rows = np.stack([vectors[encoded_digest(text)] for text in waiting.texts])
    return NewDocument(
        draft.id, waiting.source, draft.text, draft.title, draft.metadata, waiting.digest, waiting.cuts, rows, waiting.kept
    )
