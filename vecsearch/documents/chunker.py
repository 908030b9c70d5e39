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

from vecsearch.core.settings import BLOCK_CHARACTERS, CUT_SLACK
from vecsearch.core.types import Cut, Section, Span, Split
from vecsearch.documents.places import Places

TokenSpans: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
Costs: TypeAlias = Callable[[str], int]

_LINE: Final = re.compile(r"[^\n]+")
# anchored, or a long line of blanks would be tried from each of its places
_PARAGRAPH: Final = re.compile(r"(?:^[^\n]*\S[^\n]*(?:\n|\Z))+", re.MULTILINE)


def split(
    text: str, *, by: Split, budget: int, token_spans: TokenSpans, sections: Sequence[Section] = (), cost: Costs = lambda _: 0
) -> list[Cut]:
    """Chunks of a text, in order, none only white space, none of more than `budget` tokens.

    `cost` is the number of tokens that a section's context takes of the budget. A text without a word has no chunks.
    """
    if not text.strip():
        return []
    document = _Document(text, sections or (Section(0, {}),), budget, token_spans, cost)
    pieces = {Split.TOKENS: _units, Split.LINES: _lines, Split.PARAGRAPHS: _paragraphs}[by](document)
    spans = [span for piece in pieces for span in document.fitted(piece)]
    return Places(text, document.sections).cuts(spans if by is Split.LINES else _without_blanks(text, spans))


def _units(document: _Document) -> Iterator[Span]:
    return _between(0, len(document.text), [each.start for each in document.sections if each.apart])


def _lines(document: _Document) -> Iterator[Span]:
    for match in _LINE.finditer(document.text):
        if line := match[0].strip():
            start = match.start() + match[0].index(line)
            yield Span(start, start + len(line))


def _paragraphs(document: _Document) -> Iterator[Span]:
    return _between(0, len(document.text), [match.start() for match in _PARAGRAPH.finditer(document.text)])


def _between(start: int, end: int, cuts: Sequence[int]) -> Iterator[Span]:
    """What lies between the cuts inside a range, nothing left out."""
    edges = [start, *(cut for cut in cuts if start < cut < end), end]
    return (Span(one, other) for one, other in pairwise(edges))


def _without_blanks(text: str, spans: Sequence[Span]) -> list[Span]:
    """White space alone goes to the chunk before it, at the beginning to the one after."""
    kept: list[Span] = []
    start = 0
    for span in spans:
        if text[span.start : span.end].strip():
            kept.append(Span(start, span.end))
        elif kept:
            kept[-1] = Span(kept[-1].start, span.end)
        start = kept[-1].end if kept else 0
    return kept


@dataclass(frozen=True, slots=True)
class _Document:
    """A text, its sections, and how much fits into a chunk."""

    text: str
    sections: Sequence[Section]
    budget: int
    token_spans: TokenSpans
    cost: Costs
    _starts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._starts.extend(each.start for each in self.sections)

    def fitted(self, piece: Span) -> Iterator[Span]:
        """The piece itself where it fits, else parts of it that do."""
        waiting = [piece]  # no recursion: a text can be cut as often as it has characters
        while waiting:
            span = waiting.pop()
            if span.end - span.start > BLOCK_CHARACTERS:  # too long to hold all its tokens
                parts = self._levelled(span)
                sizes = [part.end - part.start for part in parts]
                waiting.extend(reversed(_grouped(parts, sizes, BLOCK_CHARACTERS) or _blocks(self.text, span)))
                continue
            tokens = self.token_spans(self.text[span.start : span.end])
            budget = self._budget(span)
            if len(tokens) <= budget:
                yield span
                continue
            parts = self._parts(span, tokens, budget)
            if len(parts) < 2:  # one token that cannot be cut
                yield span
            else:
                waiting.extend(reversed(parts))

    def _inside(self, span: Span) -> Sequence[Section]:
        """The sections that begin within a range, after its own start."""
        return self.sections[bisect_right(self._starts, span.start) : bisect_left(self._starts, span.end)]

    def _budget(self, span: Span) -> int:
        """Tokens left beside the longest context that a chunk of this range can have."""
        own = self.sections[max(0, bisect_right(self._starts, span.start) - 1)]
        return max(1, self.budget - max(self.cost(each) for each in {own.context, *(i.context for i in self._inside(span))}))

    def _levelled(self, span: Span) -> list[Span]:
        """The range cut at all its best places; empty where none is better than another."""
        levels = [each for each in self._inside(span) if each.level is not None]
        if not levels:
            return []
        best = min(each.level for each in levels if each.level is not None)
        return list(_between(span.start, span.end, [each.start for each in levels if each.level == best]))

    def _parts(self, span: Span, tokens: Sequence[tuple[int, int]], budget: int) -> list[Span]:
        if parts := self._levelled(span):
            starts = [span.start + place for place, _ in tokens]
            sizes = [bisect_left(starts, part.end) - bisect_left(starts, part.start) for part in parts]
            groups = _grouped(parts, sizes, budget)
            return groups if len(groups) > 1 else parts
        text = self.text[span.start : span.end]
        return [Span(span.start + part.start, span.start + part.end) for part in _even(text, tokens, budget)]


def _blocks(text: str, span: Span) -> list[Span]:
    """The range in two or more, each cut after a paragraph, a line or a word where one ends in time."""
    cuts = [span.start]
    while span.end - cuts[-1] > BLOCK_CHARACTERS:
        start, least = cuts[-1], cuts[-1] + BLOCK_CHARACTERS // 2
        most = start + BLOCK_CHARACTERS
        ends = (text.rfind(mark, least, most) + len(mark) for mark in ("\n\n", "\n", " "))
        cuts.append(next((end for end in ends if end > least), most))
    return list(_between(span.start, span.end, cuts))


def _grouped(parts: Sequence[Span], sizes: Sequence[int], budget: int) -> list[Span]:
    """Neighbours that fit together, as one; about as many as needed, of about equal size."""
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


def _even(text: str, tokens: Sequence[tuple[int, int]], budget: int) -> Iterator[Span]:
    """The fewest parts of at most `budget` tokens; at least two, each of at least one token."""
    parts = max(2, -(-len(tokens) // budget))
    start = first = 0
    for left in range(parts - 1, 0, -1):
        cut = _cut(text, tokens, first, left, budget)
        end = tokens[cut][0]
        if end > start:
            yield Span(start, end)
            start = end
        first = cut
    if start == 0:  # several tokens in one character hid the places: take the middle one
        places = sorted({place for place, _ in tokens if place > 0})
        start = places[len(places) // 2] if places else 0
        if start:
            yield Span(0, start)
    yield Span(start, len(text))


def _cut(text: str, tokens: Sequence[tuple[int, int]], first: int, left: int, budget: int) -> int:
    """The token that the part after this one begins with, when `left` parts follow."""
    target = (len(tokens) - first) / (left + 1)
    ideal, slack = first + round(target), int(target * CUT_SLACK)
    lowest = max(first + 1, len(tokens) - left * budget, ideal - slack)
    highest = min(first + budget, len(tokens) - left, ideal + slack)
    places = range(lowest, max(lowest, highest) + 1)
    return min(places, key=lambda place: (-_quality(text, tokens[place][0]), abs(place - ideal)))


def _quality(text: str, place: int) -> int:
    """How good a place is to cut before: the end of a paragraph 4, line 3, sentence 2, word 1."""
    before = text[max(0, place - 2) : place]
    if before.endswith("\n\n"):
        return 4
    if before.endswith("\n"):
        return 3
    if len(before) == 2 and before[0] in ".!?。" and before[1].isspace():
        return 2
    return int(before[-1:].isspace())
