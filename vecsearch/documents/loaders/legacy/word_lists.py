"""The lists of a document of Word 97 to 2003 ([MS-DOC] 2.9.131): how their levels are numbered, which styles are of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from vecsearch.documents.loaders.list_numbers import ListLevel
from vecsearch.documents.loaders.office.numbering import ListNumbering

_KINDS: Final = {
    0: "decimal", 1: "upperRoman", 2: "lowerRoman", 3: "upperLetter", 4: "lowerLetter", 11: "japaneseCounting",
    14: "decimalFullWidth", 18: "decimalEnclosedCircle", 22: "decimalZero", 23: "bullet", 33: "taiwaneseCounting",
    35: "taiwaneseCountingThousand", 37: "chineseCounting", 39: "chineseCountingThousand", 58: "russianLower",
    59: "russianUpper", 255: "none",
}  # fmt: skip
_LIST_BYTES, _LEVEL_BYTES, _USE_BYTES = 28, 28, 16
_LEVELS: Final = 9
_HAS_START, _HAS_FORMAT = 0x10, 0x20  # of a change that a use makes to a level
_IS_LEGAL, _HAS_LIMIT = 0x04, 0x08  # of a level; the latter says after which outer levels alone it begins anew
_LIST, _LIST_LEVEL = 0x460B, 0x260A  # of a paragraph
_LISTS_MAX: Final = 0x7FF  # of a document: a paragraph of a higher one is of none
_BASES_MAX: Final = 12  # styles that a style is based on, one on the other
_PARAGRAPH_STYLE: Final = 1
_NO_STYLE: Final = 0xFFF

PropertyParser = Callable[[bytes], Iterator[tuple[int, int]]]


class ListPlace(NamedTuple):
    """Which list a paragraph is of, 0 for none, and on which level, 0 the outermost."""

    number: int = 0
    level: int = 0


def read_list_place(properties: dict[int, int], style: ListPlace) -> ListPlace:
    """Return the place of a paragraph with some properties of its own and a style."""
    number = properties.get(_LIST, style.number)
    level = properties.get(_LIST_LEVEL, style.level)
    return ListPlace(number if number <= _LISTS_MAX else 0, min(level, _LEVELS - 1))


def read_lists(table: bytes, lists_at: int, uses: bytes) -> ListNumbering:
    """Read the lists that begin at a place in the table stream, and their uses, by which paragraphs name them.

    What a damaged table says is read up to the damage.
    """
    numbering = ListNumbering()
    lists: dict[int, dict[int, ListLevel]] = {}
    with suppress(struct.error):
        lists.update(_parse_lists(table, lists_at))
        for number, (identifier, restarts, levels) in enumerate(_parse_uses(uses), start=1):
            numbering.add_list(str(number), str(identifier), {**lists.get(identifier, {}), **levels}, restarts)
    return numbering


def _parse_lists(table: bytes, start: int) -> Iterator[tuple[int, dict[int, ListLevel]]]:
    """Yield the identifier and the levels of each list. The levels follow all lists, without a table of their own."""
    (count,) = struct.unpack_from("<H", table, start)
    heads = [struct.unpack_from("<i22xBx", table, start + 2 + _LIST_BYTES * place) for place in range(count)]
    place = start + 2 + _LIST_BYTES * count
    for identifier, flags in heads:
        levels = {}
        for depth in range(1 if flags & 1 else _LEVELS):
            levels[depth], place = _parse_level(table, place)
        yield identifier, levels


def _parse_level(table: bytes, place: int) -> tuple[ListLevel, int]:
    """Return a level, and where the next begins."""
    first, kind, flags, character_bytes, paragraph_bytes, limit = struct.unpack_from("<iBB18xBBBx", table, place)
    place += _LEVEL_BYTES + character_bytes + paragraph_bytes
    (length,) = struct.unpack_from("<H", table, place)
    text = table[place + 2 : place + 2 + 2 * length].decode("utf-16-le", "ignore")
    text = "".join(f"%{ord(character) + 1}" if ord(character) < _LEVELS else character for character in text)
    level = ListLevel(first, _KINDS.get(kind, "decimal"), text, is_legal=bool(flags & _IS_LEGAL))
    return level._replace(restart_levels=limit) if flags & _HAS_LIMIT else level, place + 2 + 2 * length


def _parse_uses(uses: bytes) -> Iterator[tuple[int, dict[int, int], dict[int, ListLevel]]]:
    """Yield for each use the list's identifier, the levels that begin anew with it and their first number, and levels of its
    own."""
    (count,) = struct.unpack_from("<I", uses)
    place = 4 + _USE_BYTES * count
    for use in range(min(count, _LISTS_MAX)):
        identifier, changes = struct.unpack_from("<i8xB3x", uses, 4 + _USE_BYTES * use)
        restarts, levels = dict[int, int](), dict[int, ListLevel]()
        place += 4
        for _ in range(changes):
            start, flags = struct.unpack_from("<iI", uses, place)
            place += 8
            depth = flags & 0xF
            if flags & _HAS_FORMAT:
                levels[depth], place = _parse_level(uses, place)
                start = levels[depth].start
            if flags & _HAS_START:
                restarts[depth] = start
        yield identifier, restarts, levels


def parse_style_lists(sheet: bytes, parse_properties: PropertyParser) -> list[ListPlace]:
    """Return for each style of a style sheet which list its paragraphs are of, its own or that of a style below it."""
    styles = list(_parse_styles(sheet, parse_properties))
    return [_resolve_style(styles, number) for number in range(len(styles))]


class _StyleList(NamedTuple):
    base: int
    properties: dict[int, int]


def _resolve_style(styles: list[_StyleList], number: int) -> ListPlace:
    properties: dict[int, int] = {}
    for _ in range(_BASES_MAX):
        if number >= len(styles):
            break
        properties = styles[number].properties | properties
        number = styles[number].base
    return read_list_place(properties, ListPlace())


def _parse_styles(sheet: bytes, parse_properties: PropertyParser) -> Iterator[_StyleList]:
    place, base_bytes = 2 + int.from_bytes(sheet[:2], "little"), int.from_bytes(sheet[4:6], "little")
    for _ in range(int.from_bytes(sheet[2:4], "little")):
        size = int.from_bytes(sheet[place : place + 2], "little")
        style = sheet[place + 2 : place + 2 + size]
        place += 2 + size + size % 2
        kind = int.from_bytes(style[2:4], "little")
        name_at = base_bytes + 2 + 2 * int.from_bytes(style[base_bytes : base_bytes + 2], "little") + 2
        length = int.from_bytes(style[name_at : name_at + 2], "little")
        properties = style[name_at + 4 : name_at + 2 + length] if kind & 0xF == _PARAGRAPH_STYLE else b""
        yield _StyleList(kind >> 4 if size else _NO_STYLE, dict(parse_properties(properties)))
