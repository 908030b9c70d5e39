"""A text as it grows, block by block, and the places in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.types import Draft, Item, Metadata, Place, Problem, Section
from vecsearch.documents.loaders.headings import HEADING_MAX
from vecsearch.documents.loaders.raw import Raw, trail
from vecsearch.documents.text import NoText

# the private range is what symbol fonts draw bullets with
_NO_TEXT: Final = re.compile("[\0-\x08\x0e-\x1f\x7f\ud800-\udfff\uf000-\uf0ff\ufffe\uffff]")
_LINE_END: Final = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class _Mark:
    """A section before the title is known, which its context leaves out."""

    start: int
    place: Place
    above: tuple[str, ...] = ()
    context: str = ""
    apart: bool = False
    level: int | None = None


@dataclass(slots=True)
class Outline:
    """Blocks of text, a blank line between two; `line` adds to the block before, as the items of a list do."""

    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _marks: list[_Mark] = field(default_factory=list)
    _place: Mapping[str, object] = field(default_factory=dict)
    _path: list[tuple[int, str]] = field(default_factory=list)
    _apart: tuple[bool, str] | None = None
    _after_heading: bool = False

    def apart(self, place: Place, context: str = "", *, within: bool = False) -> None:
        """What follows stands elsewhere: on a page, a slide, a sheet. `within` where the headings before still stand above it."""
        self._place, self._apart, self._after_heading = place, (True, context), False
        self._path = self._path if within else []

    def under(self, level: int, text: str) -> None:
        """What follows stands under a heading that is no part of the text."""
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, text))
        self._after_heading = True

    def heading(self, level: int, text: str) -> None:
        """A heading above what follows; a long one is a block like any other."""
        text = " ".join(clean(text).split())
        if not text or len(text) > HEADING_MAX:
            self.block(text)
            return
        self.under(level, text)
        above = tuple(name for _, name in self._path[:-1])
        self._mark(self._next(), above, level)
        self._add(text, "\n\n")

    def block(self, text: str) -> None:
        """A paragraph, or lines that belong together."""
        self._text(text, "\n\n")

    def line(self, text: str) -> None:
        """Another line of the block before."""
        self._text(text, "\n")

    def here(self, place: Place, context: str = "") -> None:
        """The next block begins a section at this place."""
        self._place, self._apart = place, self._apart or (False, context)

    @property
    def first_heading(self) -> str | None:
        """The text of the first heading."""
        return next((str(mark.place["heading"][-1]) for mark in self._marks if "heading" in mark.place), None)

    @property
    def text(self) -> str:
        """All so far."""
        return "".join(self._parts)

    def sections(self, title: str | None) -> Iterator[Section]:
        """Where what stands, from character 0 on."""
        if self._marks and self._marks[0].start:
            yield Section(0, {})
        for mark in self._marks:
            context = " › ".join(filter(None, (mark.context, trail(mark.above, title))))
            yield Section(mark.start, mark.place, context, mark.apart, mark.level)

    def _text(self, text: str, gap: str) -> None:
        text = clean(text)
        if not text.strip():
            return
        if self._apart or self._after_heading:
            gap = "\n\n"
            self._mark(self._next(), tuple(name for _, name in self._path), None)
        self._after_heading = False
        self._add(text, gap)

    def _next(self) -> int:
        return self._length + 2 if self._length else 0

    def _mark(self, start: int, above: tuple[str, ...], level: int | None) -> None:
        apart, context = self._apart or (False, self._marks[-1].context if self._marks else "")
        self._apart = None
        place = {**self._place, **({"heading": [name for _, name in self._path]} if self._path else {})}
        self._marks.append(_Mark(start, place, above, context, apart, level))

    def _add(self, text: str, gap: str) -> None:
        piece = (gap if self._length else "") + text
        self._parts.append(piece)
        self._length += len(piece)


def clean(text: str) -> str:
    """Line ends as they should be, no blanks at them, no character that no text has."""
    text = _NO_TEXT.sub("", _LINE_END.sub("\n", text.replace("\xad", "")))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def outlined(
    raw: Raw, outline: Outline, title: str | None, metadata: Metadata, problems: Iterable[Problem] = (), *, nothing: str
) -> Iterator[Item]:
    """The one document that was written. Raises NoText, saying `nothing`, where it is empty and no problem explains it."""
    problems = tuple(dict.fromkeys(problems))
    if not outline.text.strip() and not problems:
        raise NoText(nothing)
    yield from problems
    if outline.text.strip():
        title = " ".join(clean(title or "").split()) or None
        yield Draft(raw.name, outline.text, title, metadata, tuple(outline.sections(title)))
