"""The tables inside a document of Word 97 to 2003 ([MS-DOC]): where its text lies, what its paragraphs are."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from vecsearch.documents.loaders.legacy.word_lists import ListPlace, parse_style_lists, read_list_place, read_lists
from vecsearch.documents.loaders.legacy.word_pages import PAGE_BYTES, iter_page_runs
from vecsearch.documents.loaders.legacy.word_pieces import TextPiece, parse_pieces
from vecsearch.documents.loaders.legacy.word_symbols import HIDDEN, SymbolRuns, is_deleted
from vecsearch.documents.loaders.office.numbering import ListNumbering

_STYLES_OFFSET, _CHARACTERS_OFFSET, _PARAGRAPHS_OFFSET = 0xA2, 0xFA, 0x102  # in the header: where each table lies
_FONTS_OFFSET, _PIECES_OFFSET, _LISTS_OFFSET, _LIST_USES_OFFSET = 0x112, 0x1A2, 0x2E2, 0x2EA
_IN_TABLE, _ROW_END, _ROW_IS_HEADER, _OUTLINE = 0x2416, 0x2417, 0x3404, 0x2640
_OPERAND_BYTES: Final = (
    1,
    1,
    2,
    4,
    2,
    2,
    0,
    3,
)  # bytes after a property, by the highest bits of its number; 0: the next byte says


class ParagraphProperties(NamedTuple):
    """`style` is a built-in style's number, 1 to 9 headings; `outline_level` 0 the outermost. `is_known`: the file says so."""

    style: int = -1
    in_table: bool = False
    is_row_end: bool = False
    is_header_row: bool = False
    outline_level: int | None = None
    list_place: ListPlace = ListPlace()
    is_known: bool = False


class ParagraphMap:
    """What the paragraphs of a text are. `runs` say from which byte of the file on which properties hold."""

    def __init__(self, pieces: Sequence[TextPiece], runs: Iterable[tuple[int, ParagraphProperties]]) -> None:
        self._pieces, self._first_characters = pieces, [piece.first_character for piece in pieces]
        ascending = sorted(runs, key=lambda run: run[0])
        self._starts, self._properties = [start for start, _ in ascending], [properties for _, properties in ascending]

    def find(self, position: int) -> ParagraphProperties:
        """Return what the paragraph is that ends with the character at a place."""
        at = bisect_right(self._first_characters, position) - 1
        if at < 0:
            return ParagraphProperties()
        piece = self._pieces[at]
        run = bisect_right(self._starts, piece.start + (position - piece.first_character) * piece.width) - 1
        return self._properties[run] if run >= 0 else ParagraphProperties()


class WordBinary:
    """The text of a document, and what its paragraphs are. Raises struct.error for a file that is too short to be one."""

    def __init__(self, data: bytes, table: bytes) -> None:
        self._data, self._table = data, table
        self._pieces = list(parse_pieces(self._read_table(_PIECES_OFFSET), len(data), _is_deleted))
        sheet = self._read_table(_STYLES_OFFSET)
        styles = list(zip(parse_styles(sheet), parse_style_lists(sheet, parse_properties), strict=True))
        self._paragraphs = ParagraphMap(self._pieces, _parse_runs(data, self._read_table(_PARAGRAPHS_OFFSET), styles))
        pages, fonts = self._read_table(_CHARACTERS_OFFSET), self._read_table(_FONTS_OFFSET)
        self._symbols = SymbolRuns(data, pages, fonts, parse_properties)

    def read_lists(self) -> ListNumbering:
        """Read the lists of the document."""
        start = struct.unpack_from("<I", self._data, _LISTS_OFFSET)[0] if len(self._data) > _LISTS_OFFSET + 8 else 0
        return read_lists(self._table, start, self._read_table(_LIST_USES_OFFSET)) if start else ListNumbering()

    def decode_text(self) -> str:
        """Return all of it, a character for each unit of UTF-16, so that places stay true."""
        return "".join(map(self._decode_piece, self._pieces))

    def find_paragraph(self, position: int) -> ParagraphProperties:
        """Return what the paragraph is that ends with the character at a place."""
        return self._paragraphs.find(position)

    def _read_table(self, offset: int) -> bytes:
        start, length = struct.unpack_from("<II", self._data, offset)
        return self._table[start : start + length]

    def _decode_piece(self, piece: TextPiece) -> str:
        if piece.hidden:
            return HIDDEN * piece.length
        data = self._data[piece.start : piece.start + piece.length * piece.width]
        if piece.narrow:
            text = data.decode("cp1252", "replace")
        else:
            text = "".join(map(chr, struct.unpack(f"<{len(data) // 2}H", data[: len(data) & ~1])))
        return self._symbols.decode(text, piece.start, piece.width).ljust(piece.length, "\1")


def _parse_runs(data: bytes, table: bytes, styles: list[tuple[int, ListPlace]]) -> Iterator[tuple[int, ParagraphProperties]]:
    """Yield from which byte of the file on which properties hold."""
    for run in iter_page_runs(data, table, entry_bytes=13):
        yield run.start, _parse_paragraph(run.page, run.offset, styles)


def _parse_paragraph(page: bytes, offset: int, styles: list[tuple[int, ListPlace]]) -> ParagraphProperties:
    if not 0 < offset < PAGE_BYTES - 2:
        return ParagraphProperties(is_known=True)
    size, offset = (2 * page[offset] - 1, offset + 1) if page[offset] else (2 * page[offset + 1], offset + 2)
    properties = page[offset : offset + size]
    style = int.from_bytes(properties[:2], "little")
    values = dict(parse_properties(properties[2:]))
    built_in, listed = styles[style] if style < len(styles) else (-1, ListPlace())
    return ParagraphProperties(
        built_in, bool(values.get(_IN_TABLE)), bool(values.get(_ROW_END)), bool(values.get(_ROW_IS_HEADER)), values.get(_OUTLINE),
        read_list_place(values, listed), is_known=True,
    )  # fmt: skip


def _is_deleted(properties: bytes) -> bool:
    return is_deleted(dict(parse_properties(properties)))


def parse_properties(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield number and value of each property, 0 for those of more than four bytes."""
    place = 0
    while place + 2 < len(data):
        number = int.from_bytes(data[place : place + 2], "little")
        size = _OPERAND_BYTES[number >> 13]
        place += 2
        if size == 0:
            size = data[place] + (2 if number == 0xD608 else 1)
        yield number, int.from_bytes(data[place : place + size], "little") if size < 5 else 0
        place += size


def parse_styles(sheet: bytes) -> Iterator[int]:
    """Yield for each style its built-in number: 1 to 9 the headings, 62 the title."""
    place = 2 + int.from_bytes(sheet[:2], "little")
    for _ in range(int.from_bytes(sheet[2:4], "little")):
        size = int.from_bytes(sheet[place : place + 2], "little")
        yield int.from_bytes(sheet[place + 2 : place + 4], "little") & 0xFFF if size else -1
        place += 2 + size + size % 2
