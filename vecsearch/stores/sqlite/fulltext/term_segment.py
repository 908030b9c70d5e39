"""The postings of adjacent chunks as arrays: built from analysed chunks, and merged without the deleted ones.

A chunk is an ordinal in its segment, so that 16 bits hold it. Stems stand as they are, words as they are written (forms) behind
FORM_MARK in the same dictionary; only stems have positions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.stores.base import Ids

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Ordinals: TypeAlias = NDArray[np.uint16]
Numbers: TypeAlias = NDArray[np.uint32]  # frequencies, positions

SEGMENT_ROWS_MAX: Final = 65_536  # chunks: an ordinal is a uint16
FORM_MARK: Final = "="  # no stem begins with a sign
AFTER_FORMS: Final = chr(ord(FORM_MARK) + 1)  # all that begins with the mark comes before it


@dataclass(frozen=True, slots=True)
class ChunkTokens:
    """Chunks as analysis gives them: tokens by number, so that each that differs from the others is looked at once.

    `counts` are those of the chunks, shape (rows,): how many of the `tokens` are a chunk's, of which the first `above` stand in
    what is above its text. `analyzed`: the stems and the forms of each number.
    """

    counts: Ints
    above: Ints
    tokens: Ints
    analyzed: Sequence[tuple[Sequence[str], Sequence[str]]]


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
    ordinals: Ordinals
    frequencies: Numbers
    position_starts: Ints
    positions: Numbers

    def is_same(self, other: TermSegment) -> bool:
        """Return whether another holds the same."""
        if self.terms != other.terms:
            return False
        mine, theirs = self._list_arrays(), other._list_arrays()
        return all(np.array_equal(one, two) for one, two in zip(mine, theirs, strict=True))

    def _list_arrays(self) -> tuple[NDArray[Any], ...]:
        return (
            self.ids, self.lengths, self.starts, self.ordinals, self.frequencies, self.position_starts, self.positions,
        )  # fmt: skip


class _GroupedPostings(NamedTuple):
    """How many postings each term has; all of them, term after term; the order in which the occurrences stand there."""

    counts: Ints
    ordinals: Ordinals
    frequencies: Numbers
    order: Ints


def build_segment(ids: Ids, chunks: ChunkTokens) -> TermSegment:
    """Return the segment of at most SEGMENT_ROWS_MAX chunks; their ids ascend."""
    rows = np.repeat(np.arange(len(ids)), chunks.counts)
    stems, stem_ranks, stem_counts = _rank_terms([stems for stems, _ in chunks.analyzed], chunks.tokens)
    forms, form_ranks, form_counts = _rank_terms([forms for _, forms in chunks.analyzed], chunks.tokens)
    of_stems = _group_postings(stem_ranks, np.repeat(rows, stem_counts), len(stems))
    of_forms = _group_postings(form_ranks, np.repeat(rows, form_counts), len(forms))

    bounds, firsts = compute_starts(stem_counts), compute_starts(chunks.counts)[:-1]
    begins, texts = bounds[firsts], bounds[firsts + chunks.above]
    lengths = np.diff(begins, append=bounds[-1])
    places = np.arange(bounds[-1]) - np.repeat(begins, lengths)
    places += places >= np.repeat(texts - begins, lengths)  # a gap, so that no phrase runs from the title into the text
    positions = places.astype(np.uint32)[of_stems.order]

    split = bisect_left(stems, FORM_MARK)  # terms: the forms stand there …
    at = int(of_stems.counts[:split].sum())  # … and their postings here; positions they have none
    starts = compute_starts(np.insert(of_stems.counts, split, of_forms.counts))
    ordinals = np.insert(of_stems.ordinals, at, of_forms.ordinals)
    frequencies = np.insert(of_stems.frequencies, at, np.ones(len(of_forms.ordinals), np.uint32))
    position_starts = compute_starts(
        np.insert(np.bincount(stem_ranks, minlength=len(stems)), split, np.zeros(len(forms), np.int64))
    )
    terms = [*stems[:split], *(FORM_MARK + form for form in forms), *stems[split:]]
    return TermSegment(ids, lengths, terms, starts, ordinals, frequencies, position_starts, positions)


def merge_segments(segments: Sequence[TermSegment], living: Sequence[Mask | None]) -> TermSegment:
    """Return adjacent segments as one, without the chunks that are not `living` (a mask a segment, None for all of it)."""
    parts = [segment if mask is None else _drop_chunks(segment, mask) for segment, mask in zip(segments, living, strict=True)]
    terms, ranks = _merge_terms([part.terms for part in parts])
    starts = compute_starts(_add_up([np.diff(part.starts) for part in parts], ranks, len(terms)))
    position_starts = compute_starts(_add_up([np.diff(part.position_starts) for part in parts], ranks, len(terms)))
    ordinals, frequencies = np.empty(starts[-1], np.uint16), np.empty(starts[-1], np.uint32)
    positions = np.empty(position_starts[-1], np.uint32)
    free, free_positions, base = starts[:-1].copy(), position_starts[:-1].copy(), 0
    for part, of_part in zip(parts, ranks, strict=True):  # the chunks of a later one come after those of an earlier one
        places = _take_places(free, of_part, part.starts)
        ordinals[places] = np.add(part.ordinals, base, dtype=np.uint32)
        frequencies[places] = part.frequencies
        positions[_take_places(free_positions, of_part, part.position_starts)] = part.positions
        base += len(part.ids)
    ids, lengths = (np.concatenate(column) for column in zip(*((part.ids, part.lengths) for part in parts), strict=True))
    return TermSegment(ids, lengths, terms, starts, ordinals, frequencies, position_starts, positions)


def slice_terms(segment: TermSegment, first: int, end: int) -> TermSegment:
    """Return a segment with some of its terms, by their ranks, and all of its chunks."""
    starts, position_starts = segment.starts[first : end + 1], segment.position_starts[first : end + 1]
    postings, places = slice(starts[0], starts[-1]), slice(position_starts[0], position_starts[-1])
    return TermSegment(
        segment.ids, segment.lengths, segment.terms[first:end], starts - starts[0], segment.ordinals[postings],
        segment.frequencies[postings], position_starts - position_starts[0], segment.positions[places],
    )  # fmt: skip


def _drop_chunks(segment: TermSegment, living: Mask) -> TermSegment:
    """Return a segment without some chunks, and without the terms that stand in no other."""
    alive = living[segment.ordinals]
    counts = np.where(np.repeat(np.diff(segment.position_starts) > 0, np.diff(segment.starts)), segment.frequencies, 0)
    positions_alive = np.repeat(alive, counts)
    starts, position_starts = compute_starts(alive)[segment.starts], compute_starts(positions_alive)[segment.position_starts]
    used = np.diff(starts) > 0
    terms = [term for term, is_used in zip(segment.terms, used.tolist(), strict=True) if is_used]
    kept = np.append(used, True)  # with where the last one ends
    ordinals = (np.cumsum(living) - 1).astype(np.uint16)[segment.ordinals[alive]]
    return TermSegment(
        segment.ids[living], segment.lengths[living], terms, starts[kept], ordinals, segment.frequencies[alive],
        position_starts[kept], segment.positions[positions_alive],
    )  # fmt: skip


def _merge_terms(dictionaries: Sequence[list[str]]) -> tuple[list[str], list[Ints]]:
    """Return the terms of several dictionaries in one, and the ranks there of those of each."""
    numbers = _make_numbers()
    numbered = [_look_up(numbers, terms) for terms in dictionaries]
    terms, ranks = _sort_terms(numbers)
    return terms, [ranks[of_dictionary] for of_dictionary in numbered]


def _rank_terms(lists: Sequence[Sequence[str]], tokens: Ints) -> tuple[list[str], Ints, Ints]:
    """Return the different terms, sorted; the ranks of those of all tokens, one after the other; how many each token has."""
    numbers = _make_numbers()
    of_lists = _look_up(numbers, chain.from_iterable(lists))
    terms, ranks = _sort_terms(numbers)
    counts = np.fromiter(map(len, lists), np.int64, len(lists))
    starts, counts = (np.cumsum(counts) - counts)[tokens], counts[tokens]
    places = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    return terms, ranks[of_lists][places], counts


def _make_numbers() -> defaultdict[str, int]:
    """Return a dictionary that numbers terms as they are looked up."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


def _look_up(numbers: Mapping[str, int], terms: Iterable[str]) -> Ints:
    return np.fromiter(map(numbers.__getitem__, terms), np.int64)


def _sort_terms(numbers: Mapping[str, int]) -> tuple[list[str], Ints]:
    """Return the terms in order, and the rank of each number."""
    terms = sorted(numbers)  # of dictionaries one after the other they are runs in order: quick
    ranks = np.empty(len(terms), np.int64)
    ranks[_look_up(numbers, terms)] = np.arange(len(terms))
    return terms, ranks


def _group_postings(ranks: Ints, rows: Ints, terms: int) -> _GroupedPostings:
    """Return the postings of occurrences: of the term of a rank in a row each; the rows ascend."""
    order = np.argsort(ranks.astype(np.uint16), kind="stable")  # 16 bits at a time: linear
    if terms > 1 << 16:
        order = order[np.argsort((ranks[order] >> 16).astype(np.uint16), kind="stable")]
    keys = ranks[order] * SEGMENT_ROWS_MAX + rows[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    frequencies = np.diff(first, append=len(keys)).astype(np.uint32)
    counts = np.bincount(keys[first] // SEGMENT_ROWS_MAX, minlength=terms)
    return _GroupedPostings(counts, (keys[first] % SEGMENT_ROWS_MAX).astype(np.uint16), frequencies, order)


def compute_starts(counts: NDArray[Any]) -> Ints:
    """Return where each of adjacent runs of such lengths begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)])


def _add_up(counts: Sequence[Ints], ranks: Sequence[Ints], terms: int) -> Ints:
    """Return how much terms have in several dictionaries together."""
    total = np.zeros(terms, np.int64)
    for of_one, where in zip(counts, ranks, strict=True):
        total[where] += of_one
    return total


def _take_places(free: Ints, ranks: Ints, starts: Ints) -> Ints:
    """Return where what lies between `starts` goes, term after term: to the next places that are `free`, which move on."""
    counts = np.diff(starts)
    places = np.repeat(free[ranks] - starts[:-1], counts) + np.arange(starts[-1])
    free[ranks] += counts
    return places
