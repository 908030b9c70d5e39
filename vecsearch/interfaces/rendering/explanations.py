"""Explanations as text: a hit shaded by what its words contribute, and the figures below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

from vecsearch.core.results import Explanation, Hit, QueryProfile, TokenAttribution
from vecsearch.core.types import format_count
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_SHADES: Final = (None, 22, 28, 34, 40)  # greens of the 256-colour palette, from nothing to bright
_WORDS_SHOWN: Final = 8
_INDENT: Final = 8
_WORD: Final = re.compile(r"\S+")


def format_explanation(hit: Hit, width: int) -> Iterator[str]:
    """Yield the whole chunk, its words shaded where the terminal can; ranks, scores, the words and sentence that count most."""
    reasons = hit.explanation
    assert reasons is not None
    words = compute_word_attributions(hit, reasons.tokens)
    if words:
        yield from _shade_words(hit, words, width - _INDENT)
    indent = " " * _INDENT
    yield indent + " · ".join(_format_component(side, reasons) for side in reasons.components)
    if words:
        best = sorted(words, key=lambda word: -word.weight)[:_WORDS_SHOWN]
        weights = ", ".join(f"{hit.text[w.start - hit.start : w.end - hit.start]} {w.weight:+.3f}" for w in best)
        yield make_printable(f"{indent}words: {weights}; title and remainder {reasons.remainder:+.3f}")
    if reasons.sentence:
        at = reasons.sentence
        sentence = " ".join(hit.text[at.start - hit.start : at.end - hit.start].split())
        yield make_printable(f"{indent}best sentence ({at.start}–{at.end}): {sentence}")


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


def _shade_words(hit: Hit, words: Sequence[TokenAttribution], width: int) -> Iterator[str]:
    import click

    most = max(word.weight for word in words)
    by_start = {word.start: word for word in words}
    plain = bool(os.environ.get("NO_COLOR"))
    line, length = "", 0
    for match in _WORD.finditer(hit.text):
        places = range(hit.start + match.start(), hit.start + match.end())
        own = next((by_start[at] for at in places if at in by_start), None)
        shade = None if own is None or plain or most <= 0 else _SHADES[max(0, min(4, round(4 * own.weight / most)))]
        text = make_printable(match[0])
        if length + 1 + len(text) > width and line:
            yield " " * _INDENT + line
            line, length = "", 0
        styled = text if shade is None else click.style(text, bg=shade, fg=231)
        line, length = (f"{line} {styled}", length + 1 + len(text)) if line else (styled, len(text))
    if line:
        yield " " * _INDENT + line
