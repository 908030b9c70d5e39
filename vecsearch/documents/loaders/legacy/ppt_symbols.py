"""Where a text of PowerPoint 97 to 2003 uses fonts of signs: its character runs ([MS-PPT] 2.9.44), and what they show."""

from __future__ import annotations

import struct
from typing import Final

from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

# what a run states, by the bits of its mask that say so, in its order: bytes of each
_PARAGRAPH_FIELDS: Final = (
    (0xF, 2), (1 << 7, 2), (1 << 4, 2), (1 << 6, 2), (1 << 5, 4), (1 << 11, 2), (1 << 12, 2), (1 << 13, 2), (1 << 14, 2),
    (1 << 8, 2), (1 << 10, 2), (1 << 15, 2),
)  # fmt: skip
_TAB_STOPS: Final = 1 << 20  # as many as the two bytes before them say
_PARAGRAPH_FIELDS_BELOW: Final = ((1 << 16, 2), (0xE0000, 2), (1 << 21, 2))
_STYLE, _FONT, _OTHER_FONTS, _SYMBOL_FONT = 0x3FFF, 1 << 16, (1 << 21, 1 << 22), 1 << 23
_FIELDS_BELOW: Final = ((1 << 17, 2), (1 << 18, 4), (1 << 19, 2))


def decode_run_symbols(text: str, style: bytes, fonts: dict[int, str]) -> str:
    """Return what a text shows whose runs a style atom describes; the text itself where the atom is damaged or names no such
    font."""
    if not any(map(is_symbol_font, fonts.values())):
        return text
    data = text.encode("utf-16-le", "surrogatepass")
    units = "".join(map(chr, struct.unpack(f"<{len(data) // 2}H", data)))  # which the runs count
    try:
        shown = _decode_runs(units, style, fonts, _skip_paragraph_runs(style, len(units) + 1))
    except struct.error:
        return text
    return shown.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _skip_paragraph_runs(style: bytes, length: int) -> int:
    """Return where the runs of characters begin, after those of paragraphs."""
    place = 0
    while length > 0:
        count, mask = struct.unpack_from("<I2xI", style, place)
        place += 10 + _measure_fields(mask, _PARAGRAPH_FIELDS)
        if mask & _TAB_STOPS:
            place += 2 + 4 * int(struct.unpack_from("<H", style, place)[0])
        place += _measure_fields(mask, _PARAGRAPH_FIELDS_BELOW)
        length -= max(count, 1)
    return place


def _decode_runs(text: str, style: bytes, fonts: dict[int, str], place: int) -> str:
    pieces, start = list[str](), 0
    while start < len(text):
        count, mask = struct.unpack_from("<II", style, place)
        place += 8 + (2 if mask & _STYLE else 0)
        font, place = _read_font(style, mask & _FONT, fonts, place)
        place += sum(2 for bit in _OTHER_FONTS if mask & bit)
        symbol_font, place = _read_font(style, mask & _SYMBOL_FONT, fonts, place)
        place += _measure_fields(mask, _FIELDS_BELOW)
        run = decode_symbols(font, text[start : start + max(count, 1)])
        pieces.append(decode_symbols(symbol_font, run, private_only=True))
        start += max(count, 1)
    return "".join(pieces)


def _read_font(style: bytes, is_stated: int, fonts: dict[int, str], place: int) -> tuple[str, int]:
    """Return a run's font, empty for one it does not state, and where the run goes on."""
    return (fonts.get(struct.unpack_from("<H", style, place)[0], ""), place + 2) if is_stated else ("", place)


def _measure_fields(mask: int, fields: tuple[tuple[int, int], ...]) -> int:
    return sum(size for bits, size in fields if mask & bits)
