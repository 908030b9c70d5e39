"""Segments of the text index: built, written as blocks, read and merged, each against plain Python; and when they are merged."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.stores.sqlite.fulltext.merge_policy import FAN, find_due_merge, pack_segments
from vecsearch.stores.sqlite.fulltext.term_blocks import BLOCK_BYTES, PositionBlock, PostingBlock, decode_segment, encode_blocks
from vecsearch.stores.sqlite.fulltext.term_segment import (
    FORM_MARK,
    SEGMENT_ROWS_MAX,
    ChunkTokens,
    TermSegment,
    build_segment,
    merge_segments,
    slice_terms,
)

terms = st.text(st.sampled_from("abé京1"), min_size=1, max_size=3)
tokens = st.tuples(st.lists(terms, max_size=2).map(tuple), st.lists(terms, max_size=2).map(tuple))  # stems, forms
Token: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


class Chunk(NamedTuple):
    """The tokens of what stands above a text, and of the text."""

    id: int
    above: Sequence[Token]
    body: Sequence[Token]


@st.composite
def chunk_lists(draw: st.DrawFn) -> list[Chunk]:
    """Chunks whose ids ascend, with gaps or without."""
    count, gap = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    token_lists = st.lists(tokens, max_size=5)
    return [Chunk(5 + gap * n, draw(token_lists), draw(token_lists)) for n in range(count)]


def build(chunks: Sequence[Chunk]) -> TermSegment:
    number_of: dict[Token, int] = {}
    numbers = [number_of.setdefault(token, len(number_of)) for chunk in chunks for token in (*chunk.above, *chunk.body)]
    counts = np.array([len(chunk.above) + len(chunk.body) for chunk in chunks], np.int64)
    above = np.array([len(chunk.above) for chunk in chunks], np.int64)
    ids = np.array([chunk.id for chunk in chunks], np.int64)
    return build_segment(ids, ChunkTokens(counts, above, np.array(numbers, np.int64), list(number_of)))


def make_words(*words: str) -> list[Token]:
    return [((word,), ()) for word in words]


def list_stems(listed: Sequence[Token]) -> list[str]:
    return [stem for stems, _ in listed for stem in stems]


def list_postings(chunks: Sequence[Chunk]) -> dict[tuple[str, int], list[int]]:
    """List where each term stands in each chunk, in plain Python; a form stands nowhere."""
    postings: dict[tuple[str, int], list[int]] = {}
    for chunk in chunks:
        above, body = list_stems(chunk.above), list_stems(chunk.body)
        for place, term in [*enumerate(above), *enumerate(body, len(above) + 1)]:
            postings.setdefault((term, chunk.id), []).append(place)
        postings |= {(FORM_MARK + form, chunk.id): [] for _, forms in (*chunk.above, *chunk.body) for form in forms}
    return postings


def read_postings(segment: TermSegment) -> dict[tuple[str, int], list[int]]:
    postings = {}
    for rank, term in enumerate(segment.terms):
        places = segment.positions[segment.position_starts[rank] : segment.position_starts[rank + 1]].tolist()
        for at in range(segment.starts[rank], segment.starts[rank + 1]):
            count = 0 if term.startswith(FORM_MARK) else int(segment.frequencies[at])
            postings[term, int(segment.ids[segment.ordinals[at]])] = places[:count]
            places = places[count:]
        assert places == []
    return postings


@given(chunk_lists())
def test_a_segment_holds_each_posting_with_its_places(chunks: list[Chunk]) -> None:
    segment = build(chunks)
    assert read_postings(segment) == list_postings(chunks)
    assert segment.terms == sorted(segment.terms)
    assert segment.lengths.tolist() == [len(list_stems((*chunk.above, *chunk.body))) for chunk in chunks]
    blocks = [(block.postings, block.positions) for block in encode_blocks(segment)]
    assert decode_segment(segment.ids, segment.lengths, blocks).is_same(segment)


@given(chunk_lists(), st.data())
def test_segments_are_merged_as_if_they_had_been_one(chunks: list[Chunk], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(chunks)), max_size=3)))
    parts = [part for begin, end in zip([0, *cuts], [*cuts, len(chunks)], strict=True) if (part := chunks[begin:end])]
    deleted = data.draw(st.sets(st.sampled_from([chunk.id for chunk in chunks])))
    living = [np.array([chunk.id not in deleted for chunk in part]) for part in parts]
    merged = merge_segments([build(part) for part in parts], living)
    assert merged.is_same(build([chunk for chunk in chunks if chunk.id not in deleted]))
    assert merge_segments([build(part) for part in parts], [None] * len(parts)).is_same(build(chunks))


@given(chunk_lists(), chunk_lists(), st.data())
def test_segments_are_merged_a_range_of_terms_after_the_other(one: list[Chunk], two: list[Chunk], data: st.DataObject) -> None:
    parts = [build(one), build([Chunk(100 + chunk.id, chunk.above, chunk.body) for chunk in two])]
    living = [np.array([data.draw(st.booleans()) for _ in part.ids]) for part in parts]
    whole = merge_segments(parts, living)
    cuts = ["", *sorted(data.draw(st.sets(terms, max_size=3))), None]
    ranges = [
        merge_segments([slice_terms(part, *(find_rank(part, cut) for cut in bounds)) for part in parts], living)
        for bounds in pairwise(cuts)
    ]
    assert [term for part in ranges for term in part.terms] == whole.terms
    assert {key: places for part in ranges for key, places in read_postings(part).items()} == read_postings(whole)
    assert all(np.array_equal(part.ids, whole.ids) and np.array_equal(part.lengths, whole.lengths) for part in ranges)


def find_rank(segment: TermSegment, term: str | None) -> int:
    return len(segment.terms) if term is None else bisect_left(segment.terms, term)


def test_a_frequent_word_has_a_block_of_its_own_and_a_long_text_wide_numbers() -> None:
    chunks = [Chunk(n, (), make_words("frequent", f"w{n}")) for n in range(2 * BLOCK_BYTES)]
    long = Chunk(len(chunks), (), make_words(*["x"] * 70_000, "end"))
    segment = build([*chunks, long])
    blocks = list(encode_blocks(segment))
    read = [PostingBlock(block.postings) for block in blocks]
    (alone,) = [block for block in read if "frequent" in block.terms]
    assert alone.terms == ["frequent"]
    assert [block.terms[0] for block in read] == [block.first_term for block in blocks]
    (at,) = [number for number, block in enumerate(read) if "end" in block.terms]
    begin, end = read[at].find_positions(read[at].terms.index("end"))
    assert PositionBlock(blocks[at].positions).load(begin, end).tolist() == [70_001]
    (holder,) = [block for block in read if "x" in block.terms]
    assert holder.load(holder.terms.index("x")).frequencies.tolist() == [70_000]


@pytest.mark.parametrize("cut", [0, 5, 12, 40, -1])
def test_a_block_that_is_not_whole_is_told(cut: int) -> None:
    (block,) = encode_blocks(build([Chunk(1, make_words("a"), [*make_words("b", "b"), (("c",), ("b",))])]))
    with pytest.raises(DatabaseCorruptedError, match="not whole"):
        decode_segment(np.array([1]), np.array([4]), [(block.postings[:cut], block.positions)])


@given(st.lists(st.tuples(st.integers(1, 70), st.booleans()), max_size=400))
def test_as_many_segments_stay_as_the_policy_says(batches: list[tuple[int, bool]]) -> None:
    """However chunks come and go, few segments are left, none has many deleted chunks, and merging ends."""
    rows: list[int] = []
    deleted: list[int] = []
    for count, deletes in batches:
        rows.append(count)
        deleted.append(0)
        if deletes:
            deleted[len(rows) // 2] += min(7, rows[len(rows) // 2] - deleted[len(rows) // 2])
        while (group := find_due_merge(rows, deleted)) is not None:
            left = sum(rows[group.start : group.stop]) - sum(deleted[group.start : group.stop])
            assert left <= SEGMENT_ROWS_MAX
            rows[group.start : group.stop], deleted[group.start : group.stop] = ([left], [0]) if left else ([], [])
    assert Counter(gone > count / 10 for count, gone in zip(rows, deleted, strict=True))[True] == 0
    assert len(rows) <= 9 * FAN


@pytest.mark.parametrize("batch", [1, 10, 100, 256, 4_096])
def test_a_chunk_is_written_about_once_a_tier_however_small_the_batches_are(batch: int) -> None:
    rows: list[int] = []
    written = most = 0
    for _ in range(200_000 // batch if batch > 1 else 20_000):
        rows.append(batch)
        while (group := find_due_merge(rows, [0] * len(rows))) is not None:
            left = sum(rows[group.start : group.stop])
            rows[group.start : group.stop], written = [left], written + left
        most = max(most, len(rows))
    full = sum(rows) // SEGMENT_ROWS_MAX
    assert written <= sum(rows) * (1 + math.log(SEGMENT_ROWS_MAX / batch, FAN))
    assert most <= full + 1 + FAN * math.log(SEGMENT_ROWS_MAX / batch, FAN)


def test_full_segments_are_left_alone_and_neighbours_that_fit_are_packed() -> None:
    full = SEGMENT_ROWS_MAX
    assert find_due_merge([full] * 30, [0] * 30) is None
    assert find_due_merge([full, 40_000, 40_000], [0] * 3) is None
    assert pack_segments([full, 40_000, 20_000, 5_000, 60_000], [0] * 5) == [range(1, 4)]
    assert pack_segments([full, full], [0, 1]) == [range(1, 2)]
    assert pack_segments([10], [0]) == []
