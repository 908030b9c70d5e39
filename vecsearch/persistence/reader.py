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

from vecsearch.core.answers import Around, Hit
from vecsearch.core.conditions import Condition
from vecsearch.core.errors import Damaged
from vecsearch.core.settings import SPELLED_CHARACTERS
from vecsearch.core.types import ChunkId, Scored
from vecsearch.persistence import matching, noise
from vecsearch.persistence.analysis import analyzer
from vecsearch.persistence.conditions import chunk_ids, document_keys
from vecsearch.persistence.connections import Opened
from vecsearch.persistence.database import Database
from vecsearch.persistence.filtered import Filtered
from vecsearch.persistence.matching import Matches
from vecsearch.persistence.paths import absolute
from vecsearch.persistence.spelling import Spelled
from vecsearch.persistence.state import CollectionState, find_state, visible_states
from vecsearch.persistence.stored import from_json, place_of
from vecsearch.persistence.vectors import Ids, Vector, single
from vecsearch.persistence.view import View, ViewCache

if TYPE_CHECKING:
    from vecsearch.persistence.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk's text and what stands above it; it begins at character `start` of its document."""

    title: str | None
    context: str
    text: str
    start: int


class Reader:
    """Snapshots of one collection."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._views, self._filtered, self._spelled = ViewCache(self._database.index_folder), Filtered(), Spelled()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot | None]:
        """The collection as it is now; None while it is not there."""
        if self._process != os.getpid():  # forked, perhaps while another thread held the lock of a cache
            self._forget()
        with self._database.opened() as opened:
            state = find_state(opened.driver, self._name)
            yield (
                None
                if state is None
                else Snapshot(opened, state, self._database.parent, self._views, self._filtered, self._spelled)
            )


def names(database: Database) -> list[str]:
    """Names of the collections, ascending."""
    with database.opened() as opened:
        return [state.name for state in visible_states(opened.driver)]


class Snapshot:
    """A collection as one read transaction sees it."""

    def __init__(
        self, opened: Opened, state: CollectionState, parent: Path, views: ViewCache, filtered: Filtered, spelled: Spelled
    ) -> None:
        self._opened, self._driver = opened, opened.driver
        self.state, self._parent, self._views = state, parent, views
        self._filtered, self._spelled = filtered, spelled

    @cached_property
    def catalogue(self) -> Catalogue:
        """What the collection holds besides what answers need."""
        from vecsearch.persistence.catalogue import Catalogue

        return Catalogue(self._opened.connection, self.state, self._parent)

    # -- vectors and words

    @cached_property
    def view(self) -> View:
        """The vectors."""
        return self._views.at(self._driver, self.state)

    def allowed(self, condition: Condition | None) -> Ids | None:
        """Chunk ids, ascending, of the documents that a condition holds for; None for no condition."""
        return None if condition is None else self._filtered.of(self.state, condition, lambda: self._matching(condition))

    def _matching(self, condition: Condition) -> Ids:
        joined = self._driver.execute(*chunk_ids(condition, self.state.id)).fetchone()[0]
        ids: Ids = np.fromstring(joined or "", np.int64, sep=",")
        ids.sort()
        ids.setflags(write=False)  # several searches may share it
        return ids

    def keys(self, condition: Condition) -> list[str]:
        """Ids, ascending, of the documents that a condition holds for."""
        return [key for (key,) in self._driver.execute(*document_keys(condition, self.state.id))]

    def lexical(self, query: str, *, limit: int, allowed: Ids | None = None, also: Ids | None = None) -> Matches:
        """Up to `limit` chunks by BM25, of the allowed ones, best first, and those of `also`; ties go to the lower id."""
        return matching.matches(self._driver, self.state, query, limit=limit, allowed=allowed, also=also)

    def spelled(self, query: str, ids: Sequence[ChunkId]) -> NDArray[np.float64]:
        """How far each of these chunks spells what the query does, in [0, 1]; see `Spelling`."""
        spelling = self._spelled.of(self.state, self.view.ids, lambda sample: self._texts(sample.tolist()))
        return spelling.scores(query, self._texts(ids))

    def _texts(self, ids: Sequence[ChunkId]) -> list[str]:
        """The beginning of all that is to be found by."""
        return [f"{each.title or ''}\n{each.context}\n{each.text}"[:SPELLED_CHARACTERS] for each in self.passages(ids)]

    def rows(self, ids: Sequence[ChunkId]) -> Vector:
        """The vectors of chunks that are there, float32, in the order given."""
        found, rows = self.view.fetch(np.array(sorted(ids), np.int64))
        return single(rows)[np.searchsorted(found, ids)]

    def chunk_ids_of(self, key: str) -> Ids:
        """The chunks of the document under an id, ascending; none where there is no such document."""
        rows = self._driver.execute(_OWN, {"collection": self.state.id, "key": key})
        return np.fromiter((row[0] for row in rows), np.int64)

    # -- texts

    def hits(self, ranked: Sequence[Scored], similarities: Mapping[int, float]) -> list[Hit]:
        """The text and place of each chunk, in the order given."""
        ids = [each.chunk_id for each in ranked]
        rows = {row[0]: row for row in self._driver.execute(_HITS, {"ids": json.dumps(ids)})}
        _check_whole(rows, ids)
        return [self._hit(rows[each.chunk_id], each, similarities.get(each.chunk_id)) for each in ranked]

    def _hit(self, row: Any, scored: Scored, similarity: float | None) -> Hit:
        _, key, ordinal, text, title, path, start, end, metadata, place = row
        return Hit(
            id=key, chunk=ordinal, score=scored.score, similarity=similarity, text=text, title=title,
            uri=None if path is None else absolute(self._parent, path).as_posix(),
            start=start, end=end, metadata=from_json(metadata), place=place_of(place),
        )  # fmt: skip

    def passages(self, ids: Sequence[ChunkId]) -> list[Passage]:
        """The text of each chunk, in the order given."""
        rows = self._driver.execute(_PASSAGES, {"ids": json.dumps(list(ids))})
        found = {row[0]: Passage(*row[1:]) for row in rows}
        _check_whole(found, ids)
        return [found[each] for each in ids]

    def documents_of(self, ids: Sequence[ChunkId]) -> dict[ChunkId, int]:
        """The row of each chunk's document."""
        return dict(self._driver.execute(_OWNERS, {"ids": json.dumps(list(ids))}).fetchall())

    def stems(self, ids: Sequence[ChunkId]) -> list[frozenset[str]]:
        """The stems of each chunk's text, of its title where it has no text, in the order given."""
        by = analyzer(self.state.language)
        return [frozenset(by.analyzed(each.text.strip() or each.title or "").terms) for each in self.passages(ids)]

    def noise_floor(self) -> float | None:
        """The similarity from which on a chunk is no chance likeness; None where there are too few documents to tell."""
        return noise.floor(self.view, self.documents_of)

    def indexed(self) -> int:
        """How many chunks words can find: all of them, and sooner counted here than where they are stored."""
        return matching.row_count(self._driver, self.state)

    def rarity(self, query: str) -> dict[str, float]:
        """The idf of each word of a query, by its stem."""
        return matching.rarity(self._driver, self.state, query)

    def expanded(self, hits: Sequence[Hit], ids: Sequence[ChunkId], neighbours: int) -> list[Hit]:
        """With so many chunks before and after each, as far as there are any; the chunks of the hits are `ids`."""
        return [replace(hit, around=self._around(chunk, neighbours)) for hit, chunk in zip(hits, ids, strict=True)]

    def _around(self, chunk: ChunkId, neighbours: int) -> Around:
        return Around(*self._driver.execute(_AROUND, {"chunk": chunk, "neighbours": neighbours}).fetchone())

    def counts(self) -> tuple[int, int]:
        """(documents, chunks)."""
        one, other = (self._driver.execute(each, {"collection": self.state.id}).fetchone()[0] for each in (_DOCUMENTS, _CHUNKS))
        return int(one), int(other)


def _check_whole(found: Container[ChunkId], ids: Iterable[ChunkId]) -> None:
    """Raises Damaged where the index, or the words, know of a chunk that has no row."""
    if missing := [each for each in ids if each not in found]:
        raise Damaged(f"the database is damaged: chunk {missing[0]} is not there; see `vecsearch doctor`")


_TEXT: Final = 'substr(documents.text, chunks.start + 1, chunks."end" - chunks.start)'
_HITS: Final = f"""
    SELECT chunks.id, documents.key, chunks.ordinal, {_TEXT}, documents.title, sources.path, chunks.start, chunks."end",
        documents.metadata, chunks.place
    FROM chunks JOIN documents ON documents.id = chunks.document_id LEFT JOIN sources ON sources.id = documents.source_id
    WHERE chunks.id IN (SELECT value FROM json_each(:ids))
"""
_PASSAGES: Final = f"""
    SELECT chunks.id, documents.title, coalesce(chunks.context, ''), {_TEXT}, chunks.start
    FROM chunks JOIN documents ON documents.id = chunks.document_id WHERE chunks.id IN (SELECT value FROM json_each(:ids))
"""
_OWNERS: Final = "SELECT id, document_id FROM chunks WHERE id IN (SELECT value FROM json_each(:ids))"
_OWN: Final = """
    SELECT chunks.id FROM chunks JOIN documents ON documents.id = chunks.document_id
    WHERE documents.collection_id = :collection AND documents.key = :key ORDER BY chunks.id
"""
_AROUND: Final = """
    WITH one AS (SELECT document_id, ordinal FROM chunks WHERE id = :chunk),
    near AS (
        SELECT chunks.document_id, min(chunks.start) AS first, max(chunks."end") AS last FROM chunks JOIN one
        ON chunks.document_id = one.document_id AND chunks.ordinal BETWEEN one.ordinal - :neighbours AND one.ordinal + :neighbours
    )
    SELECT substr(documents.text, first + 1, last - first), first, last
    FROM near JOIN documents ON documents.id = near.document_id
"""
_DOCUMENTS: Final = "SELECT count(*) FROM documents WHERE collection_id = :collection"
_CHUNKS: Final = "SELECT count(*) FROM chunks WHERE collection_id = :collection"
