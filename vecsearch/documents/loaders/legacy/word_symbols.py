"""Where a document of Word 97 to 2003 uses fonts of signs ([MS-DOC]), or was deleted with changes tracked: stretches of the
file, and what their characters show."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from vecsearch.documents.loaders.legacy.word_pages import PAGE_BYTES, iter_page_runs
from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

_DELETED: Final = 0x0800  # with changes tracked
_FONT, _OTHER_FONT, _SYMBOL = 0x4A4F, 0x4A51, 0x6A09  # of ASCII, of other characters; a sign by font and code
_FONT_NAME_OFFSET: Final = 40  # in a font's entry, whose first byte says how long the rest of it is
HIDDEN: Final = "\1"  # stands for a character that does not show


class SymbolRun(NamedTuple):
    """The bytes [start, end) of a file, in a font; `sign` is what each character of it shows where the font does not say so."""

    start: int
    end: int
    font: str
    sign: str


class SymbolRuns:
    """Stretches of a file in fonts of signs or that were deleted, which do not overlap."""

    def __init__(
        self, data: bytes, pages: bytes, fonts: bytes, parse_properties: Callable[[bytes], Iterator[tuple[int, int]]]
    ) -> None:
        self._runs: list[SymbolRun] = []
        for run in sorted(_parse_runs(data, pages, list(_parse_fonts(fonts)), parse_properties)):
            if not self._runs or run.start >= self._runs[-1].end:
                self._runs.append(run)
        self._starts = [run.start for run in self._runs]

    def decode(self, text: str, start: int, width: int) -> str:
        """Return what a text shows that begins at a byte of the file, so many bytes a character; of the same length."""
        end, pieces, done = start + len(text) * width, list[str](), 0
        for run in self._runs[max(bisect_right(self._starts, start) - 1, 0) : bisect_right(self._starts, end)]:
            first, last = ((min(max(place, start), end) - start) // width for place in (run.start, run.end))
            pieces.append(text[done:first])
            pieces.extend(run.sign or decode_symbols(run.font, character) or HIDDEN for character in text[first:last])
            done = max(done, last)
        return "".join((*pieces, text[done:]))


def _parse_fonts(table: bytes) -> Iterator[str]:
    place = 4
    for _ in range(int.from_bytes(table[:2], "little")):
        size = table[place] + 1 if place < len(table) else 1
        name = table[place + _FONT_NAME_OFFSET : place + size]
        yield name[: len(name) & ~1].decode("utf-16-le", "ignore").partition("\0")[0]
        place += size


def _parse_runs(
    data: bytes, table: bytes, fonts: list[str], parse_properties: Callable[[bytes], Iterator[tuple[int, int]]]
) -> Iterator[SymbolRun]:
    for start, end, page, at in iter_page_runs(data, table, entry_bytes=1):
        values = dict(parse_properties(page[at + 1 : at + 1 + page[at]])) if 0 < at < PAGE_BYTES else {}
        yield from _make_run(start, end, values, fonts)


def is_deleted(properties: dict[int, int]) -> bool:
    """Return whether characters were deleted with changes tracked, by their properties."""
    return bool(properties.get(_DELETED))


def _make_run(start: int, end: int, values: dict[int, int], fonts: list[str]) -> Iterator[SymbolRun]:
    """Yield a run, if it is one of signs or does not show."""
    if start >= end:
        return
    if is_deleted(values):
        yield SymbolRun(start, end, "", HIDDEN)
        return
    symbol = values.get(_SYMBOL)
    number = values.get(_OTHER_FONT, values.get(_FONT, -1)) if symbol is None else symbol & 0xFFFF
    font = fonts[number] if 0 <= number < len(fonts) else ""
    if symbol is not None:
        yield SymbolRun(start, end, font, decode_symbols(font, chr(symbol >> 16)) or HIDDEN)
    elif is_symbol_font(font):
        yield SymbolRun(start, end, font, "")
