"""The postings of adjacent chunks as arrays: built from analysed chunks, and merged without the deleted ones.

A chunk is an ordinal in its segment, so that 16 bits hold it. Stems stand as they are, words as they are written (forms) behind
FORM_MARK in the same dictionary; only stems have positions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.stores.base import Ids

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

SEGMENT_ROWS_MAX: Final = 65_536  # chunks: an ordinal is a uint16
FORM_MARK: Final = "="  # no stem begins with a sign
AFTER_FORMS: Final = chr(ord(FORM_MARK) + 1)  # all that begins with the mark comes before it


@dataclass(frozen=True, slots=True)
class ChunkTerms:
    """A chunk as analysis gives it: the stems of what stands above it and of its text, in order, and its forms."""

    id: int
    above: Sequence[str]
    body: Sequence[str]
    forms: Sequence[str]


@dataclass(frozen=True, slots=True)
class TermSegment:
    """Postings in memory.

    `ids`, ascending, and `lengths` (stems) are those of the chunks, shape (rows,). `terms` ascend; the postings of terms[i] are
    `ordinals` (ascending) and `frequencies` from starts[i] to starts[i + 1], its positions `positions` from position_starts[i]
    to position_starts[i + 1]: those of a chunk ascend, chunk after chunk, as many as its frequency says, none of a form.
    """

    ids: Ids
    lengths: Ints
    terms: list[str]
    starts: Ints
    ordinals: Ints
    frequencies: Ints
    position_starts: Ints
    positions: Ints

    def is_same(self, other: TermSegment) -> bool:
        """Return whether another holds the same."""
        if self.terms != other.terms:
            return False
        mine, theirs = self._list_arrays(), other._list_arrays()
        return all(np.array_equal(one, two) for one, two in zip(mine, theirs, strict=True))

    def _list_arrays(self) -> tuple[Ints, ...]:
        return (
            self.ids, self.lengths, self.starts, self.ordinals, self.frequencies, self.position_starts, self.positions,
        )  # fmt: skip


def build_segment(chunks: Sequence[ChunkTerms]) -> TermSegment:
    """Return the segment of at most SEGMENT_ROWS_MAX chunks, whose ids ascend."""
    stem_numbers, stems = _number_terms(chain.from_iterable((chunk.above, chunk.body) for chunk in chunks))
    form_numbers, forms = _number_terms(chunk.forms for chunk in chunks)
    above = np.fromiter((len(chunk.above) for chunk in chunks), np.int64, len(chunks))
    lengths = np.fromiter((len(chunk.above) + len(chunk.body) for chunk in chunks), np.int64, len(chunks))
    counts = np.fromiter((len(chunk.forms) for chunk in chunks), np.int64, len(chunks))
    marked = {FORM_MARK + form: number for form, number in form_numbers.items()}
    terms = sorted([*stem_numbers, *marked])
    rank_of = {term: rank for rank, term in enumerate(terms)}
    stem_ranks = np.fromiter(map(rank_of.__getitem__, stem_numbers), np.int64, len(stem_numbers))[stems]
    form_ranks = np.fromiter(map(rank_of.__getitem__, marked), np.int64, len(marked))[forms]

    rows = np.arange(len(chunks))
    places = np.arange(len(stems)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places += places >= np.repeat(above, lengths)  # a gap, so that no phrase runs from the title into the text
    order = _sort_ranks(stem_ranks, len(terms))
    keys = stem_ranks[order] * SEGMENT_ROWS_MAX + np.repeat(rows, lengths)[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    frequencies = np.diff(first, append=len(keys))
    all_keys = np.concatenate([keys[first], form_ranks * SEGMENT_ROWS_MAX + np.repeat(rows, counts)])
    all_frequencies = np.concatenate([frequencies, np.ones(len(forms), np.int64)])
    by_key = _sort_ranks(all_keys // SEGMENT_ROWS_MAX, len(terms))
    ids = np.fromiter((chunk.id for chunk in chunks), np.int64, len(chunks))
    return _assemble(ids, lengths, terms, all_keys[by_key], all_frequencies[by_key], places[order])


def merge_segments(segments: Sequence[TermSegment], living: Sequence[Mask | None]) -> TermSegment:
    """Return adjacent segments as one, without the chunks that are not `living` (a mask a segment, None for all of it)."""
    terms = list(dict.fromkeys(sorted(chain.from_iterable(segment.terms for segment in segments))))  # of runs in order: quick
    rank_of = {term: rank for rank, term in enumerate(terms)}
    keys, frequencies, places, ids, lengths = [], [], [], [], []
    base = 0
    for segment, mask in zip(segments, living, strict=True):
        rows = np.ones(len(segment.ids), bool) if mask is None else mask
        ordinals = base + np.cumsum(rows) - 1
        postings = np.diff(segment.starts)
        ranks = np.repeat(np.fromiter(map(rank_of.__getitem__, segment.terms), np.int64, len(segment.terms)), postings)
        alive = rows[segment.ordinals]
        has_places = np.repeat(np.diff(segment.position_starts) > 0, postings)
        keys.append((ranks * SEGMENT_ROWS_MAX + ordinals[segment.ordinals])[alive])
        frequencies.append(segment.frequencies[alive])
        places.append(segment.positions[np.repeat(alive, np.where(has_places, segment.frequencies, 0))])
        ids.append(segment.ids[rows])
        lengths.append(segment.lengths[rows])
        base += int(np.count_nonzero(rows))
    key, frequency, place = map(np.concatenate, (keys, frequencies, places))
    order = _sort_ranks(key // SEGMENT_ROWS_MAX, len(terms))
    place = place[_order_places(key, frequency, order, terms)]
    return _assemble(np.concatenate(ids), np.concatenate(lengths), terms, key[order], frequency[order], place)


def _order_places(keys: Ints, frequencies: Ints, order: Ints, terms: Sequence[str]) -> Ints:
    """Return where the positions of each posting lie before they are put in order."""
    counts = np.where(_are_forms(keys // SEGMENT_ROWS_MAX, terms), 0, frequencies)
    starts, counts = (np.cumsum(counts) - counts)[order], counts[order]
    return np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())


def _are_forms(ranks: Ints, terms: Sequence[str]) -> Mask:
    first, end = bisect_left(terms, FORM_MARK), bisect_left(terms, AFTER_FORMS)
    return (ranks >= first) & (ranks < end)


def _number_terms(lists: Iterable[Sequence[str]]) -> tuple[dict[str, int], Ints]:
    """Number the different terms as they come; returns the number of each, and those of all the terms, one after the other."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers, np.fromiter(map(numbers.__getitem__, chain.from_iterable(lists)), np.int64)


def _sort_ranks(ranks: Ints, terms: int) -> Ints:
    """Return the order of the ranks, those of a term as they come, since chunks ascend already: 16 bits at a time, linear."""
    order = np.argsort(ranks.astype(np.uint16), kind="stable")
    return order if terms <= 1 << 16 else order[np.argsort((ranks[order] >> 16).astype(np.uint16), kind="stable")]


def _assemble(ids: Ids, lengths: Ints, terms: list[str], keys: Ints, frequencies: Ints, positions: Ints) -> TermSegment:
    """Return the segment of postings in order, without the terms that have none left."""
    ranks = keys // SEGMENT_ROWS_MAX
    used = np.zeros(len(terms), bool)
    used[ranks] = True
    starts = np.append(np.searchsorted(ranks, np.flatnonzero(used)), len(ranks))
    ends = np.concatenate([[0], np.cumsum(np.where(_are_forms(ranks, terms), 0, frequencies))])
    kept = terms if used.all() else [term for term, is_used in zip(terms, used.tolist(), strict=True) if is_used]
    return TermSegment(ids, lengths, kept, starts, keys % SEGMENT_ROWS_MAX, frequencies, ends[starts], positions)
