"""Read one consistent state of a collection at a time, and what an answer takes from it. Never writes.

What else a collection holds, `document_reader` knows. It loads SQLAlchemy, which takes longer than a search.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.results import ChunkWindow, Hit
from vecsearch.core.sorted_ids import find_positions
from vecsearch.core.source_paths import to_shown_path
from vecsearch.core.types import ChunkId, Document, DocumentSummary, ListOrder, Metadata, Source, SourceState
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.base import (
    NO_IDS,
    ChunkSet,
    ChunkText,
    CollectionInfo,
    Ids,
    LexicalHits,
    Matrix,
    QueryMap,
    ScoredChunks,
    Scores,
    Vector,
    VectorHits,
)  # fmt: skip
from vecsearch.stores.sqlite.engine.collections import CollectionName, CollectionState, find_state
from vecsearch.stores.sqlite.engine.connections import PooledConnection
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.stored_values import parse_location, parse_payload, parse_stored_json
from vecsearch.stores.sqlite.filters.filter_cache import FilterCache
from vecsearch.stores.sqlite.fulltext import bm25
from vecsearch.stores.sqlite.fulltext.term_view import TermView, TermViewCache
from vecsearch.stores.sqlite.read.answer_statements import (
    DOCUMENT_CHUNKS,
    DOCUMENT_COUNT,
    DOCUMENT_ROWS,
    FIRST_PART,
    HITS,
    NUMBERS,
    PASSAGES,
    TEXT_PART,
    WINDOWS,
)
from vecsearch.stores.sqlite.read.query_map_rows import load_query_map
from vecsearch.stores.sqlite.vectors.faiss_segment import to_float32
from vecsearch.stores.sqlite.vectors.vector_view import VectorView, ViewCache
from vecsearch.text.query_parser import LexicalQuery

if TYPE_CHECKING:
    from vecsearch.core.filters import Filter
    from vecsearch.core.preferences import Preference, ProfileSummary
    from vecsearch.core.roots import RootList
    from vecsearch.stores.base import EncodedChunks, FullDocument, PendingChunk, StoredDocument, StoredSource, StoredVector
    from vecsearch.stores.sqlite.read.document_reader import DocumentReader


@dataclass(frozen=True, slots=True)
class SelectedChunks:
    """The chunks that a filter holds for: their ids, ascending."""

    ids: Ids

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(slots=True)
class _Caches:
    """What this process remembers of a collection. Safe to share between threads."""

    views: ViewCache
    terms: TermViewCache = field(default_factory=TermViewCache)
    filters: FilterCache = field(default_factory=FilterCache)
    derived: dict[str, Any] = field(default_factory=dict)
    derived_from: int = 0  # the collection's row

    def get_derived(self, state: CollectionState) -> dict[str, Any]:
        """Return what other modules have cached for this collection."""
        if self.derived_from != state.id:
            self.derived, self.derived_from = {}, state.id
        return self.derived


class SnapshotReader:
    """Opens snapshots of one collection."""

    def __init__(self, database: DatabaseFolder, name: CollectionName) -> None:
        self._database, self._name = database, name
        self._reset_caches()

    def _reset_caches(self) -> None:
        self._process, self._caches = os.getpid(), _Caches(ViewCache(self._database.index_folder))

    @contextmanager
    def open_snapshot(self) -> Iterator[SQLiteSnapshot | None]:
        """Open the collection as it is now; None while it is not there."""
        if self._process != os.getpid():  # forked, perhaps while another thread held the lock of a cache
            self._reset_caches()
        with self._database.begin_driver_read() as opened:
            state = find_state(opened.driver, self._name)
            yield None if state is None else SQLiteSnapshot(opened, state, self._database.parent, self._caches)


def describe_collection(state: CollectionState) -> CollectionInfo:
    """Return what the rest of the package may know of a collection's row."""
    spec = EncoderSpec(state.model, state.fingerprint, state.dimension)
    return CollectionInfo(
        state.name, spec, state.precision, state.stemmer, state.metadata, (state.id, state.restored_version),
        (state.id, state.data_version), state.pending_vectors, state.vectorless_chunks, state.public_id, state.noise_floor,
        state.noise_floor_vectors,
    )  # fmt: skip


class SQLiteSnapshot:
    """A collection as one read transaction sees it; see `stores.base.Snapshot`."""

    def __init__(self, connection: PooledConnection, state: CollectionState, parent: Path, caches: _Caches) -> None:
        self._connection, self._driver = connection, connection.driver
        self.state, self._parent, self._caches = state, parent, caches

    @lazy_property
    def info(self) -> CollectionInfo:
        """Return what the collection is, and the version that this snapshot sees."""
        return describe_collection(self.state)

    @property
    def cache(self) -> MutableMapping[str, Any]:
        """Return a place for what is derived from the collection."""
        return self._caches.get_derived(self.state)

    @lazy_property
    def document_reader(self) -> DocumentReader:
        """Return what reads the documents and files of the collection."""
        from vecsearch.stores.sqlite.read.document_reader import DocumentReader

        return DocumentReader(self._connection.connection, self.state, self._parent)

    # -- search

    @lazy_property
    def view(self) -> VectorView:
        """Return the vectors."""
        return self._caches.views.get_view(self._driver, self.state)

    @lazy_property
    def terms(self) -> TermView:
        """The text index."""
        return self._caches.terms.get(self._driver, self.state)

    def select(self, where: Filter) -> SelectedChunks:
        """Return the chunks of the documents that a filter holds for."""
        return SelectedChunks(self._caches.filters.get(self.state, where, lambda: self._find_matching_chunks(where)))

    def _find_matching_chunks(self, where: Filter) -> Ids:
        from vecsearch.stores.sqlite.filters.matching import find_chunks

        return find_chunks(self._connection, where, self.state.id, self._parent)

    def find_nearest(self, query: Vector, k: int, *, within: ChunkSet | None = None, exclude: Ids = NO_IDS) -> VectorHits:
        """Return up to k chunks by cosine, best first."""
        return self.view.find_nearest(query, k, allowed=_get_ids(within), excluded=exclude)

    def match(self, query: LexicalQuery, k: int, *, within: ChunkSet | None = None) -> LexicalHits:
        """Return up to k chunks that hold a term of the query, by BM25, best first."""
        return bm25.search_bm25(self._driver, self.terms, query, limit=k, allowed=_get_ids(within))

    def compute_similarities(self, query: Vector, ids: Ids) -> ScoredChunks:
        """Return the cosines of chunks, whose ids ascend, as they do; one that is not there or has no vector is left out."""
        return self.view.compute_similarities(query, ids)

    def load_vectors(self, ids: Sequence[ChunkId]) -> Matrix:
        """Return the vectors of chunks that are there, float32, in the order given; zeros for one that has none yet."""
        stored_ids, rows = self.view.fetch(np.array(sorted(ids), np.int64))
        if len(stored_ids) == len(ids):
            return to_float32(rows)[np.searchsorted(stored_ids, ids)]
        places, has_vector = find_positions(stored_ids, np.array(ids, np.int64))
        vectors = np.zeros((len(ids), self.state.dimension), np.float32)
        vectors[has_vector] = to_float32(rows)[places[has_vector]]
        return vectors

    def idf(self, query: LexicalQuery) -> dict[str, float]:
        """Return the inverse document frequency of each single word of a query, by its stem."""
        return bm25.compute_term_idfs(self._driver, self.terms, query)

    def sample_chunks(self, most: int, *, steady: bool = False) -> Ids:
        """Return at most `most` chunks, evenly spread: of those with a vector; or, `steady`, every 2^n-th of all."""
        if steady:
            ids = self.terms.list_ids()
            return ids[:: 1 << ((max(len(ids), 1) - 1) // most).bit_length()]
        ids = self.view.list_ids()
        return ids if len(ids) <= most else ids[np.linspace(0, len(ids) - 1, most).astype(np.int64)]

    def load_numbers(self, key: str, *, within: ChunkSet | None = None) -> ScoredChunks:
        """Return the number that chunks' documents have at a metadata key, by ascending chunk."""
        rows = self._driver.execute(NUMBERS, {"collection": self.state.id, "key": key}).fetchall()
        numbers = ScoredChunks(np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64))
        return numbers if (ids := _get_ids(within)) is None else numbers[np.isin(numbers.ids, ids)]

    def count_chunks(self) -> int:
        """Return how many chunks there are: known with the vectors, else sooner counted in the text index than in its table."""
        without = self.state.pending_vectors + self.state.vectorless_chunks
        return len(self.view) + without if "view" in self.__dict__ else self.terms.count

    def count_documents(self, where: Filter | None = None) -> int:
        """Return how many documents there are, or how many a filter holds for."""
        if where is None:
            return int(self._driver.execute(DOCUMENT_COUNT, {"collection": self.state.id}).fetchone()[0])
        from vecsearch.stores.sqlite.filters.matching import count_documents

        return count_documents(self._connection, where, self.state.id, self._parent)

    # -- what answers show

    def load_hits(self, ranked: ScoredChunks, similarities: Scores | None) -> list[Hit]:
        """Return the text and location of each chunk, in the order given."""
        ids = ranked.ids.tolist()
        rows = {row[0]: row for row in self._driver.execute(HITS, {"ids": json.dumps(ids)})}
        _check_rows_exist(rows, ids)
        known = [math.nan] * len(ids) if similarities is None else similarities.tolist()
        cosines = [None if math.isnan(cosine) else cosine for cosine in known]
        columns = zip(ids, ranked.scores.tolist(), cosines, strict=True)
        return [self._build_hit(rows[chunk], score, cosine) for chunk, score, cosine in columns]

    def _build_hit(self, row: Any, score: float, similarity: float | None) -> Hit:
        _, key, ordinal, text, title, path, start, end, metadata, location, payload = row
        return Hit(
            id=key, chunk_index=ordinal, score=score, similarity=similarity, text=text, title=title,
            source=None if path is None else to_shown_path(self._parent, path),
            start=start, end=end, metadata=parse_stored_json(metadata), location=parse_location(location),
            payload=parse_payload(payload),
        )  # fmt: skip

    def load_chunk_texts(self, ids: Sequence[ChunkId]) -> list[ChunkText]:
        """Return the text of each chunk, in the order given."""
        rows = self._driver.execute(PASSAGES, {"ids": json.dumps(list(ids))})
        texts = {row[0]: ChunkText(*row[1:]) for row in rows}
        _check_rows_exist(texts, ids)
        return [texts[chunk] for chunk in ids]

    def load_windows(self, ids: Sequence[ChunkId], neighbours: int) -> list[ChunkWindow]:
        """Return each chunk with so many before and after it in its document, as far as there are any."""
        rows = self._driver.execute(WINDOWS, {"ids": json.dumps(list(ids)), "neighbours": neighbours})
        windows = {row[0]: ChunkWindow(*row[1:]) for row in rows}
        return [windows[chunk] for chunk in ids]

    def load_text_part(self, document_id: str, start: int) -> str | None:
        """Return the part of a document's text that begins at a character; None where none does."""
        values = {"collection": self.state.id, "key": document_id, "start": start}
        row = self._driver.execute(TEXT_PART if start else FIRST_PART, values).fetchone()
        return None if row is None else str(row[0])

    def find_document_rows(self, ids: Sequence[ChunkId]) -> dict[ChunkId, int]:
        """Return the row of each chunk's document."""
        return dict(self._driver.execute(DOCUMENT_ROWS, {"ids": json.dumps(list(ids))}).fetchall())

    def find_chunk_ids(self, document_ids: Sequence[str]) -> dict[str, Ids]:
        """Return the chunks of each of these documents, ascending; a document that is not there is left out."""
        chunks: dict[str, list[int]] = {}
        values = {"collection": self.state.id, "keys": json.dumps(list(document_ids))}
        for key, chunk in self._driver.execute(DOCUMENT_CHUNKS, values):
            chunks.setdefault(key, []).append(chunk)
        return {key: np.array(ids, np.int64) for key, ids in chunks.items()}

    # -- documents and files

    def list_document_ids(
        self, *, where: Filter | None = None, source: Sequence[Path] | None = None, after: str | None = None,
        limit: int | None = None, offset: int = 0, order: ListOrder = ListOrder.ID,
    ) -> list[str]:  # fmt: skip
        """Return ids: of all documents, of those that a filter holds for, of those of a file or folder."""
        from vecsearch.stores.sqlite.read.document_lists import ListSelection

        return self.document_reader.list_ids(ListSelection(self._filter_ids(where), source, after, limit, offset, order))

    def _filter_ids(self, where: Filter | None) -> list[str] | None:
        """Return the ids of the documents that a filter holds for; None without one."""
        if where is None:
            return None
        from vecsearch.stores.sqlite.filters.matching import find_document_ids

        return find_document_ids(self._connection, where, self.state.id, self._parent)

    def count_metadata(self, where: Filter | None = None) -> list[tuple[Metadata, int]]:
        """Return the different metadata of documents, with how many documents have them."""
        return self.document_reader.count_metadata(self._filter_ids(where))

    def summarize_documents(self, ids: Sequence[str]) -> list[DocumentSummary]:
        """Return a line about each document, in the order of `ids`; what is not there is left out."""
        return self.document_reader.summarize(ids)

    def load_documents(self, ids: Sequence[str], *, include_vectors: bool = False) -> list[Document]:
        """Return documents in the order of `ids`, each once; what is not there is left out."""
        return self.document_reader.load_documents(ids, include_vectors=include_vectors)

    def list_sources(self, *, state: SourceState | None = None, limit: int | None = None, offset: int = 0) -> list[Source]:
        """Return a page of the files by path: those in a state, by default all but those that were skipped."""
        return self.document_reader.list_sources(source_state=state, limit=limit, offset=offset)

    def count_sources(self, *, state: SourceState | None = None) -> int:
        """Return how many files are in a state."""
        return self.document_reader.count_sources(state)

    def load_roots(self) -> RootList:
        """Return what was given to be indexed, and what is kept away."""
        return self.document_reader.load_roots()

    def load_profile(self, profile: str) -> list[Preference]:
        """Return what a saved profile holds, the newest first."""
        from vecsearch.stores.sqlite.read import preference_rows

        return preference_rows.load_profile(self._driver, self.state, profile, self.cache)

    def list_profiles(self) -> Sequence[ProfileSummary]:
        """Return the saved profiles by name."""
        from vecsearch.stores.sqlite.read import preference_rows

        return preference_rows.list_profiles(self._connection.connection, self.state)

    def load_query_map(self) -> QueryMap | None:
        """Return the map of the vectors of questions; None where there is none."""
        return load_query_map(self._driver, self.state, self.cache)

    def export(self) -> Iterator[FullDocument]:
        """Yield every document with all that belongs to it, in the order of their chunks."""
        from vecsearch.stores.sqlite.read.full_documents import read_full_documents

        return read_full_documents(self._connection.connection, self.state)

    def find_stored_documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Return what is there under these ids."""
        return self.document_reader.load_stored_documents(ids)

    def find_row_ids(self, key: str) -> list[str]:
        """Return the ids that rows of files have under a key of theirs."""
        return self.document_reader.find_row_ids(key)

    def find_stored_sources(self, *, below: Sequence[Path] | None = None) -> dict[str, StoredSource]:
        """Return files by stored path: all, or those at or below these absolute paths."""
        return self.document_reader.load_sources(below=below)

    def iterate_source_document_ids(self, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the stored path and the id of each document of these files."""
        return self.document_reader.iterate_source_document_ids(paths)

    def find_by_digest(self, digests: Sequence[str], *, partial: bool = False) -> dict[str, str]:
        """Return the id of a document for each of these contents that is there."""
        return self.document_reader.find_duplicates(digests, partial=partial)

    def load_encoded_chunks(self, documents: Mapping[str, str]) -> dict[str, EncodedChunks]:
        """Return the chunks and vectors of documents, {id: digest}; one whose content is another by now is left out."""
        return self.document_reader.load_encoded_chunks(documents)

    def iterate_vectors(self, ids: Sequence[str], *, start: int = 0) -> Iterator[StoredVector]:
        """Yield every chunk of these documents, from a character on, with its vector."""
        return self.document_reader.iterate_vectors(ids, start=start)

    def load_copied_vectors(self, waiting: Sequence[PendingChunk]) -> dict[ChunkId, Vector]:
        """Return the vectors of those of the chunks of which a document of the same content has the same one, with its vector."""
        return self.document_reader.load_copied_vectors(waiting)

    def load_pending_chunks(self, limit: int, *, exclude: Collection[ChunkId] = ()) -> list[PendingChunk]:
        """Return chunks whose vectors are still to be made, the newest first, without those excluded."""
        return self.document_reader.load_pending_chunks(limit, exclude)


def _get_ids(chunks: ChunkSet | None) -> Ids | None:
    assert chunks is None or isinstance(chunks, SelectedChunks)  # of another store's
    return None if chunks is None else chunks.ids


def _check_rows_exist(rows: Container[ChunkId], ids: Iterable[ChunkId]) -> None:
    """Raise DatabaseCorruptedError where the index, or the term tables, know of a chunk that has no row."""
    if missing := [chunk for chunk in ids if chunk not in rows]:
        raise DatabaseCorruptedError(f"the database is damaged: chunk {missing[0]} is not there; see `vecsearch doctor`")
