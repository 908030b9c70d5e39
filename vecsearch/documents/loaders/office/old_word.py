"""A document of Word 97 to 2003, or before: its text with headings and tables, then notes, comments, text boxes and headers.

Fields give what they show, not what they are made of. Numbers that Word prints before list items are not known here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item
from vecsearch.documents.loaders.office.ole import container, opened, properties, stream
from vecsearch.documents.loaders.office.word_binary import Binary, Paragraph
from vecsearch.documents.loaders.outline import Outline, outlined
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.table import table_text

_KIND: Final = "a Word document"
_WORD: Final = 0xA5EC, 0xA5DC  # how a document begins, since Word 97 and before
_WORD_97: Final = 0xC1  # the first version of the format that knows Unicode
_PAGES: Final = {0x419: "cp1251", 0x422: "cp1251", 0x405: "cp1250", 0x415: "cp1250", 0x40E: "cp1250", 0x408: "cp1253",
                 0x41F: "cp1254", 0x40D: "cp1255", 0x411: "cp932", 0x412: "cp949", 0x404: "cp950", 0x804: "cp936"}  # fmt: skip
_LENGTHS: Final = (0x4C, 0x50, 0x54, 0x58, 0x5C, 0x60, 0x64, 0x68)  # of text, notes, headers, macros, comments, endnotes, boxes
_SHOWN: Final = (1, 5, 4, 6, 7, 2)  # of these after the text, in this order
_PARAGRAPH: Final = re.compile("[^\r\7\f]*[\r\7\f]|[^\r\7\f]+")
_MARKS: Final = str.maketrans(
    {"\v": "\n", "\x1e": "-", **dict.fromkeys(map(chr, (1, 2, 3, 4, 5, 8, 0x13, 0x14, 0x15, 0x1F)), "")}
)
_HEADINGS: Final = range(1, 10)
_TITLE: Final = 62


def doc(raw: Raw) -> Iterator[Item]:
    """A .doc or .dot. Raises Encrypted, NoText, UnreadableFile."""
    with container(opened(raw, _KIND), _KIND) as ole:
        data = stream(ole, "WordDocument")
        title, metadata = properties(ole)
        try:
            start, version, flags = struct.unpack_from("<HH6xH", data)
            if start not in _WORD:
                raise UnreadableFile(f"{_KIND} is damaged")
            if version < _WORD_97:
                writer = _Writer(lambda place: Paragraph())
                writer.write(_old(data))
            else:
                writer = _read(Binary(data, stream(ole, "1Table" if flags & 0x200 else "0Table")), data)
        except struct.error as error:
            raise UnreadableFile(f"{_KIND} is damaged") from error
    title = title or writer.title or writer.outline.first_heading
    yield from outlined(raw, writer.outline, title, metadata, nothing="no text in it: pictures, perhaps")


def _old(data: bytes) -> str:
    """Before Word 97: one stretch of text in the code page of its language."""
    start, end = struct.unpack_from("<II", data, 0x18)
    page = _PAGES.get(struct.unpack_from("<H", data, 6)[0], "cp1252")
    return data[start:end].decode(page, "replace")


def _read(binary: Binary, data: bytes) -> _Writer:
    """Since Word 97: the text, and behind it what stands beside it on the pages."""
    text = binary.text()
    lengths = [max(0, struct.unpack_from("<i", data, place)[0]) for place in _LENGTHS]
    starts = [sum(lengths[:part]) for part in range(len(lengths))]
    writer = _Writer(binary.paragraph)
    writer.write(text[: lengths[0]])
    for part in _SHOWN:
        writer.beside(text[starts[part] : starts[part] + lengths[part]])
    return writer


@dataclass(slots=True)
class _Writer:
    about: Callable[[int], Paragraph]
    outline: Outline = field(default_factory=Outline)
    title: str | None = None
    _rows: list[list[str]] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _cell: list[str] = field(default_factory=list)
    _listed: bool = False
    _beside: set[str] = field(default_factory=set)

    def write(self, text: str) -> None:
        """The main text."""
        for found in _PARAGRAPH.finditer(_shown(text)):
            about, words = self.about(found.end() - 1), _plain(found[0].rstrip("\r\7\f"))
            if found[0].endswith("\7"):
                self._end_cell(words, about)
            elif about.in_table:
                self._cell.append(words)
            else:
                self._end_table()
                self._paragraph(words, about)
        self._end_table()

    def beside(self, text: str) -> None:
        """Notes, comments, boxes, headers: each different paragraph once, page numbers alone left out."""
        for each in re.split("[\r\7\f]", _shown(text)):
            plain = _plain(each).strip()
            if plain not in self._beside and any(map(str.isalpha, plain)):
                self._beside.add(plain)
                self.outline.block(plain)

    def _end_cell(self, words: str, about: Paragraph) -> None:
        guessed = not about.known and not words and not self._cell and bool(self._cells)
        if about.row_end or guessed:
            self._rows.append(self._cells)
            self._cells = []
        else:
            self._cells.append(" ".join(" ".join((*self._cell, words)).split()))
        self._cell = []

    def _end_table(self) -> None:
        self.outline.block(table_text((*self._rows, [*self._cells, *self._cell])))
        self._rows, self._cells, self._cell = [], [], []

    def _paragraph(self, words: str, about: Paragraph) -> None:
        if about.style == _TITLE and self.title is None:
            self.title = " ".join(words.split()) or None
        if about.outline is not None and about.outline < 9:
            self.outline.heading(about.outline + 1, words)
        elif about.style in _HEADINGS and about.outline is None:
            self.outline.heading(about.style, words)
        elif about.listed and self._listed:
            self.outline.line(words)
        else:
            self.outline.block(words)
        self._listed = about.listed


def _shown(text: str) -> str:
    """Of fields only what they show, the rest as marks of the same length."""
    if "\x13" not in text:
        return text
    pieces, hidden = [], list[bool]()
    for piece in re.split("([\x13\x14\x15])", text):
        if piece == "\x13":
            hidden.append(True)
        elif piece == "\x14" and hidden:
            hidden[-1] = False
        elif piece == "\x15" and hidden:
            hidden.pop()
        pieces.append("\1" * len(piece) if any(hidden) else piece)
    return "".join(pieces)


def _plain(text: str) -> str:
    """Without the marks, and with the characters that two units of UTF-16 make."""
    return text.translate(_MARKS).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
