"""XML: the words of its elements, a line each where elements hold elements, without the markup. Nothing is ever fetched.

Entities that a file declares can unfold without end, or name other files: the first declaration of one ends the reading. Those of
HTML are known where a file points to a DTD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.entities import html5
from itertools import chain, groupby
from typing import Final
from xml.parsers import expat

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item
from vecsearch.documents.loaders.outline import clean
from vecsearch.documents.loaders.page import html_text
from vecsearch.documents.loaders.raw import Raw, one
from vecsearch.documents.loaders.stated import stated_as
from vecsearch.documents.text import declared_charset, decode

_BLOCK: Final = 1_000_000  # characters given to the parser together
_DEPTH_MAX: Final = 1_000
_DROPPED: Final = frozenset(("style", "script"))
_SAYING: Final = ("title", "name", "text", "label", "caption", "alt", "summary", "description")  # attributes that hold words
_KEYS: Final = {
    "author": "author", "creator": "author", "created": "created", "published": "created", "pubdate": "created",
    "date": "created", "modified": "modified", "updated": "modified", "lastbuilddate": "modified", "language": "language",
    "lang": "language",
}  # fmt: skip
_ABOUT: Final = frozenset(("channel", "info", "metadata", "head", "titlestmt"))  # elements that speak of the whole file
_TITLE_DEPTH: Final = 5
_FEEDS: Final = frozenset(("rss", "feed", "rdf"))
_PAGES: Final = frozenset(("description", "encoded", "summary", "content"))  # of feeds, as HTML in one string
_EMPTY_LINES: Final = re.compile(r"\n\s*\n")
_GAPS: Final = re.compile(r"\n{3,}")


class _Row(str):
    """The attributes of an element that has nothing else."""

    __slots__ = ()


class _Lines(str):
    """Words that have lines of their own; any other string goes into the line around it."""

    __slots__ = ()


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    parts: list[str] = field(default_factory=list)
    has_words: bool = False
    has_elements: bool = False


def xml(raw: Raw) -> Iterator[Item]:
    """An XML file of any kind as one document. Raises UnreadableFile for what is not well-formed, or declares entities."""
    words = _Words()
    _parse(_text(raw), words)
    metadata = stated_as(words.about, _KEYS)
    return one(raw, _GAPS.sub("\n\n", clean(words.text)), words.title or words.name, metadata=metadata)


def _text(raw: Raw) -> str:
    with raw.open() as file:  # not raw.data, which would stay in memory beside the text
        data = file.read()
    return decode(data, declared=declared_charset(data))


def _parse(text: str, words: _Words) -> None:
    begin = len(text) - len(text.lstrip())  # a declaration may stand nowhere but at the start
    if begin == len(text):
        return
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.specified_attributes = True  # a DTD's defaults can unfold like entities
    parser.StartElementHandler, parser.EndElementHandler = words.start, words.end
    parser.CharacterDataHandler, parser.SkippedEntityHandler = words.add, words.skipped
    parser.EntityDeclHandler = _refuse
    try:
        for at in range(begin, len(text), _BLOCK):
            parser.Parse(text[at : at + _BLOCK], False)
        parser.Parse("", True)
    except expat.ExpatError as error:
        line = error.lineno + text.count("\n", 0, begin)
        raise UnreadableFile(f"not well-formed XML: {expat.ErrorString(error.code)} at line {line:,}") from error


def _refuse(*_: object) -> None:
    raise UnreadableFile("declares entities, which are never expanded")


class _Words:
    """What is read so far. Elements of words alone go into the line around them, others give lines."""

    def __init__(self) -> None:
        self.text = ""
        self.title: str | None = None
        self.name: str | None = None
        self.about: list[tuple[str, str]] = []
        self._open: list[_Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == _DEPTH_MAX:
            raise UnreadableFile(f"its elements are nested deeper than {_DEPTH_MAX:,} levels")
        if self._open:
            self._open[-1].has_elements = True
        elif language := attributes.get("xml:lang"):
            self.about.append(("lang", language))
        self._open.append(_Element(_local(name), attributes))

    def add(self, text: str) -> None:
        element = self._open[-1]
        element.parts.append(text)
        element.has_words = element.has_words or not text.isspace()

    def skipped(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self.add(html5.get(f"{name};", ""))

    def end(self, _: str) -> None:
        depth, element = len(self._open), self._open.pop()
        part = self._part(element)
        if part and not isinstance(part, _Lines):
            self._note(element.name, part, depth)
        if self._open:
            self._open[-1].parts.append(part)
        else:
            self.text = _own_lines(part)

    def _note(self, name: str, text: str, depth: int) -> None:
        """Titles, and what the elements near the root say of the file."""
        if name == "title" and depth <= _TITLE_DEPTH:
            self.title = self.title or _line(text) or None
        elif name == "name" and depth == 2:
            self.name = self.name or _line(text) or None
        elif name in _KEYS and (depth == 2 or (self._open and self._open[-1].name in _ABOUT)):
            self.about.append((name, _line(text)))

    def _part(self, element: _Element) -> str:
        if element.name in _DROPPED:
            return ""
        if element.has_words and not element.has_elements:
            return self._words_alone(element)
        if element.has_words:
            return _mixed(element.parts)
        return _blocks(element) if element.has_elements else self._row(element.attributes)

    def _words_alone(self, element: _Element) -> str:
        text = "".join(element.parts)
        if element.name in _PAGES and "<" in text and self._open and self._open[0].name in _FEEDS:
            return _Lines(html_text(text)[1])
        if element.attributes.get("xml:space") == "preserve":
            return _Lines(text.strip("\n"))
        return _Lines(_own_lines(text)) if _EMPTY_LINES.search(text.strip()) else text

    def _row(self, attributes: dict[str, str]) -> str:
        """In a drawing they are no words."""
        if self._open and self._open[0].name == "svg":
            return ""
        own = ((_local(name), value) for name, value in attributes.items() if not name.startswith(("xml", "xsi:")))
        return _Row("; ".join(f"{name}: {value}" for name, value in own if value.strip()))


def _mixed(parts: list[str]) -> str:
    """Words with elements among them: one line, but for elements of several lines."""
    said = [part for part in parts if not isinstance(part, _Row)]
    if not any(isinstance(part, _Lines) for part in said):
        return "".join(said)
    runs = groupby(said, lambda part: isinstance(part, _Lines))
    return _Lines("\n\n".join("\n\n".join(run) if has_lines else _own_lines("".join(run)) for has_lines, run in runs))


def _blocks(element: _Element) -> str:
    """Elements alone, each on lines of its own, apart when it has several."""
    said = [value for name in _SAYING if (value := element.attributes.get(name, "").strip())]
    blocks = [part for part in element.parts if not part.isspace() and part]
    if len(blocks) == 1 and not said:
        return blocks[0]
    pieces = (("", part, "") if isinstance(part, _Lines) else (_own_lines(part),) for part in blocks)
    return _Lines("\n".join(chain(said, chain.from_iterable(pieces))))


def _own_lines(part: str) -> str:
    """Words as the lines that they are in, or are parted into by empty ones."""
    return part if isinstance(part, _Lines) else "\n\n".join(filter(None, map(_line, _EMPTY_LINES.split(part))))


def _line(text: str) -> str:
    return " ".join(text.split())


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
