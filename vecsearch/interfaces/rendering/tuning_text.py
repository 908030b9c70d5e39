"""What `tune` did, as lines: both numbers, and what became of it. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Final

from vecsearch.core.tuning import Gain, Tuning, TuningLevel
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_NAMES: Final = {False: ("documents asked for before", "new documents"), True: ("labels learned from", "new labels")}


def format_tuning(tuning: Tuning, collection: str | None) -> Iterator[str]:
    """Yield the lines of `tune`; `collection` is what -c was given, for the commands to type next."""
    if not tuning.questions:
        yield f"nothing changed: {tuning.reason}"
        return
    held_out = sum(part.questions for part in (tuning.asked_before, tuning.new_documents) if part is not None)
    yield f"{tuning.questions:,} questions · {held_out:,} for the proof · nDCG@10, mode {tuning.mode.value}"
    for name, part in zip(_NAMES[tuning.by_label], (tuning.asked_before, tuning.new_documents), strict=True):
        yield _format_part(name, part)
    if tuning.similarity_kept is not None and tuning.own_similarity_kept is not None:
        own = f"{tuning.own_similarity_kept:.3f} of the collection's texts"
        yield f"similarities as they were, as a correlation: {tuning.similarity_kept:.3f} of texts in general, {own}"
    yield from map(make_printable, _format_outcome(tuning, collection))


def _format_part(name: str, part: Gain | None) -> str:
    if part is None:
        return f"  {name:26}  too few questions"
    low, high = part.interval
    change = f"{part.gain:+.3f} [{low:+.3f}, {high:+.3f}]"
    return f"  {name:26}  {part.before:.3f} → {part.after:.3f}   {change}   {part.questions:,} questions"


def _format_outcome(tuning: Tuning, collection: str | None) -> Iterator[str]:
    """Yield whether it is kept, and what to type next."""
    took, chosen = f"{tuning.seconds:.0f} s", "" if collection is None else f" -c {quote(collection)}"
    if not tuning.kept:
        yield f"no gain, nothing changed: {tuning.reason} · {took}"
    elif tuning.dry_run:
        yield f"it would be kept: {tuning.reason} · nothing changed, as this was a dry run · {took}"
    elif tuning.level is TuningLevel.MAP:
        yield f"kept: {tuning.reason} · {took} · undo: vecsearch tune --drop{chosen}"
    elif tuning.reembedded:
        yield f"kept, and embedded with it: {tuning.reason} · {took} · {tuning.model}"
    else:
        yield f"kept: {tuning.reason} · {took}"
        yield f"to search with it: vecsearch reembed --model {quote(str(tuning.model))}{chosen}"
