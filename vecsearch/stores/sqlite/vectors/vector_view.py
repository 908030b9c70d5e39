"""A collection's vectors as one snapshot sees them: the index files, the rows that lie in none, and the rows since deleted.

A chunk's vector never changes (a new text gets a new chunk id), so a view moves to a later version by reading only what is new:
the chunks with higher ids, and those whose vectors came after they did.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.forks import make_lock
from vecsearch.core.results import VectorAccess
from vecsearch.core.settings import READ_ROWS
from vecsearch.core.sorted_ids import find_positions
from vecsearch.stores.base import ScoredChunks, VectorHits
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.sqlite.vectors.faiss_segment import (
    NO_IDS,
    Ids,
    Rows,
    Scores,
    Segment,
    Vector,
    compute_cosines,
    get_dtype,
    map_over_segments,
    search_segments,
    select_best,
)
from vecsearch.stores.sqlite.vectors.segment_rows import ID_MAX, StoredSegment, list_gaps, list_segments

_log = logging.getLogger("vecsearch")
_REPORTED: Final[set[Path]] = set()  # index files that were logged as damaged
_VECTOR_ROWS: Final = """
    SELECT chunks.id, vectors.vector FROM chunks JOIN vectors ON vectors.chunk_id = chunks.id
    WHERE chunks.collection_id = :collection AND chunks.id > :after AND chunks.id <= :last ORDER BY chunks.id
"""
_LATE_ROWS: Final = """
    SELECT vectors.chunk_id, vectors.vector FROM pending_vectors JOIN vectors ON vectors.chunk_id = pending_vectors.chunk_id
    WHERE pending_vectors.collection_id = :collection AND pending_vectors.filled > :version ORDER BY vectors.chunk_id
"""
_LAST_CHUNK: Final = "SELECT coalesce(max(id), 0) FROM chunks WHERE collection_id = :collection"
_DELETED_IDS: Final = "SELECT chunk_id FROM tombstones WHERE collection_id = :collection ORDER BY chunk_id"


@dataclass(frozen=True, slots=True)
class VectorView:
    """Every live vector at one data version: the segments less `deleted`, and `unindexed`."""

    state: CollectionState
    segments: tuple[Segment, ...]  # in ascending order of ids
    stored_segments: tuple[StoredSegment, ...]  # the same as SQLite names them
    unindexed: Ids
    unindexed_rows: Rows
    deleted: Ids
    last_chunk: int  # the highest id that was there, with a vector or without

    def find_nearest(self, query: Vector, k: int, *, allowed: Ids | None = None, excluded: Ids = NO_IDS) -> VectorHits:
        """Return up to k live chunks by cosine in [-1, 1], best first; ties go to the lower id. `allowed` ascends."""
        hidden = np.union1d(self.deleted, excluded) if len(excluded) else self.deleted
        ids, scores = search_segments(self.segments, query, k, allowed=allowed, excluded=hidden)
        if len(self.unindexed):
            new, of_new = self._score_unindexed(query, allowed, excluded)
            ids, scores = select_best(np.concatenate([ids, new]), np.concatenate([scores, of_new]), k)
        return VectorHits(ScoredChunks(ids, scores.astype(np.float64)), len(ids) < k, self._describe_access(allowed, k))

    @property
    def _row_count(self) -> int:
        return sum(len(segment.ids) for segment in self.segments)

    def _score_unindexed(self, query: Vector, allowed: Ids | None, excluded: Ids) -> tuple[Ids, Scores]:
        is_allowed = ~np.isin(self.unindexed, excluded)
        if allowed is not None:
            is_allowed &= np.isin(self.unindexed, allowed, assume_unique=True)
        return self.unindexed[is_allowed], compute_cosines(self.unindexed_rows[is_allowed], query)

    def __len__(self) -> int:
        return self._row_count - len(self.deleted) + len(self.unindexed)

    def list_ids(self) -> Ids:
        """Return every live chunk, ascending."""
        old = np.concatenate([NO_IDS, *(segment.ids for segment in self.segments)])
        return np.sort(np.concatenate([np.setdiff1d(old, self.deleted, assume_unique=True), self.unindexed]))

    def get_loaded_segments(self, *, only_complete: bool = False) -> dict[StoredSegment, Segment]:
        """Return the segments by what SQLite names them.

        `only_complete`: without those built in memory after rows of theirs were deleted, which an older snapshot may still see.
        """
        named = zip(self.stored_segments, self.segments, strict=True)
        return {stored: segment for stored, segment in named if not only_complete or len(segment.ids) == stored.rows}

    def _describe_access(self, allowed: Ids | None, k: int) -> VectorAccess:
        if allowed is None:
            return VectorAccess.INDEX
        rows = all(segment.should_score_exactly(len(allowed), k) for segment in self.segments)  # of which each holds a part
        return VectorAccess.ROWS if rows else VectorAccess.INDEX

    def compute_similarities(self, query: Vector, ids: Ids) -> ScoredChunks:
        """Return the cosines of these chunks, whose ids ascend, as they do; an id that is not there is left out."""
        live_ids = np.setdiff1d(ids, self.deleted) if len(self.deleted) else ids
        new = self._find_unindexed(ids)
        parts = [segment.score(live_ids, query) for segment in self.segments]
        parts.append((self.unindexed[new], compute_cosines(self.unindexed_rows, query, new)))
        found, scores = _join_by_id(parts)
        return ScoredChunks(found, scores.astype(np.float64))

    def _find_unindexed(self, ids: Ids) -> Ids:
        """Return where those of the ids stand that are not in a segment yet."""
        places, known = find_positions(self.unindexed, ids)
        return places[known]

    def fetch(self, ids: Ids) -> tuple[Ids, Rows]:
        """Return those of the ids, ascending, that are there, and their rows."""
        live_ids = np.setdiff1d(ids, self.deleted) if len(self.deleted) else ids
        new = self._find_unindexed(ids)
        parts = [*(segment.fetch(live_ids) for segment in self.segments), (self.unindexed[new], self.unindexed_rows[new])]
        return _join_by_id(parts)


def _join_by_id(parts: Sequence[tuple[Ids, NDArray[Any]]]) -> tuple[Ids, NDArray[Any]]:
    """Return (ids, what belongs to them) of all parts, by ascending id; each part ascends."""
    ids, values = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    if (ids[1:] > ids[:-1]).all():  # but for vectors that came late
        return ids, values
    order = np.argsort(ids)
    return ids[order], values[order]


@dataclass(slots=True)
class ViewCache:
    """The newest view that this process has of a collection. Safe to share between threads."""

    index_folder: Path
    _view: VectorView | None = None
    _lock: RLock = field(default_factory=make_lock)

    def get_view(self, connection: AnyConnection, state: CollectionState) -> VectorView:
        """Return the view of the snapshot that the connection reads."""
        with self._lock:
            view = self._view
            if view is None or view.state.id != state.id:
                view = _load_view(connection, state, self.index_folder, {})
            elif view.state.data_version == state.data_version:
                return view
            elif view.state.data_version > state.data_version:  # another thread's snapshot is newer than this one
                return _advance_view(
                    connection,
                    _load_view(connection, state, self.index_folder, view.get_loaded_segments(only_complete=True)),
                    state,
                )
            elif view.state.index_version != state.index_version:
                view = _load_view(connection, state, self.index_folder, view.get_loaded_segments())
            self._view = _advance_view(connection, view, state)
            return self._view


def read_rows(
    connection: AnyConnection, state: CollectionState, *, after_id: int = 0, last_id: int | None = None
) -> Iterator[tuple[Ids, Rows]]:
    """Yield (ids ascending, rows in the collection's precision) of every chunk in (after_id, last_id], block by block."""
    values = {"collection": state.id, "after": after_id, "last": ID_MAX if last_id is None else last_id}
    return _read_blocks(connection, state, _VECTOR_ROWS, values)


def _read_blocks(
    connection: AnyConnection, state: CollectionState, statement: str, values: Mapping[str, int]
) -> Iterator[tuple[Ids, Rows]]:
    kind = get_dtype(state.precision)
    cursor = get_driver(connection).execute(statement, values)
    while block := cursor.fetchmany(READ_ROWS):
        ids, blobs = zip(*block, strict=True)
        try:
            rows = np.frombuffer(b"".join(blobs), kind).reshape(len(ids), state.dimension)
        except (TypeError, ValueError) as error:
            raise DatabaseCorruptedError(
                f"the database is damaged: a vector is not whole ({error}); see `vecsearch doctor`"
            ) from error
        yield np.array(ids, np.int64), rows


def read_deleted_ids(connection: AnyConnection, state: CollectionState) -> Ids:
    """Return the chunks deleted since their segment was written, ascending."""
    return np.array([row for (row,) in get_driver(connection).execute(_DELETED_IDS, {"collection": state.id})], np.int64)


def build_segment(connection: AnyConnection, state: CollectionState, *, after_id: int = 0, last_id: int | None = None) -> Segment:
    """Build the segment of the chunks in (after_id, last_id], or of all from there on, that SQLite holds now."""
    return Segment.build(state.dimension, state.precision, read_rows(connection, state, after_id=after_id, last_id=last_id))


def _load_view(
    connection: AnyConnection, state: CollectionState, index_folder: Path, known_segments: dict[StoredSegment, Segment]
) -> VectorView:
    """Load the published segments: those known, those whose files are sound, and the rest built in memory."""
    stored = tuple(list_segments(connection, state))
    new = [stored_segment for stored_segment in stored if stored_segment not in known_segments]
    rows = sum(stored_segment.rows for stored_segment in new)
    loaded = map_over_segments(
        lambda stored_segment: Segment.load(stored_segment.get_path(index_folder, state.id), stored_segment.checksum), new, rows
    )
    for stored_segment, segment in zip(new, loaded, strict=True):
        if segment is None:
            _log_once(stored_segment.get_path(index_folder, state.id))
        known_segments[stored_segment] = segment or build_segment(
            connection, state, after_id=stored_segment.after_id, last_id=stored_segment.last_id
        )
    loose = [block for after, last in list_gaps(stored) for block in read_rows(connection, state, after_id=after, last_id=last)]
    empty = np.empty((0, state.dimension), get_dtype(state.precision))
    return VectorView(
        state, tuple(known_segments[stored_segment] for stored_segment in stored), stored,
        np.concatenate([NO_IDS, *(ids for ids, _ in loose)]), np.concatenate([empty, *(rows for _, rows in loose)]), NO_IDS,
        _find_last_chunk(connection, state),
    )  # fmt: skip


def _log_once(path: Path) -> None:
    """Log that an index file is of no use; once in a process, however often it is met."""
    if path not in _REPORTED:
        _REPORTED.add(path)
        _log.warning(
            "the index file %s is missing or damaged; answers are right, but every process makes it again in memory until it is "
            "written: vecsearch optimize",
            path,
        )


def _advance_view(connection: AnyConnection, view: VectorView, state: CollectionState) -> VectorView:
    late = _read_blocks(connection, state, _LATE_ROWS, {"collection": state.id, "version": view.state.data_version})
    blocks = [*read_rows(connection, state, after_id=view.last_chunk), *late]
    unindexed, places = np.unique(np.concatenate([view.unindexed, *(ids for ids, _ in blocks)]), return_index=True)
    rows = np.concatenate([view.unindexed_rows, *(rows for _, rows in blocks)])
    gone = read_deleted_ids(connection, state)
    is_live = ~np.isin(unindexed, gone)
    folded = np.concatenate([NO_IDS, *(segment.fetch(gone)[0] for segment in view.segments)])
    return replace(
        view, state=state, unindexed=unindexed[is_live], unindexed_rows=rows[places[is_live]], deleted=folded,
        last_chunk=_find_last_chunk(connection, state),
    )  # fmt: skip


def _find_last_chunk(connection: AnyConnection, state: CollectionState) -> int:
    return int(get_driver(connection).execute(_LAST_CHUNK, {"collection": state.id}).fetchone()[0])
