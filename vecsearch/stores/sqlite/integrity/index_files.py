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
from vecsearch.stores.sqlite.engine.tables import chunks, pending_vectors, segments, tombstones
from vecsearch.stores.sqlite.integrity.problems import OPTIMIZE_COMMAND, Problem, ProblemKind, make_error, make_note
from vecsearch.stores.sqlite.integrity.rows import find_unsound_vectors
from vecsearch.stores.sqlite.vectors.faiss_segment import Segment
from vecsearch.stores.sqlite.vectors.segment_rows import StoredSegment, list_segments
from vecsearch.stores.sqlite.vectors.vector_view import read_deleted_ids, read_rows
from vecsearch.stores.sqlite.write.compaction import count_pending_rows

_MIN_CODES = 4, 16  # a row of so many numbers a code, in at least so many codes, always has them


def check_index_files(connection: Connection, database: DatabaseFolder, state: CollectionState) -> Iterator[Problem]:
    """Check ranges, tombstones, files, and whether the files are up to date."""
    stored = list_segments(connection, state)
    is_sound = True
    for problem in (*_check_ranges(connection, state, stored), *_check_tombstones(connection, state)):
        is_sound = False
        yield problem
    comparable = not find_unsound_vectors(connection, state).incomplete
    for segment in stored:
        for problem in _check_segment(connection, database, state, segment, comparable=comparable):
            is_sound = False
            yield problem
    waiting = count_pending_rows(connection, state)
    if is_sound and waiting:
        yield _describe_outdated(state, waiting, published=bool(stored))


def _describe_outdated(state: CollectionState, waiting: int, *, published: bool) -> Problem:
    if published:
        what = f"{format_count(waiting, 'row')} added or deleted since the index files were written"
        meaning = "answers are right: they are searched exactly, or masked"
    else:
        what = f"no index file yet, {format_count(waiting, 'row')} searched exactly"
        meaning = "answers are right, only slower in a large collection"
    return make_note(what, meaning, OPTIMIZE_COMMAND, kind=ProblemKind.OUTDATED_INDEX, state=state)


def _check_ranges(connection: Connection, state: CollectionState, stored: list[StoredSegment]) -> Iterator[Problem]:
    """Check that segments follow each other, up to `indexed_up_to`, and that nothing in their ranges waits for its vector."""
    ends = [0, *(end for segment in stored for end in (segment.after_id, segment.last_id)), state.indexed_up_to]
    if any(later < earlier for earlier, later in pairwise(ends)):
        what = f"the ranges of the index files overlap or are out of order: {ends}"
        yield make_error(what, "searches by meaning miss rows, or find them twice", kind=ProblemKind.INDEX_FILES, state=state)
    within = exists().where(
        segments.c.collection_id == state.id,
        pending_vectors.c.chunk_id > segments.c.after_id,
        pending_vectors.c.chunk_id <= segments.c.last_id,
    )
    if count := connection.scalar(select(func.count()).where(pending_vectors.c.collection_id == state.id, within)):
        what = f"{format_count(count, 'chunk')} in the range of an index file that was written before their vectors came"
        yield make_error(what, "searches by meaning miss them", kind=ProblemKind.INDEX_FILES, state=state)


def _check_tombstones(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Check that only rows that are gone are marked as deleted."""
    alive = exists().where(chunks.c.id == tombstones.c.chunk_id)
    both = connection.scalar(select(func.count()).where(tombstones.c.collection_id == state.id, alive))
    if both:
        what = f"{format_count(both, 'chunk')} marked as deleted and still there"
        yield make_error(what, "searches by meaning miss them", kind=ProblemKind.INDEX_FILES, state=state)


def _check_segment(
    connection: Connection, database: DatabaseFolder, state: CollectionState, stored: StoredSegment, *, comparable: bool
) -> Iterator[Problem]:
    path = stored.get_path(database.index_folder, state.id)
    segment = Segment.load(path, stored.checksum)
    if segment is None:  # also where a writer replaces it meanwhile
        what = f"the index file {path.name} is {'damaged' if path.exists() else 'missing'}"
        yield make_note(
            what,
            "answers are right: it is rebuilt in memory by every process",
            OPTIMIZE_COMMAND,
            kind=ProblemKind.OUTDATED_INDEX,
            state=state,
        )
        return
    if comparable and not _has_same_rows(connection, state, stored, segment):
        what = f"the index file {path.name} does not hold the rows that SQLite holds"
        yield make_error(what, "dense answers may be wrong", kind=ProblemKind.INDEX_FILES, state=state)
    elif _needs_codes(state, stored) and not segment.is_compressed:
        what = f"the index file {path.name} has no codes beside it"
        yield make_note(what, "answers are right, only slower", kind=ProblemKind.INDEX_FILES, state=state)


def _needs_codes(state: CollectionState, stored: StoredSegment) -> bool:
    width, least = _MIN_CODES
    return stored.rows >= PQ_MIN_ROWS and state.dimension % width == 0 and state.dimension // width >= least


def _has_same_rows(connection: Connection, state: CollectionState, stored: StoredSegment, segment: Segment) -> bool:
    """Return whether the segment holds, bit for bit, every row of its range, and else only rows known as deleted."""
    if len(segment.ids) != stored.rows:
        return False
    if len(segment.ids) and not stored.after_id < segment.ids[0] <= segment.ids[-1] <= stored.last_id:
        return False
    live = segment.ids[~np.isin(segment.ids, read_deleted_ids(connection, state))]
    position = 0
    for ids, rows in read_rows(connection, state, after_id=stored.after_id, last_id=stored.last_id):
        expected = live[position : position + len(ids)]
        if len(expected) != len(ids) or (expected != ids).any() or segment.fetch(ids)[1].tobytes() != rows.tobytes():
            return False
        position += len(ids)
    return position == len(live)
