"""One state of a collection in memory, and what can be asked of it: every answer by brute force, from the definitions."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.stores.metadata_predicate import holds
from vecsearch.core.filters import DocumentField, Filter
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.preferences import Preference, ProfileSummary
from vecsearch.core.results import ChunkWindow, Hit, VectorAccess
from vecsearch.core.roots import IgnoredDocument, Root, RootList
from vecsearch.core.settings import (
    LOADER_VERSION,
    QUERY_TERMS_COUNTED_MAX,
    QUERY_TERMS_MAX,
    SIMILARITY_ROUNDING,
    UNSEEN_TERM_WEIGHT,
)
from vecsearch.core.source_paths import to_absolute_path
from vecsearch.core.types import (
    ChunkId,
    ChunkLocation,
    Document,
    DocumentSummary,
    ListOrder,
    Metadata,
    Source,
    SourceState,
    Split,
    VectorOrigin,
)
from vecsearch.stores.base import (
    NO_IDS,
    ChunkSet,
    ChunkText,
    CollectionInfo,
    EncodedChunks,
    FullDocument,
    Ids,
    LexicalHits,
    Matrix,
    PendingChunk,
    QueryMap,
    ScoredChunks,
    Scores,
    StoredDocument,
    StoredSource,
    StoredVector,
    Vector,
    VectorHits,
)
from vecsearch.text.analyzer import AnalyzedText, Analyzer, get_analyzer, is_unspaced
from vecsearch.text.query_parser import ClauseKind, LexicalQuery, QueryClause

_K1, _B = 1.2, 0.75  # of BM25
_RANKED = (ClauseKind.WORD, ClauseKind.PHRASE)  # by BM25; of a form or a prefix the idf counts


@dataclass(frozen=True, slots=True)
class MemoryDocument:
    """A document as it is stored; `number` and the chunks' ids are given once."""

    number: int
    id: str
    source: str | None
    title: str | None
    text: str
    metadata: str  # a JSON object
    digest: str
    vector_origin: VectorOrigin
    indexed_at: str
    spans: tuple[ChunkSpan, ...]
    chunk_ids: tuple[ChunkId, ...]
    vectors: Any  # in the collection's precision; zeros where there are none
    pending: frozenset[int] = frozenset()  # the numbers of the chunks for which they are
    part_starts: tuple[int, ...] = (0,)
    payload: str | None = None  # a JSON value

    def get_fields(self) -> tuple[Any, ...]:
        """Return all that a replacement copies."""
        is_vectorless = self.vector_origin is VectorOrigin.NONE
        return self.source, self.title, self.digest, self.metadata, self.payload, self.indexed_at, is_vectorless

    def get_chunk_text(self, span: ChunkSpan) -> ChunkText:
        return ChunkText(self.title, span.context, self.text[span.start : span.end], span.start)


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A file as the newest run left it."""

    digest: str | None = None
    split: Split = Split.TOKENS
    error: str | None = None
    mounted: bool = False
    indexed_at: str = ""
    skipped: str | None = None

    @property
    def state(self) -> SourceState:
        if self.skipped and not self.error:
            return SourceState.SKIPPED
        return SourceState.FAILED if self.error else SourceState.INDEXED if self.digest else SourceState.UNFINISHED


class MemoryChunk(NamedTuple):
    """A chunk with its document and its ordinal there."""

    id: ChunkId
    document: MemoryDocument
    ordinal: int

    @property
    def is_pending(self) -> bool:
        return self.ordinal in self.document.pending

    @property
    def has_vector(self) -> bool:
        return not self.is_pending and self.document.vector_origin is not VectorOrigin.NONE

    @property
    def text(self) -> ChunkText:
        return self.document.get_chunk_text(self.document.spans[self.ordinal])


class IndexedChunk(NamedTuple):
    """What the text index holds of a chunk: stems in order, above the text and in it, and forms."""

    above: tuple[str, ...]
    body: tuple[str, ...]
    forms: frozenset[str]

    def count_matches(self, clause: QueryClause, analyzer: Analyzer) -> int:
        """Return how often a clause matches; a form or a beginning once."""
        if clause.kind is ClauseKind.FORM:
            return clause.text in self.forms
        if clause.kind is ClauseKind.PREFIX:
            return any(form.startswith(clause.text) for form in self.forms)
        terms = tuple(clause.text.split(" "))
        if clause.kind is ClauseKind.PHRASE_PREFIX:
            return self._is_continued(terms[:-1], terms[-1], analyzer)
        return self._count_phrase(terms)

    def _count_phrase(self, terms: tuple[str, ...]) -> int:
        starts = ((part, position) for part in (self.above, self.body) for position in range(len(part)))
        return sum(part[position : position + len(terms)] == terms for part, position in starts)

    def _is_continued(self, terms: tuple[str, ...], beginning: str, analyzer: Analyzer) -> bool:
        """Return whether terms stand before a pair of characters, or the stem of a form, with a beginning."""
        if is_unspaced(beginning):
            endings = {term for term in (*self.above, *self.body) if term.startswith(beginning)}
        else:
            endings = {analyzer.find_stem(form) for form in self.forms if form.startswith(beginning)}
        return any(self._count_phrase((*terms, ending)) for ending in endings)


@dataclass(frozen=True)
class MemoryState:
    """One committed state of a collection. Nothing in it changes once it is in its place."""

    info: CollectionInfo
    documents: dict[str, MemoryDocument]
    files: dict[str, MemoryFile]
    cache: dict[str, Any]
    roots: dict[str, Root] = field(default_factory=dict)
    ignored: set[tuple[str, str]] = field(default_factory=set)  # stored paths of files, ids
    preferences: dict[tuple[str, str], Preference] = field(default_factory=dict)  # by profile and id
    query_maps: list[QueryMap] = field(default_factory=list)  # one, or none

    @cached_property
    def chunks(self) -> dict[ChunkId, MemoryChunk]:
        """Return every chunk by its id, ascending."""
        chunks = (
            MemoryChunk(chunk, document, ordinal)
            for document in self.documents.values()
            for ordinal, chunk in enumerate(document.chunk_ids)
        )
        return {chunk.id: chunk for chunk in sorted(chunks, key=lambda chunk: chunk.id)}

    @cached_property
    def ids(self) -> Ids:
        return np.fromiter(self.chunks, np.int64)

    @cached_property
    def ids_with_vector(self) -> Ids:
        return np.array([chunk.id for chunk in self.chunks.values() if chunk.has_vector], np.int64)

    @cached_property
    def text_index(self) -> dict[ChunkId, IndexedChunk]:
        return {chunk.id: self._index(chunk.text) for chunk in self.chunks.values()}

    def _index(self, text: ChunkText) -> IndexedChunk:
        stemmer = self.info.stemmer
        heading, body = _analyze(stemmer, f"{text.title or ''} {text.context}".strip()), _analyze(stemmer, text.text)
        return IndexedChunk(tuple(heading.terms), tuple(body.terms), frozenset(heading.forms | body.forms))


@dataclass(frozen=True)
class MemoryHits(LexicalHits):
    """The BM25 of every chunk that holds a term; see `stores.base.LexicalHits`."""

    scores: Mapping[ChunkId, float]

    def score(self, ids: Ids) -> Scores:
        return np.array([self.scores.get(chunk, 0.0) for chunk in ids.tolist()])

    def extend(self, k: int, *, least: float = 0.0) -> MemoryHits:
        return replace(self, ranked=_rank({chunk: score for chunk, score in self.scores.items() if score >= least})[:k])


class MemorySnapshot:
    """A collection as one state has it; see `stores.base.Snapshot`."""

    def __init__(self, state: MemoryState, root: Path) -> None:
        self._state, self._root = state, root
        self.info: CollectionInfo = state.info
        self.cache: MutableMapping[str, Any] = state.cache

    # -- search

    def select(self, where: Filter) -> frozenset[ChunkId]:
        documents = self._filter(where)
        return frozenset(chunk for document in documents for chunk in document.chunk_ids)

    def _filter(self, where: Filter) -> list[MemoryDocument]:
        return [
            document
            for document in self._state.documents.values()
            if holds(where, json.loads(document.metadata), self._list_fields(document))
        ]

    def _list_fields(self, document: MemoryDocument) -> dict[DocumentField, str | None]:
        source, language = self._resolve(document.source), json.loads(document.metadata).get("language")
        code = re.match("[A-Za-z]{2,3}(?![A-Za-z])", language) if isinstance(language, str) else None
        return {
            DocumentField.ID: document.id, DocumentField.TEXT: document.text, DocumentField.TITLE: document.title,
            DocumentField.SOURCE: source, DocumentField.TYPE: None if source is None else Path(source).suffix[1:].lower() or None,
            DocumentField.LANGUAGE: None if code is None else code[0].lower(),
        }  # fmt: skip

    def find_nearest(self, query: Vector, k: int, *, within: ChunkSet | None = None, exclude: Ids = NO_IDS) -> VectorHits:
        hidden = set(exclude.tolist())
        ids = [chunk for chunk in self._state.chunks if chunk not in hidden and _is_within(chunk, within)]
        cosines = self.compute_similarities(query, np.array(ids, np.int64))
        ranked_chunks = ScoredChunks.rank(cosines.ids, cosines.scores)
        return VectorHits(ranked_chunks[:k], len(ranked_chunks) <= k, VectorAccess.INDEX if within is None else VectorAccess.ROWS)

    def match(self, query: LexicalQuery, k: int, *, within: ChunkSet | None = None) -> LexicalHits:
        index, counts, analyzer = self._state.text_index, self._count_matches(query), get_analyzer(self.info.stemmer)
        idfs = {clause: self._compute_idf(count) for clause, count in counts.items()}
        max_score = sum(
            clause.weight * idf * (_K1 + 1 if clause.kind in _RANKED else 1) * (1 if counts[clause] else UNSEEN_TERM_WEIGHT)
            for clause, idf in idfs.items()
        )
        single = {clause: idf for clause, idf in idfs.items() if clause.kind in (ClauseKind.WORD, ClauseKind.FORM)}
        share = sum(idf for clause, idf in single.items() if clause.is_identifier) / (sum(single.values()) or 1.0)
        rarest = sorted((clause for clause in counts if counts[clause]), key=counts.__getitem__)[:QUERY_TERMS_MAX]
        mean = sum(len(chunk.above) + len(chunk.body) for chunk in index.values()) / max(1, len(index))
        scores: dict[ChunkId, float] = {}
        for clause, chunk in itertools.product(rarest, index):
            if _is_within(chunk, within) and (count := index[chunk].count_matches(clause, analyzer)):
                length = len(index[chunk].above) + len(index[chunk].body)
                saturation = count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length / mean)) if clause.kind in _RANKED else 1.0
                scores[chunk] = scores.get(chunk, 0.0) + clause.weight * idfs[clause] * saturation
        return MemoryHits(_rank(scores)[:k], max_score, share, scores)

    def _count_matches(self, query: LexicalQuery) -> dict[QueryClause, int]:
        chunks, analyzer = self._state.text_index.values(), get_analyzer(self.info.stemmer)
        return {
            clause: sum(chunk.count_matches(clause, analyzer) > 0 for chunk in chunks)
            for clause in query[:QUERY_TERMS_COUNTED_MAX]
        }

    def _compute_idf(self, count: int) -> float:
        return math.log1p((len(self._state.chunks) - count + 0.5) / (count + 0.5))

    def idf(self, query: LexicalQuery) -> dict[str, float]:
        words = [clause for clause in query if clause.kind is ClauseKind.WORD]
        return {clause.text: self._compute_idf(count) for clause, count in self._count_matches(words).items()}

    def compute_similarities(self, query: Vector, ids: Ids) -> ScoredChunks:
        known = self._state.chunks
        stored = [chunk for chunk in ids.tolist() if chunk in known and known[chunk].has_vector]
        rows = self.load_vectors(stored).astype(np.float64)
        cosines = (rows * query).sum(axis=1) / np.linalg.norm(rows, axis=1)
        cosines[cosines > 1 - SIMILARITY_ROUNDING] = 1.0
        return ScoredChunks(np.array(stored, np.int64), np.maximum(cosines, -1.0))

    def load_vectors(self, ids: Sequence[ChunkId]) -> Matrix:
        chunks = [self._state.chunks[chunk] for chunk in ids]
        rows = [chunk.document.vectors[chunk.ordinal] for chunk in chunks]
        return np.array(rows, np.float32).reshape(len(rows), self.info.encoder.dimension)

    def sample_chunks(self, most: int, *, steady: bool = False) -> Ids:
        ids = self._state.ids if steady else self._state.ids_with_vector
        if steady:
            return ids[:: 1 << ((max(len(ids), 1) - 1) // most).bit_length()]
        return ids if len(ids) <= most else ids[np.linspace(0, len(ids) - 1, most).astype(np.int64)]

    def load_numbers(self, key: str, *, within: ChunkSet | None = None) -> ScoredChunks:
        metadata = {chunk.id: json.loads(chunk.document.metadata).get(key) for chunk in self._state.chunks.values()}
        numbers = {
            id: float(value)
            for id, value in metadata.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and _is_within(id, within)
        }
        return ScoredChunks(np.array(list(numbers), np.int64), np.array(list(numbers.values()), np.float64))

    def count_chunks(self) -> int:
        return len(self._state.chunks)

    def count_documents(self, where: Filter | None = None) -> int:
        return len(self._state.documents if where is None else self._filter(where))

    # -- what answers show

    def load_hits(self, ranked: ScoredChunks, similarities: Scores | None) -> list[Hit]:
        known = itertools.repeat(math.nan) if similarities is None else similarities.tolist()
        cosines = (None if math.isnan(cosine) else cosine for cosine in known)
        return [self._make_hit(*scores) for scores in zip(ranked.ids.tolist(), ranked.scores.tolist(), cosines, strict=False)]

    def _make_hit(self, id: ChunkId, score: float, similarity: float | None) -> Hit:
        chunk = self._state.chunks[id]
        document, span = chunk.document, chunk.document.spans[chunk.ordinal]
        return Hit(
            id=document.id, chunk_index=chunk.ordinal, score=score, similarity=similarity, text=chunk.text.text,
            title=document.title, source=self._resolve(document.source), start=span.start, end=span.end,
            metadata=json.loads(document.metadata), location=dict(span.location), payload=_load_payload(document),
        )  # fmt: skip

    def load_chunk_texts(self, ids: Sequence[ChunkId]) -> list[ChunkText]:
        return [self._state.chunks[chunk].text for chunk in ids]

    def load_windows(self, ids: Sequence[ChunkId], neighbours: int) -> list[ChunkWindow]:
        return [self._make_window(self._state.chunks[chunk], neighbours) for chunk in ids]

    def _make_window(self, chunk: MemoryChunk, neighbours: int) -> ChunkWindow:
        spans = chunk.document.spans[max(0, chunk.ordinal - neighbours) : chunk.ordinal + neighbours + 1]
        start, end = min(span.start for span in spans), max(span.end for span in spans)
        return ChunkWindow(chunk.document.text[start:end], start, end)

    def find_document_rows(self, ids: Sequence[ChunkId]) -> dict[ChunkId, int]:
        return {chunk: self._state.chunks[chunk].document.number for chunk in ids if chunk in self._state.chunks}

    def find_chunk_ids(self, document_ids: Sequence[str]) -> dict[str, Ids]:
        return {document.id: np.array(document.chunk_ids, np.int64) for document in self._find(document_ids)}

    # -- documents and files

    def _find(self, ids: Sequence[str]) -> list[MemoryDocument]:
        return [self._state.documents[key] for key in dict.fromkeys(ids) if key in self._state.documents]

    def _resolve(self, path: str | None) -> str | None:
        return None if path is None else to_absolute_path(self._root, path).as_posix()

    def _is_below(self, path: str | None, folder: Path) -> bool:
        return path is not None and to_absolute_path(self._root, path).is_relative_to(folder)

    def load_documents(self, ids: Sequence[str], *, include_vectors: bool = False) -> list[Document]:
        return [
            Document(
                document.id, self._resolve(document.source), document.title, document.text, json.loads(document.metadata),
                tuple(ChunkLocation(n, span.start, span.end, dict(span.location)) for n, span in enumerate(document.spans)),
                _load_payload(document),
                document.vectors.astype(np.float32) if include_vectors else None,
            )
            for document in self._find(ids)
        ]  # fmt: skip

    def list_document_ids(
        self, *, where: Filter | None = None, source: Sequence[Path] | None = None, after: str | None = None,
        limit: int | None = None, offset: int = 0, order: ListOrder = ListOrder.ID,
    ) -> list[str]:  # fmt: skip
        documents = self._state.documents.values() if where is None else self._filter(where)
        ids = {
            document.id
            for document in documents
            if source is None or any(self._is_below(document.source, path) for path in source)
        }
        listed = sorted(self._state.documents) if order is ListOrder.ID else list(self._state.documents)
        if after is not None:
            listed = [key for key in listed if key > after] if order is ListOrder.ID else listed[listed.index(after) + 1 :]
        return [key for key in listed if key in ids][offset : None if limit is None else offset + limit]

    def count_metadata(self, where: Filter | None = None) -> list[tuple[Metadata, int]]:
        documents = self._state.documents.values() if where is None else self._filter(where)
        counts = Counter(document.metadata for document in documents)
        return [(json.loads(text), count) for text, count in counts.items()]

    def summarize_documents(self, ids: Sequence[str]) -> list[DocumentSummary]:
        return [self._summarize(self._state.documents[key]) for key in dict.fromkeys(ids) if key in self._state.documents]

    def _summarize(self, document: MemoryDocument) -> DocumentSummary:
        file = MemoryFile("no file") if document.source is None else self._state.files[document.source]
        source, chunks = self._resolve(document.source), len(document.spans)
        return DocumentSummary(document.id, source, document.title, chunks, document.indexed_at, file.state, file.error)

    def _list_documents_of(self, path: str) -> list[MemoryDocument]:
        return [document for document in self._state.documents.values() if document.source == path]

    def list_sources(self, *, state: SourceState | None = None, limit: int | None = None, offset: int = 0) -> list[Source]:
        paths = sorted(
            path
            for path, file in self._state.files.items()
            if (file.state is state if state else file.state is not SourceState.SKIPPED)
        )
        return [self._describe_source(path) for path in paths[offset : None if limit is None else offset + limit]]

    def _describe_source(self, path: str) -> Source:
        file, documents = self._state.files[path], self._list_documents_of(path)
        chunks = sum(len(document.spans) for document in documents)
        name = to_absolute_path(self._root, path).as_posix()
        return Source(name, file.state, len(documents), chunks, file.indexed_at, file.error or file.skipped)

    def count_sources(self, *, state: SourceState | None = None) -> int:
        return len(self.list_sources(state=state))

    def load_profile(self, profile: str) -> list[Preference]:
        known = (preference for (name, _), preference in sorted(self._state.preferences.items()) if name == profile)
        return sorted(known, key=lambda preference: preference.at, reverse=True)

    def list_profiles(self) -> list[ProfileSummary]:
        names = sorted({name for name, _ in self._state.preferences})
        return [_summarize(name, self.load_profile(name)) for name in names]

    def load_roots(self) -> RootList:
        ignored = (
            IgnoredDocument(to_absolute_path(self._root, path).as_posix(), key) for path, key in sorted(self._state.ignored)
        )
        return RootList(tuple(root for _, root in sorted(self._state.roots.items())), tuple(ignored))

    def load_query_map(self) -> QueryMap | None:
        return next(iter(self._state.query_maps), None)

    def export(self) -> Iterator[FullDocument]:
        for document in sorted(self._state.documents.values(), key=lambda document: document.chunk_ids):
            lacks = bool(document.pending) or document.vector_origin is VectorOrigin.NONE
            yield FullDocument(
                document.id, document.source, document.title, document.text, json.loads(document.metadata), document.digest,
                document.vector_origin, document.spans, None if lacks else document.vectors, _load_payload(document),
            )  # fmt: skip

    # -- what a write compares with

    def find_stored_documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        return {
            document.id: StoredDocument(
                document.id,
                document.source,
                document.digest if document.vector_origin is VectorOrigin.TEXT else None,
                json.loads(document.metadata),
                document.vector_origin,
            )
            for document in self._find(ids)
        }

    def find_row_ids(self, key: str) -> list[str]:
        return sorted({f"{path}#{key}" for path in self._state.files} & self._state.documents.keys())

    def find_stored_sources(self, *, below: Sequence[Path] | None = None) -> dict[str, StoredSource]:
        return {
            path: StoredSource(
                path,
                file.digest,
                file.split,
                file.error,
                file.mounted,
                LOADER_VERSION,
                len(self._list_documents_of(path)),
                file.skipped,
            )
            for path, file in self._state.files.items()
            if below is None or any(self._is_below(path, folder) for folder in below)
        }

    def iterate_source_document_ids(self, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
        return ((path, document.id) for path in dict.fromkeys(paths) for document in self._list_documents_of(path))

    def _list_following(self) -> list[MemoryDocument]:
        return [document for document in self._state.documents.values() if document.vector_origin is VectorOrigin.TEXT]

    def _list_encoded(self) -> list[MemoryDocument]:
        return [document for document in self._list_following() if not document.pending]

    def find_by_digest(self, digests: Sequence[str], *, partial: bool = False) -> dict[str, str]:
        some = [document for document in self._list_following() if partial and len(document.pending) < len(document.spans)]
        return {document.digest: document.id for document in [*some, *self._list_encoded()] if document.digest in set(digests)}

    def load_text_part(self, document_id: str, start: int) -> str | None:
        for document in self._find([document_id]):
            if start in document.part_starts:
                return document.text[start : min(end for end in (*document.part_starts, len(document.text)) if end > start)]
        return None

    def load_encoded_chunks(self, documents: Mapping[str, str]) -> dict[str, EncodedChunks]:
        return {
            document.id: EncodedChunks(document.spans, document.vectors.astype(np.float32))
            for document in self._list_encoded()
            if documents.get(document.id) == document.digest
        }

    def iterate_vectors(self, ids: Sequence[str], *, start: int = 0) -> Iterator[StoredVector]:
        for document in self._find(ids):
            for ordinal, (span, vector) in enumerate(zip(document.spans, document.vectors.astype(np.float32), strict=True)):
                if document.vector_origin is VectorOrigin.TEXT and ordinal not in document.pending and span.start >= start:
                    text = document.get_chunk_text(span)
                    yield StoredVector(text.title, text.context, text.text, vector)

    def load_copied_vectors(self, waiting: Sequence[PendingChunk]) -> dict[ChunkId, Vector]:
        copied = {}
        same = self.find_by_digest([chunk.digest for chunk in waiting], partial=True)
        for chunk in waiting:
            spans = self._state.chunks[chunk.id].document.spans
            other = self._state.documents.get(same.get(chunk.digest, ""))
            if other is None or chunk.ordinal in other.pending:
                continue
            if _describe_span(other.spans, chunk.ordinal) == _describe_span(spans, chunk.ordinal):
                copied[chunk.id] = other.vectors[chunk.ordinal].astype(np.float32)
        return copied

    def load_pending_chunks(self, limit: int, *, exclude: Collection[ChunkId] = ()) -> list[PendingChunk]:
        waiting = [chunk for chunk in reversed(self._state.chunks.values()) if chunk.is_pending and chunk.id not in exclude]
        return [
            PendingChunk(
                chunk.id, chunk.document.id, chunk.document.digest, chunk.ordinal, chunk.text.title, chunk.text.context,
                chunk.text.text, chunk.document.source, chunk.document.spans[chunk.ordinal].location,
            )
            for chunk in waiting[:limit]
        ]  # fmt: skip


def _describe_span(spans: Sequence[ChunkSpan], ordinal: int) -> tuple[int, int, str] | None:
    return (spans[ordinal].start, spans[ordinal].end, spans[ordinal].context) if ordinal < len(spans) else None


def _load_payload(document: MemoryDocument) -> Any:
    return None if document.payload is None else json.loads(document.payload)


def _rank(scores: Mapping[ChunkId, float]) -> ScoredChunks:
    """Rank best first; of equal scores the chunk stored first comes first."""
    return ScoredChunks.rank(np.array([*scores], np.int64), np.array([*scores.values()], np.float64))


def _is_within(chunk: ChunkId, chunks: ChunkSet | None) -> bool:
    assert chunks is None or isinstance(chunks, frozenset)  # what `select` gave
    return chunks is None or chunk in chunks


@lru_cache(maxsize=100_000)
def _analyze(stemmer: str, text: str) -> AnalyzedText:
    return get_analyzer(stemmer).analyze(text)


def _summarize(name: str, preferences: list[Preference]) -> ProfileSummary:
    likes = sum(preference.weight > 0 for preference in preferences)
    return ProfileSummary(name, likes, len(preferences) - likes, preferences[0].at)
