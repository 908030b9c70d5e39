"""Where to cut a document: exact character offsets, every chunk within the encoder's window, each with its place.

Structure first: no chunk runs across a page, slide or sheet; a text longer than the window is cut at its best headings or
definitions, neighbours that fit together stay together. What is still too long is cut into the fewest parts that fit, of about
equal length, each cut moved to a nearby end of paragraph, line, sentence or word. Chunks do not overlap; joined they give the
text back, character for character (by lines: but for the white space around a line).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np

from vecsearch.core.parsed import ChunkSpan, Section
from vecsearch.core.settings import BLOCK_CHARACTERS, SPLIT_TOLERANCE
from vecsearch.core.types import Span, Split
from vecsearch.documents.locations import LocationFinder
from vecsearch.documents.token_ruler import FitTest, Starts, TokenRuler, TokenSpans, TokenStarts, count_each

CostFunction: TypeAlias = Callable[[str], int]

_LINE: Final = re.compile(r"[^\n]+")
# anchored, or a long line of blanks would be tried from each of its places
_PARAGRAPH: Final = re.compile(r"(?:^[^\n]*\S[^\n]*(?:\n|\Z))+", re.MULTILINE)


def split(
    text: str,
    *,
    unit: Split,
    budget: int,
    token_spans: TokenSpans,
    sections: Sequence[Section] = (),
    cost: CostFunction = lambda _: 0,
    token_starts: TokenStarts | None = None,
    fits: FitTest | None = None,
) -> list[ChunkSpan]:
    """Split a text into chunks, in order, none only white space, none of more than `budget` tokens.

    `cost` is the number of tokens that a section's context takes of the budget; `token_starts` is a quicker way to where the
    tokens of whole words begin, `fits` to whether a text has no more than so many. A text without a word has no chunks.
    """
    if not text.strip():
        return []
    ruler = TokenRuler(text, token_spans, token_starts, fits)
    document = _TextSplitter(text, sections or (Section(0, {}),), budget, ruler, cost)
    pieces = {Split.TOKENS: _split_at_boundaries, Split.LINES: _split_lines, Split.PARAGRAPHS: _split_paragraphs}[unit](document)
    spans = [span for piece in pieces for span in document.split_piece(piece)]
    return LocationFinder(text, document.sections).locate_spans(spans if unit is Split.LINES else _merge_blank_spans(text, spans))


def _split_at_boundaries(splitter: _TextSplitter) -> Iterator[Span]:
    return _split_at_offsets(0, len(splitter.text), [section.start for section in splitter.sections if section.hard_boundary])


def _split_lines(splitter: _TextSplitter) -> Iterator[Span]:
    for match in _LINE.finditer(splitter.text):
        if line := match[0].strip():
            start = match.start() + match[0].index(line)
            yield Span(start, start + len(line))


def _split_paragraphs(splitter: _TextSplitter) -> Iterator[Span]:
    return _split_at_offsets(0, len(splitter.text), [match.start() for match in _PARAGRAPH.finditer(splitter.text)])


def _split_at_offsets(start: int, end: int, cuts: Sequence[int]) -> Iterator[Span]:
    """Return what lies between the cuts inside a range, nothing left out."""
    edges = [start, *(cut for cut in cuts if start < cut < end), end]
    return (Span(one, other) for one, other in pairwise(edges))


def _merge_blank_spans(text: str, spans: Sequence[Span]) -> list[Span]:
    """Merge white space alone into the chunk before it, at the beginning into the one after."""
    merged: list[Span] = []
    start = 0
    for span in spans:
        if text[span.start : span.end].strip():
            merged.append(Span(start, span.end))
        elif merged:
            merged[-1] = Span(merged[-1].start, span.end)
        start = merged[-1].end if merged else 0
    return merged


@dataclass(frozen=True, slots=True)
class _TextSplitter:
    """A text, its sections, and how much fits into a chunk."""

    text: str
    sections: Sequence[Section]
    budget: int
    ruler: TokenRuler
    cost: CostFunction
    _starts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._starts.extend(section.start for section in self.sections)

    def split_piece(self, piece: Span) -> Iterator[Span]:
        """Yield the piece itself where it fits, else parts of it that do."""
        waiting = [piece]  # no recursion: a text can be cut as often as it has characters
        while waiting:
            span = waiting.pop()
            if span.end - span.start > BLOCK_CHARACTERS:  # too long to hold all its tokens
                parts = self._split_at_best_level(span)
                sizes = [part.end - part.start for part in parts]
                waiting.extend(reversed(_group_parts(parts, sizes, BLOCK_CHARACTERS) or _split_blocks(self.text, span)))
                continue
            budget = self._compute_budget(span)
            parts = [span] if self.ruler.is_fitting(span, budget) else self._split_oversized(span, budget)
            if len(parts) < 2:  # or one token that cannot be cut
                yield span
            else:
                waiting.extend(reversed(parts))

    def _find_sections(self, span: Span) -> Sequence[Section]:
        """Return the sections that begin within a range, after its own start."""
        return self.sections[bisect_right(self._starts, span.start) : bisect_left(self._starts, span.end)]

    def _compute_budget(self, span: Span) -> int:
        """Return the tokens left beside the longest context that a chunk of this range can have."""
        if len(self.sections) == 1:
            return max(1, self.budget - self.cost(self.sections[0].context))
        own = self.sections[max(0, bisect_right(self._starts, span.start) - 1)]
        return max(
            1, self.budget - max(self.cost(context) for context in {own.context, *(i.context for i in self._find_sections(span))})
        )

    def _split_at_best_level(self, span: Span) -> list[Span]:
        """Return the range cut at all its best places; empty where none is better than another."""
        levels = [section for section in self._find_sections(span) if section.split_priority is not None]
        if not levels:
            return []
        best = min(section.split_priority for section in levels if section.split_priority is not None)
        return list(
            _split_at_offsets(span.start, span.end, [section.start for section in levels if section.split_priority == best])
        )

    def _split_oversized(self, span: Span, budget: int) -> list[Span]:
        starts = self.ruler.find_starts(span)
        if parts := self._split_at_best_level(span):
            groups = _group_parts(parts, count_each(parts, starts), budget)
            parts = groups if len(groups) > 1 else parts
        else:
            parts = self._split_evenly(span, starts, budget)
        self.ruler.remember(parts, starts)
        return parts

    def _split_evenly(self, span: Span, starts: Starts, budget: int) -> list[Span]:
        """Return the fewest parts of at most `budget` tokens; at least two, each of at least one token."""
        parts = max(2, -(-len(starts) // budget))
        cuts, first = list[int](), 0
        for left in range(parts - 1, 0, -1):
            first = _choose_cut(self.text, starts, first, left, budget)
            cuts.append(self.ruler.find_place(span, starts, first))
        if cuts[-1] == span.start:  # several tokens in one character hid the places: take the middle one
            places = np.unique(starts[starts > span.start])
            cuts = places[len(places) // 2 :][:1].tolist()
        return list(_split_at_offsets(span.start, span.end, sorted({*cuts})))


def _split_blocks(text: str, span: Span) -> list[Span]:
    """Split the range in two or more, each cut after a paragraph, a line or a word where one ends in time."""
    cuts = [span.start]
    while span.end - cuts[-1] > BLOCK_CHARACTERS:
        start, least = cuts[-1], cuts[-1] + BLOCK_CHARACTERS // 2
        most = start + BLOCK_CHARACTERS
        ends = (text.rfind(mark, least, most) + len(mark) for mark in ("\n\n", "\n", " "))
        cuts.append(next((end for end in ends if end > least), most))
    return list(_split_at_offsets(span.start, span.end, cuts))


def _group_parts(parts: Sequence[Span], sizes: Sequence[int], budget: int) -> list[Span]:
    """Join neighbours that fit together: about as many groups as needed, of about equal size."""
    fair = sum(sizes) / max(1, -(-sum(sizes) // budget))
    groups: list[Span] = []
    filled = 0
    for part, size in zip(parts, sizes, strict=True):
        if groups and filled + size <= budget and filled + size / 2 <= fair:
            groups[-1] = Span(groups[-1].start, part.end)
            filled += size
        else:
            groups.append(part)
            filled = size
    return groups


def _choose_cut(text: str, starts: Starts, first: int, remaining_parts: int, budget: int) -> int:
    """Return the token that the part after this one begins with, when `remaining_parts` parts follow."""
    target = (len(starts) - first) / (remaining_parts + 1)
    ideal, slack = first + round(target), int(target * SPLIT_TOLERANCE)
    lowest = max(first + 1, len(starts) - remaining_parts * budget, ideal - slack)
    highest = max(lowest, min(first + budget, len(starts) - remaining_parts, ideal + slack))
    numbered = enumerate(pairwise(starts[lowest - 1 : highest + 1].tolist()), lowest)
    words = [
        (-_rate_cut(text, place), abs(token - ideal), token)
        for token, (before, place) in numbered
        if place > before and text[place - 1].isspace()
    ]
    return min(words)[2] if words else min(max(ideal, lowest), highest)


def _rate_cut(text: str, position: int) -> int:
    """Return how good a place after white space is to cut: the end of a paragraph 4, line 3, sentence 2, word 1."""
    before = text[max(0, position - 2) : position]
    if before.endswith("\n\n"):
        return 4
    if before.endswith("\n"):
        return 3
    return 2 if len(before) == 2 and before[0] in ".!?。" else 1
