"""Marked text made readable in a terminal: no badges, no marks of Markdown, no runs of signs, white space as single blanks.

Which characters are marked, as those that match a query, goes with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from vecsearch.core.types import Span

_MARKDOWN_SUFFIXES: Final = frozenset(".md .markdown .mdown .mkd .mdx .qmd .rmd .ipynb".split())
_RST_SUFFIXES: Final = frozenset((".rst", ".rest"))
_ANYWHERE: Final = (  # each is replaced by its group `kept`, by nothing where it has none
    re.compile(r"\[!\[[^\]\n]*\]\([^)\n]*\)\]\([^)\n]*\)"),  # a badge: an image that is a link
    re.compile(r"!\[[^\]\n]*\](?:\([^)\n]*\)|\[[^\]\n]*\])"),
    re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL),
    re.compile(r"[-=~*_#+^\"'`.|:·]{4,}"),  # rules, underlines of headings, leaders
)
_MARKDOWN: Final = (
    re.compile(r"^\s*(?:```|~~~)[\w+-]*\s*$", re.MULTILINE),
    re.compile(r"^\s{0,3}(?:#{1,6}(?=\s)|>\s?(?:>\s?)*)", re.MULTILINE),
    re.compile(r"(?<=\s)#+\s*$", re.MULTILINE),
    re.compile(r"^[\s|]*(?::?-{2,}:?[\s|]*)+$", re.MULTILINE),  # under the head of a table
    re.compile(r"(?<!!)\[(?P<kept>[^\]\n]+)\](?:\([^)\n]*\)|\[[^\]\n]*\])"),
    re.compile(r"<(?P<kept>(?:https?://|mailto:)[^>\s]+)>"),
    re.compile(r"</?[a-zA-Z][^<>\n]*>"),
    re.compile(r"(?<!\w)(?P<sign>\*{1,3}|_{1,3})(?=\S)(?P<kept>[^*_\n]+?)(?<=\S)(?P=sign)(?!\w)"),
    re.compile(r"(?P<sign>`{1,2})(?P<kept>[^`\n]+)(?P=sign)"),
    re.compile(r"^\s*\||\|\s*$", re.MULTILINE),
)
_RST: Final = (
    re.compile(r"^\s*\.\. (?:image|figure|\|[^|\n]+\| image|_[^:\n]+):.*$", re.MULTILINE),
    re.compile(r"^\s*:(?:target|alt|width|height|align|scale|name|class):.*$", re.MULTILINE),
    re.compile(r":[a-z:]+:`(?P<kept>[^`<\n]+?)(?:\s*<[^>\n]*>)?`"),
    re.compile(r"`(?P<kept>[^`<\n]+?)\s*<[^>\n]*>`__?"),
    re.compile(r"(?P<sign>\*{1,2}|``)(?=\S)(?P<kept>[^*`\n]+?)(?<=\S)(?P=sign)"),
)
_BLANKS: Final = re.compile(r"\s+")
_UNTITLED: Final = frozenset(("unknown", "untitled", "title", "no title"))


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text, and for each of its characters whether it is marked: 1 or 0."""

    text: str
    marks: bytes

    @classmethod
    def mark(cls, text: str, spans: Iterable[Span]) -> MarkedText:
        """Mark these characters of a text."""
        marks = bytearray(len(text))
        for span in spans:
            marks[span.start : span.end] = b"\1" * (span.end - span.start)
        return cls(text, bytes(marks))

    def __getitem__(self, part: slice) -> MarkedText:
        """Return a part of it."""
        return MarkedText(self.text[part], self.marks[part])

    def remove(self, pattern: re.Pattern[str], instead: str = "") -> MarkedText:
        """Return it with each match replaced by its group `kept`, or by an unmarked text."""
        texts, marks, last = [], [], 0
        for match in pattern.finditer(self.text):
            start, end = match.span("kept") if "kept" in pattern.groupindex else (match.start(), match.start())
            texts += [self.text[last : match.start()], self.text[start:end], instead]
            marks += [self.marks[last : match.start()], self.marks[start:end], bytes(len(instead))]
            last = match.end()
        if not last:
            return self
        return MarkedText("".join([*texts, self.text[last:]]), b"".join([*marks, self.marks[last:]]))


def clean_text(text: MarkedText, source: str | None) -> MarkedText:
    """Return a text as it is read: one line, without the marks of the language that its source is written in."""
    for pattern in (*_ANYWHERE, *_get_patterns(source)):
        text = text.remove(pattern)
    text = text.remove(_BLANKS, " ")
    start = len(text.text) - len(text.text.lstrip())
    return text[start : len(text.text.rstrip())]


def clean_title(title: str | None) -> str:
    """Return a title as it is read; nothing for one that a program has put where there was none."""
    cleaned = MarkedText.mark(title or "", ())
    for pattern in (*_ANYWHERE, *_MARKDOWN):
        cleaned = cleaned.remove(pattern)
    name = " ".join(cleaned.text.split())
    return "" if name.casefold() in _UNTITLED else name


def _get_patterns(source: str | None) -> tuple[re.Pattern[str], ...]:
    suffix = PurePath(source).suffix.lower() if source else ""
    return _MARKDOWN if suffix in _MARKDOWN_SUFFIXES else _RST if suffix in _RST_SUFFIXES else ()
