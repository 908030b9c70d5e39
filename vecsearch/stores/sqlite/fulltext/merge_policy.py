"""When segments of the text index are merged: pure arithmetic over how many chunks each holds.

Each segment costs a question some look-ups, and each merge writes its chunks again. So segments of like size are merged when
there are FAN of them at the end (a log-structured merge, O'Neil et al. 1996), and one of which many chunks are deleted is
written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vecsearch.stores.sqlite.fulltext.term_segment import SEGMENT_ROWS_MAX

FAN: Final = 8  # a segment of a tier holds about so many times the chunks of one of the tier below
DELETED_RATIO: Final = 0.1  # of a segment's chunks: it is then written anew


def find_due_merge(rows: Sequence[int], deleted: Sequence[int]) -> range | None:
    """Return the adjacent segments to be merged next, perhaps one alone; None when nothing is due.

    `rows` and `deleted`, shape (segments,): the chunks of each, and how many of them are deleted.
    """
    for index, (count, gone) in enumerate(zip(rows, deleted, strict=True)):
        if gone > DELETED_RATIO * count:
            return range(index, index + 1)
    tiers = [_get_tier(count) for count in rows]
    for tier in range(max(tiers, default=0) + 1):
        first = len(tiers)
        while first and tiers[first - 1] <= tier:
            first -= 1
        if len(tiers) - first >= FAN and (group := _find_fitting(rows, first)) is not None:
            return group
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


def _get_tier(rows: int) -> int:
    tier = 0
    while rows >= FAN:
        rows //= FAN
        tier += 1
    return tier


def _find_fitting(rows: Sequence[int], first: int) -> range | None:
    """Return the first two or more neighbours, from a segment on, that fit into one."""
    for start in range(first, len(rows) - 1):
        total, end = rows[start], start + 1
        while end < len(rows) and total + rows[end] <= SEGMENT_ROWS_MAX:
            total, end = total + rows[end], end + 1
        if end - start > 1:
            return range(start, end)
    return None
