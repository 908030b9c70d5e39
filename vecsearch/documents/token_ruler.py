"""How many tokens a range of a text has, as a text of its own, and where they begin.

Where the encoder tells where the tokens of whole words begin, a long stretch is measured once; else each range is tokenized.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.settings import BLOCK_CHARACTERS, SURE_SHARE
from vecsearch.core.types import Span

TokenSpans: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
TokenStarts: TypeAlias = Callable[[str], NDArray[np.int64] | None]
FitTest: TypeAlias = Callable[[str, int], bool]  # whether a text has at most so many tokens
Starts: TypeAlias = NDArray[np.int64]  # ascending, one for each token

_LIKELY_FITS: Final = 5  # characters for each token of the budget: prose has four to six


class TokenRuler:
    """Measures ranges of one text; quickest from its beginning to its end."""

    def __init__(self, text: str, token_spans: TokenSpans, token_starts: TokenStarts | None, fits: FitTest | None) -> None:
        """Measure by the encoder's `token_spans`, and by what is quicker, where it has that."""
        self._text, self._token_spans, self._token_starts, self._fits = text, token_spans, token_starts, fits
        self._is_ascii: Final = text.isascii()
        self._stretch, self._starts = Span(0, 0), np.empty(0, np.int64)  # what is measured at once
        self._exact: tuple[Span, Starts] | None = None  # what was tokenized last
        self._guesses: dict[Span, int] = {}  # tokens of ranges, as they were in a larger one: alone they may be a few more

    def is_fitting(self, span: Span, budget: int) -> bool:
        """Return whether a range has no more tokens."""
        if self._is_ascii and span.end - span.start < budget:  # a token has a character at least
            return True
        if self._guesses.get(span, budget) <= SURE_SHARE * budget:
            return True
        is_likely = span.end - span.start <= _LIKELY_FITS * budget
        if self._fits is not None and is_likely and not self._is_measured(span):
            return self._fits(self._text[span.start : span.end], budget)
        return len(self.find_starts(span)) <= budget

    def find_starts(self, span: Span) -> Starts:
        """Return where the tokens of a range begin in the text; some may be given the place where their word begins."""
        if self._is_measured(span) or self._try_measure(span):
            first, last = np.searchsorted(self._starts, (span.start, span.end))
            if self._is_between_words(span.start, first) and self._is_between_words(span.end, last):
                return self._starts[first:last]
        return self._find_exact_starts(span)

    def _find_exact_starts(self, span: Span) -> Starts:
        """Return where each token of a range begins in the text."""
        if self._exact is None or self._exact[0] != span:
            spans = self._token_spans(self._text[span.start : span.end])
            self._exact = span, np.array([start for start, _ in spans], np.int64) + span.start
        return self._exact[1]

    def find_place(self, span: Span, starts: Starts, token: int) -> int:
        """Return where one of the tokens of a range begins, which may have been given the place of its word."""
        if starts[token - 1] < starts[token] or self._token_starts is None:
            return int(starts[token])
        first, end = np.searchsorted(starts, starts[token], "left"), np.searchsorted(starts, starts[token], "right")
        word = Span(int(starts[token]), int(starts[end]) if end < len(starts) else span.end)
        tokens = self._token_spans(self._text[word.start : word.end])
        return word.start + tokens[token - first][0] if len(tokens) == end - first else word.start

    def remember(self, parts: Sequence[Span], starts: Starts) -> None:
        """Keep how many of these tokens each part of a tokenized range has."""
        if self._exact is not None and starts is self._exact[1]:
            self._guesses.update(zip(parts, count_each(parts, starts), strict=True))

    def _is_between_words(self, place: int, token: int) -> bool:
        """Return whether no word lies across a place; `token` is the first of the stretch that begins there or later."""
        text = self._text
        if place in (0, len(text)) or text[place - 1].isspace() or text[place].isspace():
            return True
        return token < len(self._starts) and bool(self._starts[token] == place)

    def _is_measured(self, span: Span) -> bool:
        return self._stretch.start <= span.start and span.end <= self._stretch.end

    def _try_measure(self, span: Span) -> bool:
        """Measure a stretch that begins with a range; returns whether its words can be told."""
        if self._token_starts is None:
            return False
        stretch = Span(span.start, max(span.end, span.start + BLOCK_CHARACTERS))
        starts = self._token_starts(self._text[stretch.start : stretch.end])
        if starts is None:
            return False
        self._stretch, self._starts = stretch, starts + span.start
        return True


def count_each(parts: Sequence[Span], starts: Starts) -> list[int]:
    """Return how many of some tokens, given by where they begin, each part of a text has."""
    edges = np.searchsorted(starts, [edge for part in parts for edge in (part.start, part.end)])
    counts: list[int] = (edges[1::2] - edges[::2]).tolist()
    return counts
