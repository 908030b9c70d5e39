"""Explanations as text: a hit shaded by what its words contribute, and the figures below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from vecsearch.core.attribution import Explanation, TokenAttribution
from vecsearch.core.results import Hit, QueryProfile
from vecsearch.core.types import format_count
from vecsearch.interfaces.rendering.terminal import Terminal, wrap_cells, wrap_indented
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_SHADES: Final = (None, 22, 28, 34, 40)  # greens of the 256-colour palette, from nothing to bright
_WORDS_SHOWN: Final = 8
_INDENT: Final = 4
_WORD: Final = re.compile(r"\S+")


def format_explanation(hit: Hit, terminal: Terminal) -> Iterator[str]:
    """Yield the whole chunk, its words shaded where the terminal can; ranks, scores, the words and sentence that count most."""
    reasons = hit.explanation
    assert reasons is not None
    words = compute_word_attributions(hit, reasons.tokens)
    if words:
        yield from _shade_words(hit, words, terminal)
    lines = [" · ".join(_format_component(side, reasons) for side in reasons.components)]
    if words:
        best = sorted(words, key=lambda word: -word.weight)[:_WORDS_SHOWN]
        weights = ", ".join(f"{hit.text[w.start - hit.start : w.end - hit.start]} {w.weight:+.3f}" for w in best)
        lines.append(f"words: {weights}; title and remainder {reasons.remainder:+.3f}")
    if reasons.sentence:
        at = reasons.sentence
        lines.append(f"best sentence ({at.start}–{at.end}): {hit.text[at.start - hit.start : at.end - hit.start]}")
    for line in lines:
        yield from wrap_indented(make_printable(" ".join(line.split())), terminal.width, _INDENT)


def _format_component(component: str, explanation: Explanation) -> str:
    part = explanation.components[component]
    return f"{component} {part.score:.3f} ({'no candidate' if part.rank is None else f'rank {part.rank}'})"


def format_profile(profile: QueryProfile) -> str:
    """Return how the answer was found, and how long each stage took, in one line."""
    bound = "" if profile.min_similarity is None else f" · min similarity {profile.min_similarity:.3f}"
    stages = ", ".join(f"{stage} {took:.1f}" for stage, took in profile.timings_ms.items())
    of = "" if profile.matching == profile.chunks else f"{profile.matching:,} of "
    looked = f"vectors: {profile.access} · {format_count(profile.candidates, 'candidate')}{bound}"
    return f"plan: {of}{format_count(profile.chunks, 'chunk')} · {looked} · ms: {stages}"


def compute_word_attributions(hit: Hit, attributions: Sequence[TokenAttribution]) -> list[TokenAttribution]:
    """Return the weights of a hit's words, each the sum of its tokens'; words are separated by white space."""
    words = []
    for match in _WORD.finditer(hit.text):
        start, end = hit.start + match.start(), hit.start + match.end()
        weights = [token.weight for token in attributions if start <= token.start < end]
        if weights:
            words.append(TokenAttribution(start, end, sum(weights)))
    for at, word in enumerate(words):  # without the marks around it
        text = hit.text[word.start - hit.start : word.end - hit.start]
        bare = text.strip(".,;:!?()[]{}\"'“”‘’«»…*_`#")
        if bare:
            start = word.start + text.index(bare)
            words[at] = TokenAttribution(start, start + len(bare), word.weight)
    return words


def _shade_words(hit: Hit, words: Sequence[TokenAttribution], terminal: Terminal) -> Iterator[str]:
    most = max(word.weight for word in words)
    shades: dict[int, int] = {}  # by character of the chunk
    for word in words:
        shade = None if most <= 0 else _SHADES[max(0, min(4, round(4 * word.weight / most)))]
        if shade is not None:
            shades |= dict.fromkeys(range(word.start - hit.start, word.end - hit.start), shade)
    places = [at for at, char in enumerate(hit.text) if not char.isspace() or (at and not hit.text[at - 1].isspace())]
    text = make_printable("".join(" " if hit.text[at].isspace() else hit.text[at] for at in places))
    for part in wrap_cells(text, terminal.width - _INDENT):
        pieces = groupby(range(part.start, part.stop), lambda at: shades.get(places[at]))
        yield " " * _INDENT + "".join(
            text[at[0] : at[-1] + 1] if shade is None else terminal.style(text[at[0] : at[-1] + 1], f"38;5;231;48;5;{shade}")
            for shade, at in ((shade, list(group)) for shade, group in pieces)
        )
