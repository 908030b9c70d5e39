"""The tables inside a document of Word 6 and 95, for Windows and the Macintosh: text of one byte a character, in the code page of
its font; properties have numbers of one byte."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from vecsearch.documents.code_pages import get_code_page_codec, get_language_code_page
from vecsearch.documents.loaders.font_table import WESTERN, FontTable
from vecsearch.documents.loaders.legacy.word_binary import ParagraphMap, ParagraphProperties, parse_styles
from vecsearch.documents.loaders.legacy.word_pages import PAGE_BYTES, PageRun, iter_page_runs
from vecsearch.documents.loaders.legacy.word_pieces import TextPiece, parse_pieces
from vecsearch.documents.loaders.legacy.word_symbols import HIDDEN
from vecsearch.documents.loaders.office.numbering import ListNumbering

LENGTHS_OFFSET: Final = 0x34  # of text, notes, headers, macros, comments, endnotes, boxes, in the header
_LANGUAGE_OFFSET, _FLAGS_OFFSET, _CHARSET_OFFSET, _TEXT_OFFSET = 0x06, 0x0A, 0x14, 0x18
_STYLES_OFFSET, _CHARACTERS_OFFSET, _PARAGRAPHS_OFFSET, _FONTS_OFFSET, _PIECES_OFFSET = 0x60, 0xB8, 0xC0, 0xD0, 0x160
_SAVED_FAST, _WIDE = 0x0004, 0x1000  # flags; Asian versions of Word 95 write two bytes a character
_MACINTOSH: Final = 256  # the character set of documents made there
_STANDARD_FONT_OFFSET: Final = 14  # in the style sheet
_FONT_NAME_OFFSET: Final = 6  # in a font's entry, whose first byte says how long the rest of it is
_IN_TABLE, _ROW_END, _DELETED, _SYMBOL, _FONT = 24, 25, 65, 74, 93
_LONG: Final = 0  # the next byte says how long
_OPERAND_BYTES: Final = {  # of the properties that may stand before those; those of whole tables come last
    **dict.fromkeys((2, 16, 17, 18, 19, 21, 22, 26, 27, 28, *range(30, 37), *range(38, 44), 45, 46, 47, 48, 49), 2),
    **dict.fromkeys((4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 24, 25, 29, 37, 44, 50, 51, 65, 66, 67, 71, 75), 1),
    **dict.fromkeys((85, 86, 87, 88, 89, 90, 91, 92, 94, 98, 100, 102, 104, 117, 118), 1),
    **dict.fromkeys((69, 72, 80, 93, 96, 97, 99, 101, 107, 109, 110), 2),
    **dict.fromkeys((3, 12, 15, 23, 52, 68, 74, 81, 82, 103, 105, 106, 108), _LONG), 20: 4, 70: 4, 73: 3, 95: 3, 83: 0,
}  # fmt: skip
_NO_OPERAND: Final = 83
_CONTROLS: Final = re.compile(b"([\0-\x1f])")  # no second byte of a character is one


class _CharacterRun(NamedTuple):
    start: int
    end: int
    font: int
    hidden: bool = False
    sign: str = ""  # what each character shows in the font, whatever stands there


class Word6Binary:
    """The text of a document, and what its paragraphs are. Raises struct.error for a file that is too short to be one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        start, end = struct.unpack_from("<II", data, _TEXT_OFFSET)
        (flags,) = struct.unpack_from("<H", data, _FLAGS_OFFSET)
        clx, narrow = self._read_table(_PIECES_OFFSET) if flags & _SAVED_FAST else b"", not flags & _WIDE
        pieces = list(parse_pieces(clx, len(data), _is_deleted, narrow=narrow))
        length = max(min(end, len(data)) - start, 0) // (1 if narrow else 2)
        self._pieces = pieces or [TextPiece(0, start, length, narrow)]
        sheet = self._read_table(_STYLES_OFFSET)
        self._styles = list(parse_styles(sheet))
        self._font = int.from_bytes(sheet[_STANDARD_FONT_OFFSET : _STANDARD_FONT_OFFSET + 2], "little")
        self._fonts = self._read_fonts()
        self._characters = sorted(self._parse_characters())
        self._character_starts = [run.start for run in self._characters]
        pages = iter_page_runs(data, self._read_table(_PARAGRAPHS_OFFSET), number_bytes=2, entry_bytes=7)
        self._paragraphs = ParagraphMap(self._pieces, ((run.start, self._parse_paragraph(run)) for run in pages))

    def read_lists(self) -> ListNumbering:
        """Return no lists: the properties of a paragraph hold its number."""
        return ListNumbering()

    def decode_text(self) -> str:
        """Return all of it, a character for each that the file counts, so that places stay true."""
        text = "".join(map(self._decode_piece, self._pieces))
        if self._fonts.doubtful and (western := self._fonts.choose_western()) != WESTERN:
            self._fonts.western = western
            text = "".join(map(self._decode_piece, self._pieces))
        return text

    def find_paragraph(self, position: int) -> ParagraphProperties:
        """Return what the paragraph is that ends with the character at a place."""
        return self._paragraphs.find(position)

    def _read_table(self, offset: int) -> bytes:
        start, length = struct.unpack_from("<II", self._data, offset)
        return self._data[start : start + length]

    def _read_fonts(self) -> FontTable:
        language, charset = (struct.unpack_from("<H", self._data, offset)[0] for offset in (_LANGUAGE_OFFSET, _CHARSET_OFFSET))
        on_macintosh = charset == _MACINTOSH
        page = "mac-roman" if on_macintosh else get_code_page_codec(get_language_code_page(language)) or WESTERN
        fonts, table = FontTable(page=page), self._read_table(_FONTS_OFFSET)
        place, number = 2, 0
        while place + _FONT_NAME_OFFSET < len(table):
            size = table[place] + 1
            name = table[place + _FONT_NAME_OFFSET : place + size].partition(b"\0")[0].decode("latin-1")
            fonts.add(number, name, None if on_macintosh and not table[place + 4] else table[place + 4])
            place, number = place + size, number + 1
        return fonts

    def _parse_characters(self) -> Iterator[_CharacterRun]:
        for run in iter_page_runs(self._data, self._read_table(_CHARACTERS_OFFSET), number_bytes=2, entry_bytes=1):
            at = run.offset if run.offset < PAGE_BYTES else 0
            values = _read_properties(run.page[at + 1 : at + 1 + run.page[at]]) if at else {}
            sign = values.get(_SYMBOL, b"")
            font = int.from_bytes(sign[:2] or values.get(_FONT, self._font.to_bytes(2, "little")), "little")
            if run.start < run.end:
                yield _CharacterRun(run.start, run.end, font, any(values.get(_DELETED, b"")), chr(sign[2]) if sign[2:] else "")

    def _parse_paragraph(self, run: PageRun) -> ParagraphProperties:
        at = run.offset
        if not 0 < at < PAGE_BYTES - 2:
            return ParagraphProperties(is_known=True)
        properties = run.page[at + 1 : at + 1 + 2 * run.page[at]]
        style, values = int.from_bytes(properties[:2], "little"), _read_properties(properties[2:])
        return ParagraphProperties(
            self._styles[style] if style < len(self._styles) else -1,
            any(values.get(_IN_TABLE, b"")),
            any(values.get(_ROW_END, b"")),
            is_known=True,
        )

    def _decode_piece(self, piece: TextPiece) -> str:
        """Return what a piece shows: its runs, and what lies between them in the standard font."""
        if piece.hidden:
            return HIDDEN * piece.length
        start, end = piece.start, min(piece.start + piece.length * piece.width, len(self._data))
        between = _CharacterRun(start, end, self._font)
        parts: list[str] = []
        for run in self._characters[max(bisect_right(self._character_starts, start) - 1, 0) :]:
            if run.start >= end:
                break
            if run.end > start:
                parts.append(self._decode(start, min(run.start, end), between, piece.width))
                start = max(start, run.start)
                parts.append(self._decode(start, min(run.end, end), run, piece.width))
                start = min(run.end, end)
        parts.append(self._decode(start, end, between, piece.width))
        return "".join(parts).ljust(piece.length, HIDDEN)

    def _decode(self, start: int, end: int, run: _CharacterRun, width: int) -> str:
        """Return what the bytes [start, end) show in a run, a character for each."""
        count = max(end - start, 0) // width
        if run.hidden or run.sign:
            return (HIDDEN if run.hidden else self._fonts.draw(run.font, run.sign) or HIDDEN)[0] * count
        data = self._data[start : start + count * width]
        if width > 1:
            return "".join(self._fonts.draw(run.font, chr(unit)) or HIDDEN for unit in struct.unpack(f"<{count}H", data))
        return "".join(
            part.decode("latin-1") if index % 2 else self._fonts.decode(run.font, part).ljust(len(part), HIDDEN)[: len(part)]
            for index, part in enumerate(_CONTROLS.split(data)) if part
        )  # fmt: skip


def _is_deleted(properties: bytes) -> bool:
    return any(_read_properties(properties).get(_DELETED, b""))


def _read_properties(data: bytes) -> dict[int, bytes]:
    """Return the operand of each property, up to one that is not known."""
    values: dict[int, bytes] = {}
    place = 0
    while place < len(data) and (size := _OPERAND_BYTES.get(data[place])) is not None:
        number = data[place]
        place += 1
        if size == _LONG and number != _NO_OPERAND:
            size, place = data[place] if place < len(data) else 0, place + 1
        values[number] = data[place : place + size]
        place += size
    return values
