"""reStructuredText, AsciiDoc and Org, unchanged: their titles and headings are found, and what they state. Includes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from string import punctuation
from typing import Final, TypeAlias

from vecsearch.core.parsed import LoaderItem
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.document_info import map_metadata
from vecsearch.documents.loaders.headings import HEADINGS_MAX, Heading, build_sections, find_first_heading
from vecsearch.documents.loaders.markdown import split_lines
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

Markup: TypeAlias = Sequence[tuple[re.Pattern[str], str]]

_HEADING_MAX: Final = 1_000  # characters looked at
_HEADER_MAX: Final = 4_000  # characters at the beginning that may state something
_KEYS: Final = {
    "author": "author", "authors": "author", "date": "created", "revdate": "modified", "lang": "language", "language": "language",
}  # fmt: skip

_FIELD: Final = re.compile(r"^:(\w+):[ \t]+(\S.*)$", re.MULTILINE)
_NO_TITLE: Final = re.compile(r"\s|[-+*•‣⁃](?:\s|$)|\.\.(?:\s|$)|:[^:\s][^:]*:(?:\s|$)|\||>>>")
_WORD: Final = re.compile(r"\w")
_RST_MARKUP: Final[Markup] = (
    (re.compile(r"``(.+?)``"), r"\1"),
    (re.compile(r"(?::[\w:+.-]+:)?`[~!]?([^`<]*?)(?:\s*<[^`>]*>)?`_{0,2}"), r"\1"),  # roles and links
    (re.compile(r"(\*\*?|\|)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"\\(.)"), r"\1"),
)

_SECTION: Final = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_BLOCK: Final = re.compile(r"(-{4,}|\.{4,}|={4,}|\*{4,}|\+{4,}|_{4,}|/{4,}|\|={3,})[ \t]*$|(```)")
_UNDERLINE_CHARACTERS: Final = "=-~^+"  # what underlines a title, by its level
_AUTHOR_LINE: Final = re.compile(r"[^\W\d_][\w.'’-]*(?: [\w.'’-]+){0,2}$")
_ADDRESS: Final = re.compile(r"<[^>]*>")
_ADOC_MARKUP: Final[Markup] = (
    (re.compile(r"\[\[[^\]]*\]\]|\[[#.][^\]]*\](?=[#*_`])"), ""),  # anchors and roles
    (re.compile(r"<<[^,>]*,([^>]*)>>|(?:link:|xref:|https?://)[^\s\[]*\[([^\]]*)\]"), r"\1\2"),
    (re.compile(r"(?<!\w)([*_`#]{1,2})(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
)

_KEYWORD: Final = re.compile(r"^#\+(\w+):[ \t]*(\S.*)$", re.MULTILINE)
_HEADLINE: Final = re.compile(r"(\*+)[ \t]+(\S.*)")
_DAY: Final = re.compile(r"[<\[](\d{4}-\d\d-\d\d)[^>\]]*[>\]]")
_ORG_MARKUP: Final[Markup] = (
    (re.compile(r"^(?:TODO|DONE)(?:\s+|$)"), ""),
    (re.compile(r"^\[#\w\]\s*"), ""),  # a priority
    (re.compile(r"(?:^|\s+):[\w@#%:]+:\s*$"), ""),  # tags
    (re.compile(r"\[\[(?:[^\]]*\]\[)?([^\]]*)\]\]"), r"\1"),
    (re.compile(r"(?<!\w)([*/_=~+])(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
)


def load_rst(raw: RawFile) -> Iterator[LoaderItem]:
    """Load reStructuredText: the first heading is the title; the fields at the beginning are metadata."""
    text = decode(raw.data)
    return _load_document(
        raw, text, list(islice(_find_rst_headings(text.split("\n")), HEADINGS_MAX + 1)), _FIELD.findall(text[:_HEADER_MAX])
    )


def load_asciidoc(raw: RawFile) -> Iterator[LoaderItem]:
    """Load AsciiDoc: the first heading is the title; the attributes and the author's line in the header are metadata."""
    text = decode(raw.data)
    headings = list(islice(_find_asciidoc_headings(text), HEADINGS_MAX + 1))
    return _load_document(raw, text, headings, [*_FIELD.findall(text[:_HEADER_MAX]), *_parse_author_line(text, headings)])


def load_org(raw: RawFile) -> Iterator[LoaderItem]:
    """Load Org: `#+TITLE` is the title, else the first headline; other keywords are metadata."""
    text = decode(raw.data)
    values = [(key.lower(), _DAY.sub(r"\1", value)) for key, value in _KEYWORD.findall(text)]
    return _load_document(
        raw, text, list(islice(_find_org_headings(text), HEADINGS_MAX + 1)), values, dict(reversed(values)).get("title")
    )


def _load_document(
    raw: RawFile, text: str, headings: Sequence[Heading], values: Iterable[tuple[str, str]], title: str | None = None
) -> Iterator[LoaderItem]:
    title = normalize_title(title) or find_first_heading(headings)
    return emit_document(
        raw, text, title, metadata=map_metadata(values, _KEYS), sections=build_sections(text, headings, title, with_lines=True)
    )


def _strip_markup(heading: str, markup: Markup) -> str:
    heading = heading[:_HEADING_MAX].strip()
    for pattern, replacement in markup:
        heading = pattern.sub(replacement, heading)
    return " ".join(heading.split())


def _find_rst_headings(lines: Sequence[str]) -> Iterator[Heading]:
    """Yield the titles of reStructuredText: underlined, or between two equal lines; levels go by the order of the kinds."""
    levels: dict[tuple[str, bool], int] = {}
    at, start, free = 0, 0, True  # free: a title may begin here, not only go on with a paragraph
    while at < len(lines):
        height = _count_title_lines(lines[at : at + 3]) if free else 0
        end = start + sum(map(len, lines[at : at + (height or 1)])) + max(0, height - 1)
        if height:
            level = levels.setdefault((lines[at + height - 1][0], height == 3), len(levels) + 1)
            yield Heading(start, end, level, _strip_markup(lines[at + height - 2], _RST_MARKUP))
        else:
            free = not lines[at].strip() or lines[at].startswith(".. ")
        at, start = at + (height or 1), end + 1


def _count_title_lines(lines: Sequence[str]) -> int:
    """Return how many of these lines are a title and its adornment, 0 for none."""
    first, second, third = (line.rstrip() for line in [*lines, "", ""][:3])
    if _is_adornment(first):
        return 3 if third == first and _WORD.search(second) else 0
    if not _is_adornment(second) or _NO_TITLE.match(first) or not _WORD.search(first):
        return 0
    return 2 if len(second) >= min(4, len(first)) else 0


def _is_adornment(line: str) -> bool:
    return len(line) > 1 and line[0] in punctuation and line == line[0] * len(line)


def _find_asciidoc_headings(text: str) -> Iterator[Heading]:
    """Yield the titles of AsciiDoc outside delimited blocks."""
    closing, above = "", 0
    before, blank = "", True  # the line above, where a title may begin on it, and whether there is none above that
    for place, line in split_lines(text):
        end, text_line = place + len(line), ""
        if closing:
            closing = "" if line.rstrip() == closing else closing
        elif match := _SECTION.match(line):
            yield Heading(place, end, len(match[1]), _strip_markup(match[2].rstrip().removesuffix(f" {match[1]}"), _ADOC_MARKUP))
        elif blank and (level := _get_two_line_level(before, line)):
            yield Heading(above, end, level, _strip_markup(before, _ADOC_MARKUP))
        elif block := _BLOCK.match(line):
            closing = block[1] or block[2]
        else:
            text_line = line
        blank, above, before = not before.strip(), place, text_line


def _find_org_headings(text: str) -> Iterator[Heading]:
    for place, line in split_lines(text):
        if match := _HEADLINE.match(line):
            yield Heading(place, place + len(line), len(match[1]), _strip_markup(match[2], _ORG_MARKUP))


def _get_two_line_level(title: str, underline: str) -> int:
    """Return the level of a title of two lines, 0 where they are none: the lines are of about one length."""
    title, underline = title.rstrip(), underline.rstrip()
    fits = len(underline) > 1 and abs(len(title) - len(underline)) < 2 and underline == underline[0] * len(underline)
    return _UNDERLINE_CHARACTERS.find(underline[0]) + 1 if fits and _WORD.match(title) else 0


def _parse_author_line(text: str, headings: Sequence[Heading]) -> Iterator[tuple[str, str]]:
    """Yield the names on the line below the document's title."""
    if headings and headings[0].level == 1:
        line = text[headings[0].end + 1 :].partition("\n")[0]
        names = [_ADDRESS.sub("", name).strip() for name in line[:_HEADING_MAX].split(";")]
        if all(map(_AUTHOR_LINE.match, names)):
            yield ("author", ", ".join(names))
