"""Reading: one consistent snapshot of a collection at a time, and what an answer takes from it. Never writes.

What else a collection holds, `Snapshot.catalogue` knows, and loads SQLAlchemy for it, which takes longer than to search.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.filters import Filter
from vecsearch.core.results import ChunkWindow, Hit
from vecsearch.core.settings import TRIGRAM_MAX_CHARS
from vecsearch.core.source_paths import to_absolute_path
from vecsearch.core.types import ChunkId, ScoredChunk
from vecsearch.search import noise_floor
from vecsearch.stores.sqlite.engine.collections import CollectionState, find_state, list_visible_states
from vecsearch.stores.sqlite.engine.connections import PooledConnection
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.engine.stored_values import parse_location, parse_stored_json
from vecsearch.stores.sqlite.filters.filter_cache import Filtered
from vecsearch.stores.sqlite.filters.filter_sql import chunk_ids, document_keys
from vecsearch.stores.sqlite.fulltext import bm25
from vecsearch.stores.sqlite.fulltext.bm25 import LexicalHits
from vecsearch.stores.sqlite.vectors.faiss_segment import Ids, Vector, to_float32
from vecsearch.stores.sqlite.vectors.vector_view import VectorView, ViewCache
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.trigrams import TrigramCache

if TYPE_CHECKING:
    from vecsearch.stores.sqlite.read.document_reader import DocumentReader


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A chunk's text and what stands above it; it begins at character `start` of its document."""

    title: str | None
    context: str
    text: str
    start: int


class Reader:
    """Snapshots of one collection."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._reset_caches()

    def _reset_caches(self) -> None:
        self._process = os.getpid()
        self._view_cache, self._filter_cache, self._trigram_cache = (
            ViewCache(self._database.index_folder),
            Filtered(),
            TrigramCache(),
        )

    @contextmanager
    def open_snapshot(self) -> Iterator[Snapshot | None]:
        """The collection as it is now; None while it is not there."""
        if self._process != os.getpid():  # forked, perhaps while another thread held the lock of a cache
            self._reset_caches()
        with self._database.begin_driver_read() as opened:
            state = find_state(opened.driver, self._name)
            yield (
                None
                if state is None
                else Snapshot(opened, state, self._database.parent, self._view_cache, self._filter_cache, self._trigram_cache)
            )


def list_collection_names(database: Database) -> list[str]:
    """Names of the collections, ascending."""
    with database.begin_driver_read() as opened:
        return [state.name for state in list_visible_states(opened.driver)]


class Snapshot:
    """A collection as one read transaction sees it."""

    def __init__(
        self,
        connection: PooledConnection,
        state: CollectionState,
        parent: Path,
        view_cache: ViewCache,
        filter_cache: Filtered,
        trigram_cache: TrigramCache,
    ) -> None:
        self._connection, self._driver = connection, connection.driver
        self.state, self._parent, self._view_cache = state, parent, view_cache
        self._filter_cache, self._trigram_cache = filter_cache, trigram_cache

    @cached_property
    def document_reader(self) -> DocumentReader:
        """What the collection holds besides what answers need."""
        from vecsearch.stores.sqlite.read.document_reader import DocumentReader

        return DocumentReader(self._connection.connection, self.state, self._parent)

    # -- vectors and words

    @cached_property
    def view(self) -> VectorView:
        """The vectors."""
        return self._view_cache.get_view(self._driver, self.state)

    def filter_chunks(self, condition: Filter | None) -> Ids | None:
        """Chunk ids, ascending, of the documents that a condition holds for; None for no condition."""
        return (
            None
            if condition is None
            else self._filter_cache.of(self.state, condition, lambda: self._find_matching_chunks(condition))
        )

    def _find_matching_chunks(self, condition: Filter) -> Ids:
        joined = self._driver.execute(*chunk_ids(condition, self.state.id)).fetchone()[0]
        ids: Ids = np.fromstring(joined or "", np.int64, sep=",")
        ids.sort()
        ids.setflags(write=False)  # several searches may share it
        return ids

    def find_document_ids(self, condition: Filter) -> list[str]:
        """Ids, ascending, of the documents that a condition holds for."""
        return [key for (key,) in self._driver.execute(*document_keys(condition, self.state.id))]

    def search_lexical(self, query: str, *, limit: int, allowed: Ids | None = None, extra_ids: Ids | None = None) -> LexicalHits:
        """Up to `limit` chunks by BM25, of the allowed ones, best first, and those of `also`; ties go to the lower id."""
        return bm25.search_bm25(self._driver, self.state, query, limit=limit, allowed=allowed, extra_ids=extra_ids)

    def compute_trigram_scores(self, query: str, ids: Sequence[ChunkId]) -> NDArray[np.float64]:
        """How far each of these chunks spells what the query does, in [0, 1]; see `Spelling`."""
        spelling = self._trigram_cache.get(
            self.state, self.view.list_ids, lambda sample: self._load_trigram_texts(sample.tolist())
        )
        return spelling.score(query, self._load_trigram_texts(ids))

    def _load_trigram_texts(self, ids: Sequence[ChunkId]) -> list[str]:
        """The beginning of all that is to be found by."""
        return [f"{each.title or ''}\n{each.context}\n{each.text}"[:TRIGRAM_MAX_CHARS] for each in self.load_chunk_texts(ids)]

    def fetch_vectors(self, ids: Sequence[ChunkId]) -> Vector:
        """The vectors of chunks that are there, float32, in the order given."""
        found, rows = self.view.fetch(np.array(sorted(ids), np.int64))
        return to_float32(rows)[np.searchsorted(found, ids)]

    def find_chunk_ids(self, key: str) -> Ids:
        """The chunks of the document under an id, ascending; none where there is no such document."""
        rows = self._driver.execute(_DOCUMENT_CHUNKS, {"collection": self.state.id, "key": key})
        return np.fromiter((row[0] for row in rows), np.int64)

    # -- texts

    def load_hits(self, ranked: Sequence[ScoredChunk], similarities: Mapping[int, float]) -> list[Hit]:
        """The text and place of each chunk, in the order given."""
        ids = [each.chunk_id for each in ranked]
        rows = {row[0]: row for row in self._driver.execute(_HITS, {"ids": json.dumps(ids)})}
        _check_rows_exist(rows, ids)
        return [self._build_hit(rows[each.chunk_id], each, similarities.get(each.chunk_id)) for each in ranked]

    def _build_hit(self, row: Any, scored_chunk: ScoredChunk, similarity: float | None) -> Hit:
        _, key, ordinal, text, title, path, start, end, metadata, place = row
        return Hit(
            id=key, chunk_index=ordinal, score=scored_chunk.score, similarity=similarity, text=text, title=title,
            source=None if path is None else to_absolute_path(self._parent, path).as_posix(),
            start=start, end=end, metadata=parse_stored_json(metadata), location=parse_location(place),
        )  # fmt: skip

    def load_chunk_texts(self, ids: Sequence[ChunkId]) -> list[ChunkText]:
        """The text of each chunk, in the order given."""
        rows = self._driver.execute(_PASSAGES, {"ids": json.dumps(list(ids))})
        found = {row[0]: ChunkText(*row[1:]) for row in rows}
        _check_rows_exist(found, ids)
        return [found[each] for each in ids]

    def find_document_rows(self, ids: Sequence[ChunkId]) -> dict[ChunkId, int]:
        """The row of each chunk's document."""
        return dict(self._driver.execute(_DOCUMENT_ROWS, {"ids": json.dumps(list(ids))}).fetchall())

    def compute_stems(self, ids: Sequence[ChunkId]) -> list[frozenset[str]]:
        """The stems of each chunk's text, of its title where it has no text, in the order given."""
        by = get_analyzer(self.state.language)
        return [frozenset(by.analyze(each.text.strip() or each.title or "").terms) for each in self.load_chunk_texts(ids)]

    def estimate_noise_floor(self) -> float | None:
        """The similarity from which on a chunk is no chance likeness; None where there are too few documents to tell."""
        return noise_floor.estimate_noise_floor(self.view, self.find_document_rows)

    def count_indexed_chunks(self) -> int:
        """How many chunks words can find: all of them, and sooner counted here than where they are stored."""
        return bm25.count_indexed_chunks(self._driver, self.state)

    def compute_term_idfs(self, query: str) -> dict[str, float]:
        """The idf of each word of a query, by its stem."""
        return bm25.compute_term_idfs(self._driver, self.state, query)

    def add_windows(self, hits: Sequence[Hit], ids: Sequence[ChunkId], neighbours: int) -> list[Hit]:
        """With so many chunks before and after each, as far as there are any; the chunks of the hits are `ids`."""
        return [replace(hit, window=self._read_window(chunk, neighbours)) for hit, chunk in zip(hits, ids, strict=True)]

    def _read_window(self, chunk: ChunkId, neighbours: int) -> ChunkWindow:
        return ChunkWindow(*self._driver.execute(_WINDOW, {"chunk": chunk, "neighbours": neighbours}).fetchone())

    def count_documents_and_chunks(self) -> tuple[int, int]:
        """(documents, chunks)."""
        one, other = (
            self._driver.execute(each, {"collection": self.state.id}).fetchone()[0] for each in (_DOCUMENT_COUNT, _CHUNK_COUNT)
        )
        return int(one), int(other)


def _check_rows_exist(found: Container[ChunkId], ids: Iterable[ChunkId]) -> None:
    """Raises Damaged where the index, or the words, know of a chunk that has no row."""
    if missing := [each for each in ids if each not in found]:
        raise DatabaseCorruptedError(f"the database is damaged: chunk {missing[0]} is not there; see `vecsearch doctor`")


_CHUNK_TEXT: Final = 'substr(documents.text, chunks.start + 1, chunks."end" - chunks.start)'
_HITS: Final = f"""
    SELECT chunks.id, documents.key, chunks.ordinal, {_CHUNK_TEXT}, documents.title, sources.path, chunks.start, chunks."end",
        documents.metadata, chunks.place
    FROM chunks JOIN documents ON documents.id = chunks.document_id LEFT JOIN sources ON sources.id = documents.source_id
    WHERE chunks.id IN (SELECT value FROM json_each(:ids))
"""
_PASSAGES: Final = f"""
    SELECT chunks.id, documents.title, coalesce(chunks.context, ''), {_CHUNK_TEXT}, chunks.start
    FROM chunks JOIN documents ON documents.id = chunks.document_id WHERE chunks.id IN (SELECT value FROM json_each(:ids))
"""
_DOCUMENT_ROWS: Final = "SELECT id, document_id FROM chunks WHERE id IN (SELECT value FROM json_each(:ids))"
_DOCUMENT_CHUNKS: Final = """
    SELECT chunks.id FROM chunks JOIN documents ON documents.id = chunks.document_id
    WHERE documents.collection_id = :collection AND documents.key = :key ORDER BY chunks.id
"""
_WINDOW: Final = """
    WITH one AS (SELECT document_id, ordinal FROM chunks WHERE id = :chunk),
    near AS (
        SELECT chunks.document_id, min(chunks.start) AS first, max(chunks."end") AS last FROM chunks JOIN one
        ON chunks.document_id = one.document_id AND chunks.ordinal BETWEEN one.ordinal - :neighbours AND one.ordinal + :neighbours
    )
    SELECT substr(documents.text, first + 1, last - first), first, last
    FROM near JOIN documents ON documents.id = near.document_id
"""
_DOCUMENT_COUNT: Final = "SELECT count(*) FROM documents WHERE collection_id = :collection"
_CHUNK_COUNT: Final = "SELECT count(*) FROM chunks WHERE collection_id = :collection"
