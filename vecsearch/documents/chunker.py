"""Where to cut a document: exact character offsets, every chunk within the encoder's window.

A text longer than the window is cut into the fewest chunks that fit, of about equal length, each cut moved to a nearby
end of paragraph, line, sentence or word. Chunks do not overlap; joined they give the text back but for white space at cuts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from vecsearch.core.settings import CUT_SLACK
from vecsearch.core.types import Span, Split

TokenSpans: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]

_LINE: Final = re.compile(r"[^\n]+")
# anchored, or a long line of blanks would be tried from each of its places
_PARAGRAPH: Final = re.compile(r"(?:^[^\n]*\S[^\n]*(?:\n|\Z))+", re.MULTILINE)


def split(text: str, *, by: Split, budget: int, token_spans: TokenSpans) -> list[Span]:
    """Spans of a text, in order, none empty or only white space, none of more than `budget` tokens."""
    pieces = {Split.TOKENS: _whole, Split.LINES: _lines, Split.PARAGRAPHS: _paragraphs}[by](text)
    return [span for piece in pieces for span in _fitted(text, piece, budget, token_spans)]


def _whole(text: str) -> Iterator[Span]:
    yield Span(0, len(text))


def _lines(text: str) -> Iterator[Span]:
    return (Span(*match.span()) for match in _LINE.finditer(text))


def _paragraphs(text: str) -> Iterator[Span]:
    return (Span(*match.span()) for match in _PARAGRAPH.finditer(text))


def _fitted(text: str, piece: Span, budget: int, token_spans: TokenSpans) -> Iterator[Span]:
    span = _stripped(text, piece)
    if span.start == span.end:
        return
    tokens = token_spans(text[span.start : span.end])
    if len(tokens) <= budget:
        yield span
        return
    for part in _even(text[span.start : span.end], tokens, budget):
        inside = Span(span.start + part.start, span.start + part.end)
        # a part can hold a token more than it did inside the whole: then it is cut again, if it can be
        yield from [span] if inside == span else _fitted(text, inside, budget, token_spans)


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


def _stripped(text: str, span: Span) -> Span:
    piece = text[span.start : span.end]
    start = span.start + len(piece) - len(piece.lstrip())
    return Span(start, max(start, span.start + len(piece.rstrip())))
