"""A collection's vectors as one snapshot sees them: the index file, the rows after it, and the rows since deleted.

A chunk's vector never changes (a new text gets a new chunk id), so a view moves to a later revision by reading only what is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
from sqlalchemy import Connection, select

from vecsearch.core.answers import Access
from vecsearch.core.settings import READ_ROWS, SELECTIVE_ROWS
from vecsearch.core.types import Scored
from vecsearch.persistence.state import CollectionState
from vecsearch.persistence.tables import chunks, tombstones, vectors
from vecsearch.persistence.vectors import NO_IDS, FlatIndex, Ids, Rows, Scores, Vector, best, cosines, dtype


@dataclass(frozen=True, slots=True)
class View:
    """Every live vector at one revision: `base` less `dead`, and `tail`."""

    state: CollectionState
    base: FlatIndex
    covers: int  # the highest chunk id that `base` knows of
    from_file: bool
    tail: Ids
    tail_rows: Rows
    dead: Ids

    def nearest(self, query: Vector, k: int, *, allowed: Ids | None = None, excluded: Ids = NO_IDS) -> list[Scored]:
        """Up to k live chunks by cosine in [-1, 1], best first; ties go to the lower id. `allowed` ascends."""
        hidden = np.union1d(self.dead, excluded) if len(excluded) else self.dead
        old, old_scores = self.base.nearest(query, k, allowed=allowed, excluded=hidden)
        wanted = ~np.isin(self.tail, excluded)
        if allowed is not None:
            wanted &= np.isin(self.tail, allowed, assume_unique=True)
        new, rows = self.tail[wanted], self.tail_rows[wanted]
        ids, scores = best(np.concatenate([old, new]), np.concatenate([old_scores, cosines(rows, query)]), k)
        return [Scored(int(i), float(s)) for i, s in zip(ids, scores, strict=True)]

    def __len__(self) -> int:
        return len(self.base.ids) - len(self.dead) + len(self.tail)

    def ids(self) -> Ids:
        """Every live chunk, ascending."""
        return np.concatenate([np.setdiff1d(self.base.ids, self.dead, assume_unique=True), self.tail])

    def access(self, allowed: Ids | None) -> Access:
        """How `nearest` looks at the vectors."""
        return Access.INDEX if allowed is None or len(allowed) > SELECTIVE_ROWS else Access.ROWS

    def similarities(self, query: Vector, ids: Ids) -> dict[int, float]:
        """The cosine of each of these chunks; an id that is not there is left out."""
        found, rows = self.fetch(ids)
        scores: Scores = cosines(rows, query)
        return {int(i): float(s) for i, s in zip(found, scores, strict=True)}

    def fetch(self, ids: Ids) -> tuple[Ids, Rows]:
        """Those of the ids that are there, and their rows."""
        old, old_rows = self.base.fetch(np.setdiff1d(ids, self.dead))
        new = np.isin(self.tail, ids)
        return np.concatenate([old, self.tail[new]]), np.concatenate([old_rows, self.tail_rows[new]])


@dataclass(slots=True)
class ViewCache:
    """The newest view that this process made of a collection. Safe to share between threads."""

    index_folder: Path
    _view: View | None = None
    _lock: Lock = field(default_factory=Lock)

    def at(self, connection: Connection, state: CollectionState) -> View:
        """The view of the snapshot that the connection reads."""
        with self._lock:
            view = self._view
            if view is None or (view.state.id, view.state.generation) != (state.id, state.generation):
                view = _fresh(connection, state, self.index_folder)
            elif view.state.revision == state.revision:
                return view
            elif view.state.revision > state.revision:  # another thread's snapshot is newer than this one
                return _moved(connection, _without_tail(view), state)
            self._view = _moved(connection, view, state)
            return self._view


def read_rows(connection: Connection, state: CollectionState, *, after: int = 0) -> Iterator[tuple[Ids, Rows]]:
    """(ids ascending, rows in the collection's precision) of every chunk past `after`, block by block."""
    kind = dtype(state.precision)
    query = (
        select(chunks.c.id, vectors.c.vector)
        .join_from(chunks, vectors, vectors.c.chunk_id == chunks.c.id)
        .where(chunks.c.collection_id == state.id, chunks.c.id > after)
        .order_by(chunks.c.id)
        .execution_options(yield_per=READ_ROWS)
    )
    for block in connection.execute(query).partitions(READ_ROWS):
        joined = np.frombuffer(b"".join(row.vector for row in block), kind)
        yield np.array([row.id for row in block], np.int64), joined.reshape(len(block), state.dimension)


def dead_rows(connection: Connection, state: CollectionState) -> Ids:
    """Chunks deleted since the index file was published, ascending."""
    query = select(tombstones.c.chunk_id).where(tombstones.c.collection_id == state.id).order_by(tombstones.c.chunk_id)
    return np.array(connection.scalars(query).all(), np.int64)


def build(connection: Connection, state: CollectionState) -> FlatIndex:
    """The index of everything that SQLite holds now."""
    return FlatIndex.build(state.dimension, state.precision, read_rows(connection, state))


def index_path(index_folder: Path, collection: int, generation: int) -> Path:
    """Where the index file of a generation lies."""
    return index_folder / f"{collection}-{generation}.faiss"


def _fresh(connection: Connection, state: CollectionState, index_folder: Path) -> View:
    """The published index when its file is sound; else the same, built in memory."""
    base, covers = None, state.covers
    if state.generation == 0:
        base = FlatIndex.build(state.dimension, state.precision, ())
    elif state.checksum is not None:
        base = FlatIndex.load(index_path(index_folder, state.id, state.generation), state.checksum)
    from_file = base is not None
    if base is None:
        base = build(connection, state)
        covers = int(base.ids[-1]) if len(base.ids) else state.covers
    return View(state, base, covers, from_file, NO_IDS, np.empty((0, state.dimension), np.float32), NO_IDS)


def _moved(connection: Connection, view: View, state: CollectionState) -> View:
    last = int(view.tail[-1]) if len(view.tail) else view.covers
    blocks = list(read_rows(connection, state, after=last))
    tail = np.concatenate([view.tail, *(ids for ids, _ in blocks)])
    rows = np.concatenate([view.tail_rows, *(rows for _, rows in blocks)])
    gone = dead_rows(connection, state)
    kept = ~np.isin(tail, gone)
    return View(state, view.base, view.covers, view.from_file, tail[kept], rows[kept], gone[gone <= view.covers])


def _without_tail(view: View) -> View:
    return View(view.state, view.base, view.covers, view.from_file, NO_IDS, view.tail_rows[:0], NO_IDS)
