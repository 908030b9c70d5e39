"""The shadow: index files that hold the rows that SQLite holds, and marks for those that were deleted since."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from sqlalchemy import Connection, exists, func, select

from vecsearch.core.settings import PQ_MIN_ROWS
from vecsearch.core.types import format_count
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.tables import chunks, tombstones
from vecsearch.stores.sqlite.integrity.problems import OPTIMIZE, Kind, Trouble, error, note
from vecsearch.stores.sqlite.integrity.rows import unsound_vectors
from vecsearch.stores.sqlite.vectors.faiss_segment import Segment
from vecsearch.stores.sqlite.vectors.segment_rows import StoredSegment, list_segments
from vecsearch.stores.sqlite.vectors.vector_view import read_deleted_ids, read_rows
from vecsearch.stores.sqlite.write.compaction import count_pending_rows

_SURE_CODES = 4, 16  # a row of so many numbers a code, in at least so many codes, always has them


def check(connection: Connection, database: DatabaseFolder, state: CollectionState) -> Iterator[Trouble]:
    """Ranges, marks, files, and whether the files are behind."""
    stored = list_segments(connection, state)
    sound = True
    for trouble in (*_ranges(connection, state, stored), *_marks(connection, state)):
        sound = False
        yield trouble
    comparable = not unsound_vectors(connection, state).lacking
    for each in stored:
        for trouble in _segment(connection, database, state, each, comparable=comparable):
            sound = False
            yield trouble
    waiting = count_pending_rows(connection, state)
    if sound and waiting:
        yield _behind(state, waiting, published=bool(stored))


def _behind(state: CollectionState, waiting: int, *, published: bool) -> Trouble:
    if published:
        what = f"{format_count(waiting, 'row')} added or deleted since the index files were written"
        meaning = "answers are right: they are searched exactly, or masked"
    else:
        what = f"no index file yet, {format_count(waiting, 'row')} searched exactly"
        meaning = "answers are right, only slower in a large collection"
    return note(what, meaning, OPTIMIZE, kind=Kind.BEHIND, state=state)


def _ranges(connection: Connection, state: CollectionState, stored: list[StoredSegment]) -> Iterator[Trouble]:
    """Segments follow each other, and hold every live row up to `covers`."""
    ends = [0, *(end for each in stored for end in (each.after_id, each.last_id)), state.indexed_up_to]
    astray = any(later < earlier for earlier, later in pairwise(ends))
    live = select(func.count()).where(chunks.c.collection_id == state.id)
    covered = connection.scalar(live.where(chunks.c.id <= state.indexed_up_to)) or 0
    held = sum(connection.scalar(live.where(chunks.c.id > each.after_id, chunks.c.id <= each.last_id)) or 0 for each in stored)
    if astray or covered != held:
        amounts = f"{held:,} of the {format_count(covered, 'row')} up to number {state.indexed_up_to:,}"
        what = f"the index files are said to hold {amounts}"
        what = f"the ranges of the index files overlap or are out of order: {ends}" if astray else what
        yield error(what, "searches by meaning miss rows, or find them twice", kind=Kind.INDEX_FILES, state=state)


def _marks(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """Only rows that are gone are marked as deleted."""
    alive = exists().where(chunks.c.id == tombstones.c.chunk_id)
    both = connection.scalar(select(func.count()).where(tombstones.c.collection_id == state.id, alive))
    if both:
        what = f"{format_count(both, 'chunk')} marked as deleted and still there"
        yield error(what, "searches by meaning miss them", kind=Kind.INDEX_FILES, state=state)


def _segment(
    connection: Connection, database: DatabaseFolder, state: CollectionState, stored: StoredSegment, *, comparable: bool
) -> Iterator[Trouble]:
    path = stored.get_path(database.index_folder, state.id)
    if not stored.is_sound(database.index_folder, state.id):
        what = f"the index file {path.name} is {'damaged' if path.exists() else 'missing'}"
        yield note(what, "answers are right: it is rebuilt in memory by every process", OPTIMIZE, kind=Kind.BEHIND, state=state)
        return
    segment = Segment.load(path, stored.checksum)
    if comparable and not _agrees(connection, state, stored, segment):
        what = f"the index file {path.name} does not hold the rows that SQLite holds"
        yield error(what, "dense answers may be wrong", kind=Kind.INDEX_FILES, state=state)
    elif segment is not None and _needs_codes(state, stored) and not segment.is_compressed:
        what = f"the index file {path.name} has no codes beside it"
        yield note(what, "answers are right, only slower", kind=Kind.INDEX_FILES, state=state)


def _needs_codes(state: CollectionState, stored: StoredSegment) -> bool:
    width, least = _SURE_CODES
    return stored.rows >= PQ_MIN_ROWS and state.dimension % width == 0 and state.dimension // width >= least


def _agrees(connection: Connection, state: CollectionState, stored: StoredSegment, segment: Segment | None) -> bool:
    """Whether the segment holds, bit for bit, every row of its range, and besides them only rows known as deleted."""
    if segment is None or len(segment.ids) != stored.rows:
        return False
    if len(segment.ids) and not stored.after_id < segment.ids[0] <= segment.ids[-1] <= stored.last_id:
        return False
    live = segment.ids[~np.isin(segment.ids, read_deleted_ids(connection, state))]
    place = 0
    for ids, rows in read_rows(connection, state, after_id=stored.after_id, last_id=stored.last_id):
        some = live[place : place + len(ids)]
        if len(some) != len(ids) or (some != ids).any() or segment.fetch(ids)[1].tobytes() != rows.tobytes():
            return False
        place += len(ids)
    return place == len(live)
