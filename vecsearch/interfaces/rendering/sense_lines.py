"""The groups in which a word is used, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vecsearch.core.results import Hit
from vecsearch.core.senses import Sense, WordSenses
from vecsearch.core.types import format_count
from vecsearch.interfaces.rendering.hit_links import get_handle
from vecsearch.interfaces.rendering.terminal import Style, Terminal, measure_cells, wrap_indented
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_INDENT: Final = 4
_AROUND: Final = 60  # characters of a passage that are shown on either side of the word


def format_senses(found: WordSenses, terminal: Terminal) -> Iterator[str]:
    """Yield `number  size  definition` of each group, then two lines with the word in them; last, how many passages were read."""
    for number, group in enumerate(found, 1):
        lead = f"{number}  {format_count(group.size, 'passage')}"
        meaning = "" if group.sense is None else f"  {_format_sense(group.sense)}"
        yield from wrap_indented(make_printable(lead + meaning), terminal.width, 0)
        for hit in group.hits:
            yield _format_use(hit, terminal)
    if found and found.read < found.passages:
        yield f"{found.read:,} of {format_count(found.passages, 'passage')} with the word were read"


def _format_sense(sense: Sense) -> str:
    return f"{', '.join(sense.words)} ({sense.part_of_speech}): {sense.definition}"


def _format_use(hit: Hit, terminal: Terminal) -> str:
    """Return the word in its context, and where that stands."""
    assert hit.word is not None
    handle = get_handle(hit)
    name = make_printable(handle.name + handle.place)
    room = max(20, terminal.width - _INDENT - measure_cells(name) - 2)
    start, end = hit.word.start - hit.start, hit.word.end - hit.start
    around = max(0, min(_AROUND, (room - (end - start)) // 2 - 1))
    before, after = hit.text[max(0, start - around) : start], hit.text[end : end + around]
    before = ("…" if start > around else "") + before
    after += "…" if end + around < len(hit.text) else ""
    word = terminal.style(make_printable(hit.text[start:end]), Style.MATCH)
    return " " * _INDENT + terminal.style(name, Style.PATH) + "  " + _flatten(before) + word + _flatten(after)


def _flatten(text: str) -> str:
    return make_printable("".join(" " if char.isspace() else char for char in text))
