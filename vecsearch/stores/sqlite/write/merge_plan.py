"""Which vectors are to be written together into one index file. Pure arithmetic over ids.

A segment holds all vectors of a range of chunks, so that no chunk in it may still wait for its vector: vectors that come late,
newest first, would else have to be put into a file that is written. What waits cuts the chunks into stretches, each of which is
looked at alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vecsearch.core.settings import INDEX_RUN_ROWS_MIN, MERGE_RATIO, SEGMENT_ROWS_MAX
from vecsearch.stores.sqlite.vectors.faiss_segment import Ids
from vecsearch.stores.sqlite.vectors.segment_rows import StoredSegment


@dataclass(frozen=True, slots=True)
class Merge:
    """Segments that one new one takes the place of, or several; they hold the chunks in (after_id, last_id]."""

    replaced_segments: tuple[StoredSegment, ...]
    after_id: int
    last_id: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment, or a run of chunks that no segment holds though each has its vector: those in (after_id, last_id]."""

    after_id: int
    last_id: int
    rows: int
    segment: StoredSegment | None


def list_stretches(segments: Sequence[StoredSegment], loose: Ids, pending: Ids) -> list[list[Piece]]:
    """Return all segments and runs by ascending ids, in lists between which a chunk waits for its vector.

    `segments` ascend and are disjoint. `loose` are the chunks with a vector that none of them holds, `pending` those that have
    none yet; both ascend.
    """
    stretch_of = np.searchsorted(pending, loose)
    gap_of = np.searchsorted(np.array([segment.last_id for segment in segments], np.int64), loose)
    first = np.flatnonzero(np.diff(stretch_of, prepend=-1) | np.diff(gap_of, prepend=-1))
    ends = np.append(first, len(loose))[1:]
    pieces = [(int(np.searchsorted(pending, segment.last_id)), segment.last_id, segment.rows, segment) for segment in segments]
    runs = [(int(stretch_of[a]), int(loose[b - 1]), int(b - a), None) for a, b in zip(first, ends, strict=True)]
    stretches: dict[int, list[Piece]] = {}
    for stretch, last_id, rows, segment in sorted([*pieces, *runs], key=lambda piece: piece[:2]):
        before = stretches.setdefault(stretch, [])
        start = before[-1].last_id if before else int(pending[stretch - 1]) if stretch else 0
        before.append(Piece(start if segment is None else segment.after_id, last_id, rows, segment))
    return list(stretches.values())


def plan_merges(stretch: Sequence[Piece], *, is_whole: bool) -> Iterator[Merge]:
    """Yield what takes the runs of a stretch in, newest first: with them segments beside that are not much larger.

    `is_whole`: nothing waits for its vector. Else a short run is left out: it grows.
    """
    rest = list(stretch)
    while rest:
        at = len(rest) - 1
        while at >= 0 and rest[at].segment is not None:
            at -= 1
        if at < 0:
            return
        first, last = _find_neighbours(rest, at)
        taken = rest[first : last + 1]
        if is_whole or sum(piece.rows for piece in taken) >= INDEX_RUN_ROWS_MIN:
            yield merge_pieces(taken)
        del rest[first:]


def merge_pieces(pieces: Sequence[Piece]) -> Merge:
    """Return what writes adjacent pieces as one."""
    return Merge(tuple(piece.segment for piece in pieces if piece.segment is not None), pieces[0].after_id, pieces[-1].last_id)


def _find_neighbours(stretch: Sequence[Piece], at: int) -> tuple[int, int]:
    """Return the first and the last of the pieces that are merged with a run: neighbours, as long as they are small enough."""
    first, last, rows = at, at, stretch[at].rows
    while True:
        if first > 0 and _is_small_enough(stretch[first - 1], rows):
            first -= 1
            rows += stretch[first].rows
        elif last + 1 < len(stretch) and _is_small_enough(stretch[last + 1], rows):
            last += 1
            rows += stretch[last].rows
        else:
            return first, last


def _is_small_enough(piece: Piece, rows: int) -> bool:
    return piece.segment is None or (piece.rows <= MERGE_RATIO * rows and piece.rows + rows <= SEGMENT_ROWS_MAX)
