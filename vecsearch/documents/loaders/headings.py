"""Headings and tables, found in a text, to sections: what stands above each stretch of it. Finds none itself, changes no text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from vecsearch.core.parsed import Section
from vecsearch.core.types import JSON
from vecsearch.documents.loaders.raw_file import join_headings

HEADINGS_MAX: Final = 100_000  # a file with more is data in the form of headings, and has no outline
HEADING_MAX: Final = 300  # characters: what is longer is set like a heading, and is none
_HEADER_MAX: Final = 300  # characters of a table's header that stand above its rows
_BLANKS: Final = re.compile(r"(?:[^\S\n]*\n)*")


class Heading(NamedTuple):
    """A heading on the characters [start, end) of a text; level 1 is the outermost, `text` is without markup."""

    start: int
    end: int
    level: int
    text: str


class Table(NamedTuple):
    """The rows of a table on the characters [start, end) of a text, which the header is no part of."""

    start: int
    end: int
    header: str


# from here on: the path of headings, what of it stands above, how good a cut
_HeadingChange: TypeAlias = tuple[list[str], str, int | None]


def build_sections(
    text: str,
    headings: Sequence[tuple[int, int, int, str]],
    title: str | None,
    tables: Sequence[tuple[int, int, str]] = (),
    *,
    with_lines: bool = False,
) -> tuple[Section, ...]:
    """Return the sections of a text. Headings and tables ascend and lie within it; a heading without text, or too long, is
    passed over.

    `with_lines` where the lines of the text are those of the file. None where there is nothing to say.
    """
    if len(headings) + len(tables) > HEADINGS_MAX:
        headings, tables = (), ()
    turns, headers = dict(_find_heading_changes(text, headings, title)), dict(_find_headers(text, tables))
    if not (turns or headers or with_lines):
        return ()
    path: list[str] = []
    above, header, line, last = "", "", 1, 0
    sections = []
    for start in sorted({0, *turns, *headers}):
        path, above, level = turns.get(start, (path, above, None))
        header = headers.get(start, header)
        line, last = line + text.count("\n", last, start), start
        place: dict[str, JSON] = ({"heading": path} if path else {}) | ({"lines": line} if with_lines else {})
        at_line_start = start == 0 or text[start - 1] == "\n"
        sections.append(
            Section(start, place, "\n".join(filter(None, (above, header))), split_priority=level if at_line_start else None)
        )
    return tuple(sections)


def find_first_heading(headings: Sequence[tuple[int, int, int, str]]) -> str | None:
    """Return the text of the first heading that has any."""
    return next((text for *_, text in headings if text), None)


def _find_heading_changes(
    text: str, headings: Sequence[tuple[int, int, int, str]], title: str | None
) -> Iterator[tuple[int, _HeadingChange]]:
    """Yield where a heading begins, and where the text below it does unless that is the next heading."""
    levels: list[int] = []
    path: list[str] = []
    body: tuple[int, _HeadingChange] | None = None
    for start, end, level, name in headings:
        if not name or len(name) > HEADING_MAX:
            continue
        if body and body[0] < start:
            yield body
        while levels and levels[-1] >= level:
            levels.pop()
        above = join_headings(path[: len(levels)], title)
        path = [*path[: len(levels)], name]
        levels.append(level)
        yield start, (path, above, level)
        after = _find_text_below(text, end)
        body = (after, (path, join_headings(path, title), None)) if after is not None else None
    if body:
        yield body


def _find_headers(text: str, tables: Sequence[tuple[int, int, str]]) -> Iterator[tuple[int, str]]:
    for start, end, header in tables:
        yield start, _shorten_header(header)
        after = _find_text_below(text, end)
        if after is not None:
            yield after, ""


def _shorten_header(header: str) -> str:
    """Return a header in a few words: the white space that lays it out collapsed."""
    header = "\n".join(" ".join(line.split()) for line in header.split("\n"))
    return header if len(header) <= _HEADER_MAX else f"{header[: _HEADER_MAX - 1].rstrip()}…"


def _find_text_below(text: str, end: int) -> int | None:
    """Return where the text after the line that ends at a place goes on: past its end and empty lines.

    None at the end of the text.
    """
    blanks = _BLANKS.match(text, end)
    return blanks.end() if blanks and text[blanks.end() : blanks.end() + 1] else None
