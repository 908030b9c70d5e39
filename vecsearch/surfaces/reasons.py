"""Reasons for people: the text of a hit shaded by what its words bring, and the figures below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

from vecsearch.core.answers import Hit, Plan, Reasons, Share
from vecsearch.core.types import plural
from vecsearch.surfaces.safe import printable

_SHADES: Final = (None, 22, 28, 34, 40)  # greens of the 256-colour palette, from nothing to bright
_WORDS_SHOWN: Final = 8
_INDENT: Final = 8
_WORD: Final = re.compile(r"\S+")


def reason_lines(hit: Hit, width: int) -> Iterator[str]:
    """The whole chunk, its words shaded where the terminal can; ranks and scores; the words and the sentence that count most."""
    reasons = hit.reasons
    assert reasons is not None
    words = word_shares(hit, reasons.shares)
    if words:
        yield from _shaded(hit, words, width - _INDENT)
    indent = " " * _INDENT
    yield indent + " · ".join(_part(side, reasons) for side in reasons.parts)
    if words:
        best = sorted(words, key=lambda each: -each.share)[:_WORDS_SHOWN]
        said = ", ".join(f"{hit.text[w.start - hit.start : w.end - hit.start]} {w.share:+.3f}" for w in best)
        yield printable(f"{indent}words: {said}; title and the rest {reasons.rest:+.3f}")
    if reasons.sentence:
        at = reasons.sentence
        sentence = " ".join(hit.text[at.start - hit.start : at.end - hit.start].split())
        yield printable(f"{indent}best sentence ({at.start}–{at.end}): {sentence}")


def _part(side: str, reasons: Reasons) -> str:
    part = reasons.parts[side]
    return f"{side} {part.score:.3f} ({'no candidate' if part.rank is None else f'rank {part.rank}'})"


def plan_line(plan: Plan) -> str:
    """How the answer was found, and how long each stage took."""
    bound = "" if plan.min_score is None else f" · least similarity {plan.min_score:.3f}"
    stages = ", ".join(f"{stage} {took:.1f}" for stage, took in plan.stages.items())
    of = "" if plan.matching == plan.chunks else f"{plan.matching:,} of "
    looked = f"vectors: {plan.access} · {plural(plan.candidates, 'candidate')}{bound}"
    return f"plan: {of}{plural(plan.chunks, 'chunk')} · {looked} · ms: {stages}"


def word_shares(hit: Hit, shares: Sequence[Share]) -> list[Share]:
    """The shares of a hit's tokens added up to those of its words, between white space."""
    found = []
    for match in _WORD.finditer(hit.text):
        start, end = hit.start + match.start(), hit.start + match.end()
        own = [each.share for each in shares if start <= each.start < end]
        if own:
            found.append(Share(start, end, sum(own)))
    for at, word in enumerate(found):  # without the marks around it
        text = hit.text[word.start - hit.start : word.end - hit.start]
        bare = text.strip(".,;:!?()[]{}\"'“”‘’«»…*_`#")
        if bare:
            start = word.start + text.index(bare)
            found[at] = Share(start, start + len(bare), word.share)
    return found


def _shaded(hit: Hit, words: Sequence[Share], width: int) -> Iterator[str]:
    import click

    most = max(each.share for each in words)
    by_start = {each.start: each for each in words}
    plain = bool(os.environ.get("NO_COLOR"))
    line, length = "", 0
    for match in _WORD.finditer(hit.text):
        places = range(hit.start + match.start(), hit.start + match.end())
        own = next((by_start[at] for at in places if at in by_start), None)
        shade = None if own is None or plain or most <= 0 else _SHADES[max(0, min(4, round(4 * own.share / most)))]
        word = printable(match[0])
        if length + 1 + len(word) > width and line:
            yield " " * _INDENT + line
            line, length = "", 0
        styled = word if shade is None else click.style(word, bg=shade, fg=231)
        line, length = (f"{line} {styled}", length + 1 + len(word)) if line else (styled, len(word))
    if line:
        yield " " * _INDENT + line
