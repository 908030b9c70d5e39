"""XML: the words of its elements, a line each where elements hold elements, without the markup. Nothing is ever fetched.

A file that is not well-formed, or that has entities of its own, which can unfold without end or name other files, is read as far
as it is clear (`xml_recovery`), and its faults are said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.entities import html5
from itertools import chain, groupby
from typing import Final
from xml.parsers import expat

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.decoding import decode, find_declared_charset
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.document_info import map_metadata
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.raw_file import RawFile, emit_document
from vecsearch.documents.loaders.xml_recovery import XmlRecovery

_BLOCK: Final = 1_000_000  # characters given to the parser together
_DEPTH_MAX: Final = 1_000
_LF: Final = "\n"
_UNDEFINED_ENTITY: Final = 11  # the parser's code
_ATTRIBUTE_ENTITY: Final = re.compile(
    r"=\s{0,9}(?:\"[^\"<]*&(?!#|amp;|lt;|gt;|quot;|apos;)|'[^'<]*&(?!#|amp;|lt;|gt;|quot;|apos;))"
)
_DROPPED_ELEMENTS: Final = frozenset(("style", "script"))
_TEXT_ATTRIBUTES: Final = (
    "title",
    "name",
    "text",
    "label",
    "caption",
    "alt",
    "summary",
    "description",
)  # attributes that hold words
_KEYS: Final = {
    "author": "author", "creator": "author", "created": "created", "published": "created", "pubdate": "created",
    "date": "created", "modified": "modified", "updated": "modified", "lastbuilddate": "modified", "language": "language",
    "lang": "language",
}  # fmt: skip
_METADATA_ELEMENTS: Final = frozenset(
    ("channel", "info", "metadata", "head", "titlestmt")
)  # elements that speak of the whole file
_TITLE_DEPTH: Final = 5
_FEEDS: Final = frozenset(("rss", "feed", "rdf"))
_HTML_ELEMENTS: Final = frozenset(("description", "encoded", "summary", "content"))  # of feeds, as HTML in one string
_EMPTY_LINES: Final = re.compile(r"\n\s*\n")
_GAPS: Final = re.compile(r"\n{3,}")


class _AttributeText(str):
    """The attributes of an element that has nothing else."""

    __slots__ = ()


class _MultilineText(str):
    """Words that have lines of their own; any other string goes into the line around it."""

    __slots__ = ()


@dataclass(slots=True)
class _XmlElement:
    name: str
    attributes: dict[str, str]
    parts: list[str] = field(default_factory=list)
    has_words: bool = False
    has_elements: bool = False


class _EntityError(Exception):
    """A file declares entities of its own."""


def load_xml(raw: RawFile) -> Iterator[LoaderItem]:
    """Return an XML file of any kind as one document, and what is wrong with it.

    Raises UnreadableFileError for what is not well-formed and has no words in elements.
    """
    text = _read_text(raw)
    words, problems = _read_words(text)
    clean_text, title = _GAPS.sub("\n\n", clean(words.text)), words.title or words.name
    if problems and not (clean_text.strip() or title):
        raise UnreadableFileError(problems[0])
    yield from map(ParseWarning, problems)
    yield from emit_document(raw, clean_text, title, metadata=map_metadata(words.file_metadata, _KEYS))


def _read_text(raw: RawFile) -> str:
    with raw.open() as file:  # not raw.data, which would stay in memory beside the text
        data = file.read()
    return decode(data, declared=find_declared_charset(data))


def _read_words(text: str) -> tuple[_XmlTextBuilder, list[str]]:
    """Return the words of a file, and what is wrong with it."""
    begin = len(text) - len(text.lstrip())  # a declaration may stand nowhere but at the start
    builder = _XmlTextBuilder()
    fault = None
    try:
        _parse(text, begin, builder)
        return builder, []
    except _EntityError:
        pass
    except expat.ExpatError as error:
        if error.code != _UNDEFINED_ENTITY:
            fault = f"not well-formed XML: {expat.ErrorString(error.code)} at line {error.lineno + text.count(_LF, 0, begin):,}"
    builder = _XmlTextBuilder()
    recovery = XmlRecovery(builder)
    place = recovery.read(text)
    if recovery.unclosed:
        builder = _XmlTextBuilder()
        XmlRecovery(builder, frozenset(recovery.unclosed)).read(text)
    if not recovery.elements:
        raise UnreadableFileError(fault or "not well-formed XML: no element found")
    if fault is None and place is not None:
        fault = f"not well-formed XML at line {1 + text.count(_LF, 0, place):,}"
    return builder, [*filter(None, [fault]), *recovery.problems]


def _parse(text: str, begin: int, builder: _XmlTextBuilder) -> None:
    """Read a text from a place on. Raises ExpatError for what is not well-formed, _EntityError."""
    if begin == len(text):
        return
    if _ATTRIBUTE_ENTITY.search(text):  # of which the parser says nothing where the file points to a DTD
        raise _EntityError
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.specified_attributes = True  # a DTD's defaults can unfold like entities
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler, parser.SkippedEntityHandler = builder.add, builder.add_skipped_entity
    parser.EntityDeclHandler = _refuse
    for at in range(begin, len(text), _BLOCK):
        parser.Parse(text[at : at + _BLOCK], False)
    parser.Parse("", True)


def _refuse(*_: object) -> None:
    raise _EntityError


class _XmlTextBuilder:
    """What is read so far. Elements of words alone go into the line around them, others give lines."""

    def __init__(self) -> None:
        self._roots: list[str] = []  # one, but for files that are not well-formed
        self.title: str | None = None
        self.name: str | None = None
        self.file_metadata: list[tuple[str, str]] = []
        self._open_elements: list[_XmlElement] = []

    @property
    def text(self) -> str:
        """Return all the words."""
        return "\n\n".join(filter(None, self._roots))

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open_elements) == _DEPTH_MAX:
            raise UnreadableFileError(f"its elements are nested deeper than {_DEPTH_MAX:,} levels")
        if self._open_elements:
            self._open_elements[-1].has_elements = True
        elif language := attributes.get("xml:lang"):
            self.file_metadata.append(("lang", language))
        self._open_elements.append(_XmlElement(_get_local_name(name), attributes))

    def add(self, text: str) -> None:
        if not self._open_elements:
            self._roots.append(_collapse_whitespace(text))
            return
        element = self._open_elements[-1]
        element.parts.append(text)
        element.has_words = element.has_words or not text.isspace()

    def add_skipped_entity(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self.add(html5.get(f"{name};", ""))

    def end(self, _: str) -> None:
        depth, element = len(self._open_elements), self._open_elements.pop()
        part = self._build_part(element)
        if part and not isinstance(part, _MultilineText):
            self._record_metadata(element.name, part, depth)
        if self._open_elements:
            self._open_elements[-1].parts.append(part)
        else:
            self._roots.append(_split_own_lines(part))

    def _record_metadata(self, name: str, text: str, depth: int) -> None:
        """Record titles, and what the elements near the root say of the file."""
        if name == "title" and depth <= _TITLE_DEPTH:
            self.title = self.title or _collapse_whitespace(text) or None
        elif name == "name" and depth == 2:
            self.name = self.name or _collapse_whitespace(text) or None
        elif name in _KEYS and (depth == 2 or (self._open_elements and self._open_elements[-1].name in _METADATA_ELEMENTS)):
            self.file_metadata.append((name, _collapse_whitespace(text)))

    def _build_part(self, element: _XmlElement) -> str:
        if element.name in _DROPPED_ELEMENTS:
            return ""
        if element.has_words and not element.has_elements:
            return self._format_words(element)
        if element.has_words:
            return _join_mixed(element.parts)
        return _join_blocks(element) if element.has_elements else self._format_attributes(element.attributes)

    def _format_words(self, element: _XmlElement) -> str:
        text = "".join(element.parts)
        if element.name in _HTML_ELEMENTS and "<" in text and self._open_elements and self._open_elements[0].name in _FEEDS:
            return _MultilineText(extract_html_text(text)[1])
        if element.attributes.get("xml:space") == "preserve":
            return _MultilineText(text.strip("\n"))
        return _MultilineText(_split_own_lines(text)) if _EMPTY_LINES.search(text.strip()) else text

    def _format_attributes(self, attributes: dict[str, str]) -> str:
        """Return in a drawing they are no words."""
        if self._open_elements and self._open_elements[0].name == "svg":
            return ""
        own = ((_get_local_name(name), value) for name, value in attributes.items() if not name.startswith(("xml", "xsi:")))
        return _AttributeText("; ".join(f"{name}: {value}" for name, value in own if value.strip()))


def _join_mixed(parts: list[str]) -> str:
    """Return words with elements among them: one line, but for elements of several lines."""
    contents = [part for part in parts if not isinstance(part, _AttributeText)]
    if not any(isinstance(part, _MultilineText) for part in contents):
        return "".join(contents)
    runs = groupby(contents, lambda part: isinstance(part, _MultilineText))
    return _MultilineText(
        "\n\n".join("\n\n".join(run) if has_lines else _split_own_lines("".join(run)) for has_lines, run in runs)
    )


def _join_blocks(element: _XmlElement) -> str:
    """Return elements alone, each on lines of its own, apart when it has several."""
    attribute_texts = [value for name in _TEXT_ATTRIBUTES if (value := element.attributes.get(name, "").strip())]
    blocks = [part for part in element.parts if not part.isspace() and part]
    if len(blocks) == 1 and not attribute_texts:
        return blocks[0]
    pieces = (("", part, "") if isinstance(part, _MultilineText) else (_split_own_lines(part),) for part in blocks)
    return _MultilineText("\n".join(chain(attribute_texts, chain.from_iterable(pieces))))


def _split_own_lines(part: str) -> str:
    """Return words as the lines that they are in, or are parted into by empty ones."""
    return (
        part
        if isinstance(part, _MultilineText)
        else "\n\n".join(filter(None, map(_collapse_whitespace, _EMPTY_LINES.split(part))))
    )


def _collapse_whitespace(text: str) -> str:
    return " ".join(text.split())


def _get_local_name(name: str) -> str:
    return name.rpartition(":")[2].lower()
