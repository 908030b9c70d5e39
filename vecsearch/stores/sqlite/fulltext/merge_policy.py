"""When segments of the text index are merged: pure arithmetic over how many chunks each holds.

Each segment costs a question some look-ups, and each merge writes its chunks again. So segments of like size are merged when
there are FAN of them at the end (a log-structured merge, O'Neil et al. 1996) and what comes of it belongs to a higher tier: a
chunk is written about once a tier, however small the batches were. One of which many chunks are deleted is written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vecsearch.stores.sqlite.fulltext.term_segment import SEGMENT_ROWS_MAX

FAN: Final = 4  # a segment of a tier holds about so many times the chunks of one of the tier below
DELETED_RATIO: Final = 0.1  # of a segment's chunks: it is then written anew
_FULL: Final = SEGMENT_ROWS_MAX * 7 // 8  # chunks: a segment of more is left alone
_HIGHEST: Final = SEGMENT_ROWS_MAX * 15 // 16  # with room for what is over, so that FAN segments of the highest tier fit into one
_TIER_ENDS: Final = [_HIGHEST // FAN**tier for tier in range(7, 0, -1)]  # chunks: a tier's segments hold fewer


def find_due_merge(rows: Sequence[int], deleted: Sequence[int]) -> range | None:
    """Return the adjacent segments to be merged next, perhaps one alone; None when nothing is due.

    `rows` and `deleted`, shape (segments,): the chunks of each, and how many of them are deleted.
    """
    for index, (count, gone) in enumerate(zip(rows, deleted, strict=True)):
        if gone > DELETED_RATIO * count:
            return range(index, index + 1)
    groups = (_find_tier_merge(rows, tier) for tier in range(len(_TIER_ENDS)))
    return next((group for group in groups if group is not None), None) or _find_overflow(rows)


def _find_tier_merge(rows: Sequence[int], tier: int) -> range | None:
    """Return the segments at the end that are of a tier or of a lower one, if they are enough to become one of a higher one.

    Or if they are more than tiers explain: small ones between larger ones, which would else wait for long.
    """
    first, total = len(rows), 0
    while first and rows[first - 1] < _TIER_ENDS[tier] and total + rows[first - 1] <= SEGMENT_ROWS_MAX:
        first -= 1
        total += rows[first]
    count = len(rows) - first
    return range(first, len(rows)) if count >= FAN * (tier + 2) or (count >= FAN and total >= _TIER_ENDS[tier]) else None


def _find_overflow(rows: Sequence[int]) -> range | None:
    """Return the first neighbours that are one full segment, since the next does not fit in beside them."""
    first, total = 0, 0
    for index, count in enumerate(rows):
        if count > _FULL or total + count > SEGMENT_ROWS_MAX:
            if index - first > 1:
                return range(first, index)
            first, total = (index + 1, 0) if count > _FULL else (index, count)
        else:
            total += count
    return None


def pack_segments(rows: Sequence[int], deleted: Sequence[int]) -> list[range]:
    """Return the groups of adjacent segments to be merged so that as few are left as can be, without deleted chunks."""
    groups: list[range] = []
    first, total = 0, 0
    living = [count - gone for count, gone in zip(rows, deleted, strict=True)]
    for index, count in enumerate(living):
        if index > first and total + count > SEGMENT_ROWS_MAX:
            groups.append(range(first, index))
            first, total = index, 0
        total += count
    groups.append(range(first, len(living)))
    return [group for group in groups if len(group) > 1 or any(deleted[index] for index in group)]
