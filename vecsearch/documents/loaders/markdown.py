"""Markdown, unchanged: its title, headings and tables are found, and what its front matter states. Nothing is rendered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain, islice, pairwise
from typing import Final

from vecsearch.core.parsed import LoaderItem
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.document_info import map_metadata
from vecsearch.documents.loaders.headings import HEADINGS_MAX, Heading, Table, build_sections, find_first_heading
from vecsearch.documents.loaders.markdown_headings import Line, find_html_headings, strip_markup
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

_FRONT_MATTER: Final = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FRONT_VALUE: Final = re.compile(r"^(\w+)[ \t]*[:=][ \t]*(\S.*)$", re.MULTILINE)
_FRONT_KEYS: Final = {
    "author": "author", "date": "created", "created": "created", "lastmod": "modified", "modified": "modified",
    "updated": "modified", "lang": "language", "language": "language",
}  # fmt: skip
_FENCE: Final = re.compile(r" {0,3}(`{3,}+(?!.*`)|~{3,})")
_COMMENT: Final = re.compile(r" {0,3}<!--(?!.*-->)")
_ATX: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_ATX_END: Final = re.compile(r"[ \t]#+[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_PARAGRAPH: Final = re.compile(r"( {4}|\t| {0,3}([>|#<]|[-+*][ \t]|\d+[.)][ \t]|[-*_=]{3,}[ \t]*$))")
_RULE_CELL: Final = re.compile(r"[ \t]*:?-+:?[ \t]*$")
_PIPE: Final = re.compile(r"(?<!\\)\|")


def load_markdown(raw: RawFile) -> Iterator[LoaderItem]:
    """Return the text unchanged; `title` of the front matter is its title, else the first heading outside code."""
    text = decode(raw.data)
    front = _FRONT_MATTER.match(text)
    values = [(key.lower(), _unquote_value(value)) for key, value in _FRONT_VALUE.findall(front[2])] if front else []
    start = front.end() if front else 0
    found = merge(_find_headings(_mask_code(text, start)), find_html_headings(_mask_code(text, start)))
    headings = list(islice(_drop_overlaps(found), HEADINGS_MAX + 1))
    tables = list(islice(_find_tables(_mask_code(text, start)), HEADINGS_MAX + 1))
    title = normalize_title(dict(reversed(values)).get("title")) or find_first_heading(headings)
    sections = build_sections(text, headings, title, tables, with_lines=True)
    return emit_document(raw, text, title, metadata=map_metadata(values, _FRONT_KEYS), sections=sections)


def split_lines(text: str, start: int = 0) -> Iterator[Line]:
    """Yield the lines of a text from one that starts at a place, without their ends."""
    for line in text[start:].split("\n"):
        yield start, line
        start += len(line) + 1


def _mask_code(text: str, start: int) -> Iterator[Line]:
    """Yield the lines; those of code and comments empty."""
    fence, comment = "", False
    for place, line in split_lines(text, start):
        opening = None if comment else _FENCE.match(line)
        hidden = bool(fence or comment or opening)
        if fence:
            if opening and opening[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opening:
            fence = opening[1]
        elif comment or _COMMENT.match(line):
            hidden, comment = True, "-->" not in line
        yield place, "" if hidden else line


def _find_headings(prose: Iterable[Line]) -> Iterator[Heading]:
    for (above, before), (place, line) in pairwise(chain([(0, "")], prose)):
        if heading := _ATX.match(line):
            yield Heading(place, place + len(line), len(heading[1]), strip_markup(_ATX_END.sub("", f" {heading[2]}")))
        elif before.strip() and (underline := _UNDERLINE.match(line)) and not _NO_PARAGRAPH.match(before):
            yield Heading(above, place + len(line), 1 if underline[1][0] == "=" else 2, strip_markup(before))


def _drop_overlaps(headings: Iterable[Heading]) -> Iterator[Heading]:
    """Yield the headings but for those inside the one before."""
    end = 0
    for heading in headings:
        if heading.start >= end:
            yield heading
            end = heading.end


def _find_tables(prose: Iterable[Line]) -> Iterator[Table]:
    """Yield the rows below a header and its rule, up to a line without a pipe."""
    start, end, header = 0, 0, ""
    for (_, before), (place, line) in pairwise(chain(prose, [(0, "")])):
        if header and "|" in line and not _ATX.match(line):
            start, end = start or place, place + len(line)
        elif header:
            if start:
                yield Table(start, end, header)
            start, header = 0, ""
        elif _is_rule(line) and "|" in before and _count_columns(before) == _count_columns(line):
            header = before


def _is_rule(line: str) -> bool:
    return "|" in line and "-" in line and all(map(_RULE_CELL.match, _PIPE.split(line.strip().strip("|"))))


def _count_columns(line: str) -> int:
    return len(_PIPE.findall(line.strip().strip("|")))


def _unquote_value(value: str) -> str:
    """Return a one-line YAML or TOML value; empty for a block, which begins on the next line."""
    value = value.strip()
    if value[:1] in ("'", '"'):
        quoted = re.match(r"""(['"])(.*?)(?<!\\)\1""", value)
        return quoted[2].strip() if quoted else ""
    return "" if value[:1] in ("|", ">", "[", "{") else re.sub(r"\s+#.*$", "", value)
