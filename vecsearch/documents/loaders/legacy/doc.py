"""A document of Word 97 to 2003, or before: its text with headings and tables, then notes, comments, text boxes and headers.

Fields give what they show, not what they are made of. Items of lists and headings have the numbers that Word prints.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.legacy.word_6 import LENGTHS_OFFSET as WORD_6_LENGTHS_OFFSET
from vecsearch.documents.loaders.legacy.word_6 import Word6Binary
from vecsearch.documents.loaders.legacy.word_binary import ParagraphProperties, WordBinary
from vecsearch.documents.loaders.office.numbering import ListNumbering
from vecsearch.documents.loaders.office.ole import decrypt_ole, open_container, read_ole_properties, read_stream
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.symbol_fields import decode_symbol_field
from vecsearch.documents.loaders.table import format_table

_KIND: Final = "a Word document"
_SIGNATURES: Final = 0xA5EC, 0xA5DC, 0xA697, 0xA698, 0xA699  # how a document begins: since Word 97, before, and in Asia
_WORD_97: Final = 0xC1  # the first version of the format that knows Unicode
_LENGTHS_OFFSET: Final = 0x4C  # of text, notes, headers, macros, comments, endnotes, boxes, in the header since Word 97
_PARTS: Final = 8
_ASIDE_ORDER: Final = (1, 5, 4, 6, 7, 2)  # of these after the text, in this order
_PARAGRAPH: Final = re.compile("[^\r\7\f]*[\r\7\f]|[^\r\7\f]+")
_MARKS: Final = str.maketrans(
    {"\v": "\n", "\x1e": "-", **dict.fromkeys(map(chr, (1, 2, 3, 4, 5, 8, 0x13, 0x14, 0x15, 0x1F)), "")}
)
_HEADING_STYLES: Final = range(1, 10)
_TITLE_STYLE: Final = 62


def load_doc(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of a .doc or .dot file. Raises EncryptedFileError, EmptyFileError, UnreadableFileError."""
    with open_container(decrypt_ole(raw, _KIND), _KIND) as ole:
        problems: list[ParseWarning] = []
        data = read_stream(ole, "WordDocument", problems)
        title, metadata = read_ole_properties(ole, problems)
        try:
            start, version, flags = struct.unpack_from("<HH6xH", data)
            if start not in _SIGNATURES:
                raise UnreadableFileError(f"{_KIND} is damaged")
            if version < _WORD_97:
                writer = _read_document(Word6Binary(data), data, WORD_6_LENGTHS_OFFSET)
            else:
                binary = WordBinary(data, read_stream(ole, "1Table" if flags & 0x200 else "0Table", problems))
                writer = _read_document(binary, data, _LENGTHS_OFFSET)
        except struct.error as error:
            raise UnreadableFileError(f"{_KIND} is damaged") from error
    title = title or writer.title or writer.builder.first_heading
    yield from finish_document(raw, writer.builder, title, metadata, problems, empty_message="no text in it: pictures, perhaps")


def _read_document(binary: WordBinary | Word6Binary, data: bytes, lengths_offset: int) -> _DocWriter:
    """Read a document: the text, and behind it what stands beside it on the pages."""
    text = binary.decode_text()
    lengths = [max(0, length) for length in struct.unpack_from(f"<{_PARTS}i", data, lengths_offset)]
    starts = [sum(lengths[:part]) for part in range(len(lengths))]
    writer = _DocWriter(binary.find_paragraph, binary.read_lists())
    writer.write_text(text[: lengths[0]])
    for part in _ASIDE_ORDER:
        writer.write_asides(text[starts[part] : starts[part] + lengths[part]], starts[part])
    return writer


@dataclass(slots=True)
class _FieldSoFar:
    """A field between its marks: what it is made of, then what it shows; a sign where the code alone says it."""

    code: str = ""
    is_in_code: bool = True
    sign: str | None = None


@dataclass(slots=True)
class _DocWriter:
    find_paragraph: Callable[[int], ParagraphProperties]
    numbering: ListNumbering
    builder: DocumentBuilder = field(default_factory=DocumentBuilder)
    title: str | None = None
    _rows: list[list[str]] = field(default_factory=list)
    _header_rows: int = 0  # the first ones, 0 where the file does not say
    _cells: list[str] = field(default_factory=list)
    _cell: list[str] = field(default_factory=list)
    _in_list: bool = False
    _aside_texts: set[str] = field(default_factory=set)

    def write_text(self, text: str) -> None:
        """Write the main text."""
        for match in _PARAGRAPH.finditer(_hide_field_codes(text)):
            about, words = self.find_paragraph(match.end() - 1), _remove_marks(match[0].rstrip("\r\7\f"))
            if words.strip() or (match[0][-1] in "\r\7" and not about.is_row_end):  # any other end is none of a paragraph
                words = self._add_label(words, about)
            if match[0].endswith("\7"):
                self._end_cell(words, about)
            elif about.in_table:
                self._cell.append(words)
            else:
                self._end_table()
                self._write_paragraph(words, about)
        self._end_table()

    def write_asides(self, text: str, start: int) -> None:
        """Write notes, comments, boxes and headers that begin at a place in the text: each different paragraph once, page
        numbers alone left out."""
        for match in _PARAGRAPH.finditer(_hide_field_codes(text)):
            plain = _remove_marks(match[0].rstrip("\r\7\f")).strip()
            if plain not in self._aside_texts and any(map(str.isalpha, plain)):
                self._aside_texts.add(plain)
                self.builder.add_block(self._add_label(plain, self.find_paragraph(start + match.end() - 1)))

    def _add_label(self, text: str, paragraph: ParagraphProperties) -> str:
        """Return a paragraph's text with the number before it that Word prints."""
        number, level = paragraph.list_place
        label = self.numbering.format_next_label(str(number), level) if number else ""
        return f"{label} {text.lstrip()}" if label and text.strip() else text

    def _end_cell(self, text: str, paragraph: ParagraphProperties) -> None:
        guessed = not paragraph.is_known and not text and not self._cell and bool(self._cells)
        if paragraph.is_row_end or guessed:
            if paragraph.is_header_row and self._header_rows == len(self._rows):
                self._header_rows += 1
            self._rows.append(self._cells)
            self._cells = []
        else:
            self._cells.append(" ".join(" ".join((*self._cell, text)).split()))
        self._cell = []

    def _end_table(self) -> None:
        self.builder.add_block(format_table((*self._rows, [*self._cells, *self._cell]), self._header_rows or None))
        self._rows, self._header_rows, self._cells, self._cell = [], 0, [], []

    def _write_paragraph(self, text: str, paragraph: ParagraphProperties) -> None:
        if paragraph.style == _TITLE_STYLE and self.title is None:
            self.title = " ".join(text.split()) or None
        if paragraph.outline_level is not None and paragraph.outline_level < 9:
            self.builder.add_heading(paragraph.outline_level + 1, text)
        elif paragraph.style in _HEADING_STYLES and paragraph.outline_level is None:
            self.builder.add_heading(paragraph.style, text)
        elif paragraph.list_place.number and self._in_list:
            self.builder.add_line(text)
        else:
            self.builder.add_block(text)
        self._in_list = bool(paragraph.list_place.number)


def _hide_field_codes(text: str) -> str:
    """Return the text with only what fields show, the rest of them as marks of the same length."""
    if "\x13" not in text:
        return text
    pieces, fields = [], list[_FieldSoFar]()
    for piece in re.split("([\x13\x14\x15])", text):
        shown = "\1" * len(piece) if any(outer.is_in_code or outer.sign is not None for outer in fields) else piece
        if piece == "\x13":
            fields.append(_FieldSoFar())
            shown = "\1"
        elif piece in ("\x14", "\x15") and fields:
            if fields[-1].is_in_code:
                fields[-1].is_in_code, fields[-1].sign = False, decode_symbol_field(fields[-1].code)
            if piece == "\x15" and (sign := fields.pop().sign) and not any(outer.is_in_code for outer in fields):
                shown = sign[0]
        elif fields and fields[-1].is_in_code:
            fields[-1].code += piece
        pieces.append(shown)
    return "".join(pieces)


def _remove_marks(text: str) -> str:
    """Return the text without the marks, and with the characters that two units of UTF-16 make."""
    return text.translate(_MARKS).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
