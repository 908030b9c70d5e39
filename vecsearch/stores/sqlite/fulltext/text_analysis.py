"""Texts → encoded postings: the analysis of chunks that are about to be written, a pure function over plain values."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple, TypeAlias

import numpy as np

from vecsearch.core.helper_process import HELPER, Computation
from vecsearch.core.settings import HELPER_CHARACTERS_AHEAD, HELPER_CHARACTERS_MAX, HELPER_CHARACTERS_MIN
from vecsearch.stores.sqlite.fulltext.term_blocks import EncodedBlock, encode_blocks
from vecsearch.stores.sqlite.fulltext.term_segment import SEGMENT_ROWS_MAX, ChunkTokens, Ints, build_segment
from vecsearch.text.analyzer import get_analyzer

ChunkText: TypeAlias = tuple[str, str]  # what is above a chunk (title and context), its text


class EncodedSegment(NamedTuple):
    """A segment ready to store, but for the ids of its chunks, which it has in their order: their `lengths`, and its blocks."""

    lengths: Ints
    blocks: Sequence[EncodedBlock]


Segments: TypeAlias = list[EncodedSegment]


def join_above(title: str | None, context: str) -> str:
    """Return what is indexed above a chunk's text."""
    return f"{title or ''} {context}".strip()


@contextmanager
def begin(
    stemmer: str, make_texts: Callable[[], Iterable[ChunkText]], characters: int, *, ahead: bool = False
) -> Iterator[Computation[Segments]]:
    """Begin the analysis of chunks of so many characters; gives what returns their segments, in order.

    `ahead`: long before they are wanted.
    """
    least = HELPER_CHARACTERS_AHEAD if ahead else HELPER_CHARACTERS_MIN
    if least <= characters <= HELPER_CHARACTERS_MAX:
        with HELPER.begin(encode_texts, stemmer, list(make_texts())) as analysis:
            yield analysis
    else:
        yield Computation(lambda: encode_texts(stemmer, make_texts()))


def encode_texts(stemmer: str, texts: Iterable[ChunkText]) -> Segments:
    """Return the segments of chunks, as many chunks in each as it can hold."""
    following = iter(texts)
    segments = []
    while len((tokens := number_tokens(stemmer, islice(following, SEGMENT_ROWS_MAX))).counts):
        segment = build_segment(np.arange(len(tokens.counts)), tokens)
        segments.append(EncodedSegment(segment.lengths, list(encode_blocks(segment))))
    return segments


def number_tokens(stemmer: str, texts: Iterable[ChunkText]) -> ChunkTokens:
    """Take texts apart. Numbers alone are kept of each: as objects their tokens would keep Python's collector busy."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    analyzer = get_analyzer(stemmer)
    ends, begins, tokens = array("q", [0]), array("q"), array("q")
    for above, text in texts:
        tokens.extend(map(numbers.__getitem__, analyzer.split(above)))
        begins.append(len(tokens))
        tokens.extend(map(numbers.__getitem__, analyzer.split(text)))
        ends.append(len(tokens))
    numbers.default_factory = None  # it holds the numbers, which would be kept until the next full collection
    bounds = np.array(ends)
    analyzed = analyzer.analyze_tokens(numbers)
    return ChunkTokens(np.diff(bounds), np.array(begins) - bounds[:-1], np.array(tokens), analyzed)
