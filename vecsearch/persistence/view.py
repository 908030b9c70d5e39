"""A collection's vectors as one snapshot sees them: the index files, the rows after them, and the rows since deleted.

A chunk's vector never changes (a new text gets a new chunk id), so a view moves to a later revision by reading only what is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np

from vecsearch.core.answers import Access
from vecsearch.core.errors import Damaged
from vecsearch.core.settings import READ_ROWS
from vecsearch.core.types import Scored
from vecsearch.persistence.connections import Either, driver
from vecsearch.persistence.segments import StoredSegment, segments_of
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.vectors import NO_IDS, Ids, Rows, Scores, Segment, Vector, best, cosines, dtype, for_each, nearest

_LAST: Final = 2**63 - 1
_ROWS: Final = """
    SELECT chunks.id, vectors.vector FROM chunks JOIN vectors ON vectors.chunk_id = chunks.id
    WHERE chunks.collection_id = :collection AND chunks.id > :after AND chunks.id <= :last ORDER BY chunks.id
"""
_DEAD: Final = "SELECT chunk_id FROM tombstones WHERE collection_id = :collection ORDER BY chunk_id"


@dataclass(frozen=True, slots=True)
class View:
    """Every live vector at one revision: the segments less `dead`, and `tail`."""

    state: CollectionState
    segments: tuple[Segment, ...]  # in ascending order of ids
    stored: tuple[StoredSegment, ...]  # the same as SQLite names them
    tail: Ids
    tail_rows: Rows
    dead: Ids

    def nearest(self, query: Vector, k: int, *, allowed: Ids | None = None, excluded: Ids = NO_IDS) -> list[Scored]:
        """Up to k live chunks by cosine in [-1, 1], best first; ties go to the lower id. `allowed` ascends."""
        hidden = np.union1d(self.dead, excluded) if len(excluded) else self.dead
        ids, scores = nearest(self.segments, query, k, allowed=allowed, excluded=hidden)
        if len(self.tail):
            new, of_new = self._nearest_of_tail(query, allowed, excluded)
            ids, scores = best(np.concatenate([ids, new]), np.concatenate([scores, of_new]), k)
        return [Scored(i, s) for i, s in zip(ids.tolist(), scores.tolist(), strict=True)]

    @property
    def _folded_rows(self) -> int:
        return sum(len(each.ids) for each in self.segments)

    def _nearest_of_tail(self, query: Vector, allowed: Ids | None, excluded: Ids) -> tuple[Ids, Scores]:
        wanted = ~np.isin(self.tail, excluded)
        if allowed is not None:
            wanted &= np.isin(self.tail, allowed, assume_unique=True)
        return self.tail[wanted], cosines(self.tail_rows[wanted], query)

    def __len__(self) -> int:
        return self._folded_rows - len(self.dead) + len(self.tail)

    def ids(self) -> Ids:
        """Every live chunk, ascending."""
        old = np.concatenate([NO_IDS, *(each.ids for each in self.segments)])
        return np.concatenate([np.setdiff1d(old, self.dead, assume_unique=True), self.tail])

    def loaded(self, *, whole: bool = False) -> dict[StoredSegment, Segment]:
        """The segments by what SQLite names them; `whole`: without those that were made in memory when rows of theirs had been
        deleted, which an older snapshot may still see."""
        named = zip(self.stored, self.segments, strict=True)
        return {stored: segment for stored, segment in named if not whole or len(segment.ids) == stored.rows}

    def access(self, allowed: Ids | None, k: int) -> Access:
        """How `nearest` looks at the vectors."""
        if allowed is None:
            return Access.INDEX
        rows = all(segment.goes_by_rows(len(allowed), k) for segment in self.segments)  # of which each holds a part
        return Access.ROWS if rows else Access.INDEX

    def similarities(self, query: Vector, ids: Ids) -> dict[int, float]:
        """The cosine of each of these chunks; an id that is not there is left out."""
        found, rows = self.fetch(ids)
        scores: Scores = cosines(rows, query)
        return {int(i): float(s) for i, s in zip(found, scores, strict=True)}

    def fetch(self, ids: Ids) -> tuple[Ids, Rows]:
        """Those of the ids, ascending, that are there, and their rows."""
        wanted = np.setdiff1d(ids, self.dead) if len(self.dead) else ids
        new = np.isin(self.tail, ids)
        parts = [*(each.fetch(wanted) for each in self.segments), (self.tail[new], self.tail_rows[new])]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


@dataclass(slots=True)
class ViewCache:
    """The newest view that this process made of a collection. Safe to share between threads."""

    index_folder: Path
    _view: View | None = None
    _lock: Lock = field(default_factory=Lock)

    def at(self, connection: Either, state: CollectionState) -> View:
        """The view of the snapshot that the connection reads."""
        with self._lock:
            view = self._view
            if view is None or view.state.id != state.id:
                view = _fresh(connection, state, self.index_folder, {})
            elif view.state.revision == state.revision:
                return view
            elif view.state.revision > state.revision:  # another thread's snapshot is newer than this one
                return _moved(connection, _fresh(connection, state, self.index_folder, view.loaded(whole=True)), state)
            elif view.state.generation != state.generation:
                view = _fresh(connection, state, self.index_folder, view.loaded())
            self._view = _moved(connection, view, state)
            return self._view


def read_rows(
    connection: Either, state: CollectionState, *, after: int = 0, covers: int | None = None
) -> Iterator[tuple[Ids, Rows]]:
    """(ids ascending, rows in the collection's precision) of every chunk in (after, covers], block by block."""
    kind, last = dtype(state.precision), _LAST if covers is None else covers
    cursor = driver(connection).execute(_ROWS, {"collection": state.id, "after": after, "last": last})
    while block := cursor.fetchmany(READ_ROWS):
        ids, blobs = zip(*block, strict=True)
        try:
            rows = np.frombuffer(b"".join(blobs), kind).reshape(len(ids), state.dimension)
        except (TypeError, ValueError) as error:
            raise Damaged(f"the database is damaged: a vector is not whole ({error}); see `vecsearch doctor`") from error
        yield np.array(ids, np.int64), rows


def dead_rows(connection: Either, state: CollectionState) -> Ids:
    """Chunks deleted since their segment was written, ascending."""
    return np.array([row for (row,) in driver(connection).execute(_DEAD, {"collection": state.id})], np.int64)


def build(connection: Either, state: CollectionState, *, after: int = 0, covers: int | None = None) -> Segment:
    """The segment of the chunks in (after, covers], or of all from there on, that SQLite holds now."""
    return Segment.build(state.dimension, state.precision, read_rows(connection, state, after=after, covers=covers))


def _fresh(connection: Either, state: CollectionState, index_folder: Path, known: dict[StoredSegment, Segment]) -> View:
    """The published segments: those known, those whose files are sound, and the rest made in memory."""
    stored = tuple(segments_of(connection, state))
    new = [each for each in stored if each not in known]
    rows = sum(each.rows for each in new)
    loaded = for_each(lambda each: Segment.load(each.path(index_folder, state.id), each.checksum), new, rows)
    for each, segment in zip(new, loaded, strict=True):
        known[each] = segment or build(connection, state, after=each.after, covers=each.covers)
    empty = np.empty((0, state.dimension), np.float32)
    return View(state, tuple(known[each] for each in stored), stored, NO_IDS, empty, NO_IDS)


def _moved(connection: Either, view: View, state: CollectionState) -> View:
    last = int(view.tail[-1]) if len(view.tail) else state.covers
    blocks = list(read_rows(connection, state, after=last))
    tail = np.concatenate([view.tail, *(ids for ids, _ in blocks)])
    rows = np.concatenate([view.tail_rows, *(rows for _, rows in blocks)])
    gone = dead_rows(connection, state)
    kept = ~np.isin(tail, gone)
    folded = np.concatenate([NO_IDS, *(segment.fetch(gone)[0] for segment in view.segments)])
    return replace(view, state=state, tail=tail[kept], tail_rows=rows[kept], dead=folded)
