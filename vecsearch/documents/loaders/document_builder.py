"""A text as it grows, block by block, and the places in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning, Section
from vecsearch.core.types import Location, Metadata
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders.headings import HEADING_MAX
from vecsearch.documents.loaders.raw_file import RawFile, join_headings

# the private range is what symbol fonts draw bullets with
_NO_TEXT: Final = re.compile("[\0-\x08\x0e-\x1f\x7f\ud800-\udfff\uf000-\uf0ff\ufffe\uffff]")
_LINE_END: Final = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class _SectionMark:
    """A section before the title is known, which its context leaves out."""

    start: int
    location: Location
    headings_above: tuple[str, ...] = ()
    context: str = ""
    hard_boundary: bool = False
    split_priority: int | None = None


@dataclass(slots=True)
class DocumentBuilder:
    """Blocks of text, a blank line between two; `line` adds to the block before, as the items of a list do."""

    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _marks: list[_SectionMark] = field(default_factory=list)
    _location: Mapping[str, object] = field(default_factory=dict)
    _heading_path: list[tuple[int, str]] = field(default_factory=list)
    _pending_boundary: tuple[bool, str] | None = None
    _after_heading: bool = False

    def start_part(self, location: Location, context: str = "", *, keep_headings: bool = False) -> None:
        """Begin a part that no chunk shares with the one before: a page, a slide, a sheet.

        `keep_headings` where the headings before still stand above it.
        """
        self._location, self._pending_boundary, self._after_heading = location, (True, context), False
        self._heading_path = self._heading_path if keep_headings else []

    def under_heading(self, level: int, text: str) -> None:
        """Put what follows under a heading that is no part of the text."""
        while self._heading_path and self._heading_path[-1][0] >= level:
            self._heading_path.pop()
        self._heading_path.append((level, text))
        self._after_heading = True

    def add_heading(self, level: int, text: str) -> None:
        """Add a heading above what follows; a long one is a block like any other."""
        text = " ".join(clean(text).split())
        if not text or len(text) > HEADING_MAX:
            self.add_block(text)
            return
        self.under_heading(level, text)
        above = tuple(name for _, name in self._heading_path[:-1])
        self._add_mark(self._get_next_start("\n\n"), above, level)
        self._add(text, "\n\n")

    def add_block(self, text: str) -> None:
        """Add a paragraph, or lines that belong together."""
        self._append_text(text, "\n\n")

    def add_line(self, text: str) -> None:
        """Add another line to the block before."""
        self._append_text(text, "\n")

    def add_document(self, document: ParsedDocument) -> None:
        """Add the text of a document that stands inside this one, under its own headings."""
        ends = [section.start for section in document.sections[1:]]
        for section, end in zip(document.sections or (Section(0, {}),), [*ends, len(document.text)], strict=True):
            text = document.text[section.start : end]
            path = section.location.get("heading")
            if isinstance(path, list) and section.split_priority is not None:
                self.add_heading(section.split_priority, str(path[-1]))
                text = text.partition("\n")[2]
            self.add_block(text)

    def at(self, location: Location, context: str = "") -> None:
        """Begin a section at this location with the next block."""
        self._location, self._pending_boundary = location, self._pending_boundary or (False, context)

    @property
    def first_heading(self) -> str | None:
        """Return the text of the first heading."""
        return next((str(mark.location["heading"][-1]) for mark in self._marks if "heading" in mark.location), None)

    @property
    def text(self) -> str:
        """Return all the text so far."""
        return "".join(self._parts)

    def build_sections(self, title: str | None) -> Iterator[Section]:
        """Yield the sections, from character 0 on."""
        if self._marks and self._marks[0].start:
            yield Section(0, {})
        for mark in self._marks:
            context = " › ".join(filter(None, (mark.context, join_headings(mark.headings_above, title))))
            yield Section(mark.start, mark.location, context, mark.hard_boundary, mark.split_priority)

    def _append_text(self, text: str, gap: str) -> None:
        text = clean(text)
        if not text.strip():
            return
        if self._pending_boundary or self._after_heading:
            gap = "\n\n" if self._after_heading or (self._pending_boundary and self._pending_boundary[0]) else gap
            self._add_mark(self._get_next_start(gap), tuple(name for _, name in self._heading_path), None)
        self._after_heading = False
        self._add(text, gap)

    def _get_next_start(self, gap: str) -> int:
        return self._length + len(gap) if self._length else 0

    def _add_mark(self, start: int, headings_above: tuple[str, ...], level: int | None) -> None:
        apart, context = self._pending_boundary or (False, self._marks[-1].context if self._marks else "")
        self._pending_boundary = None
        place = {**self._location, **({"heading": [name for _, name in self._heading_path]} if self._heading_path else {})}
        self._marks.append(_SectionMark(start, place, headings_above, context, apart, level))

    def _add(self, text: str, gap: str) -> None:
        piece = (gap if self._length else "") + text
        self._parts.append(piece)
        self._length += len(piece)


def clean(text: str) -> str:
    """Return a text with plain line ends, no blanks before them, and no character that no text has."""
    text = _NO_TEXT.sub("", _LINE_END.sub("\n", text.replace("\xad", "")))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def finish_document(
    raw: RawFile,
    builder: DocumentBuilder,
    title: str | None,
    metadata: Metadata,
    problems: Iterable[ParseWarning] = (),
    *,
    empty_message: str,
) -> Iterator[LoaderItem]:
    """Yield the one document that was written.

    Raises EmptyFileError, saying `empty_message`, where it is empty and no problem explains it.
    """
    problems = tuple(dict.fromkeys(problems))
    if not builder.text.strip() and not problems:
        raise EmptyFileError(empty_message)
    yield from problems
    if builder.text.strip():
        title = " ".join(clean(title or "").split()) or None
        yield ParsedDocument(raw.name, builder.text, title, metadata, tuple(builder.build_sections(title)))
