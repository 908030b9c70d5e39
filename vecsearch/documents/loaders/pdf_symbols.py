"""The signs on a page of a PDF: what the characters of fonts like Symbol and Wingdings show."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Final

import pypdfium2  # type: ignore[import-untyped]
from pypdfium2 import raw as pdfium

from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

_NAME_BYTES: Final = 128
_FORMS_MAX: Final = 8  # forms inside each other
_KNOWN_SIGNS: Final = re.compile("[°±×÷¬®©]")  # of Symbol: PDFium, or the file itself, says so, and they are codes of others too
_BULLET: Final = re.compile("[\uf020-\uf0b6\uf0b8-\uf0ff]")


def find_signs(page: pypdfium2.PdfPage, words: pypdfium2.PdfTextPage, text: str) -> Iterator[tuple[int, str]]:
    """Yield for each character of a page's text that is of a font of signs its place and what it shows. The text is in UTF-16."""
    if not any(map(is_symbol_font, set(_iter_fonts(page)))):
        return
    for font, run in groupby(range(len(text)), lambda place: _get_symbol_font(words, place)):
        places = list(run) if font else []
        for place in places:
            yield place, _decode(font, text[place])
        if places and _is_bullet(font, text, places[0]):
            yield places[0], decode_symbols("Wingdings", text[places[0]])


def _decode(font: str, sign: str) -> str:
    if sign == "\xb5":
        return "μ"
    return sign if _KNOWN_SIGNS.match(sign) and "symbol" in font.lower() else decode_symbols(font, sign)


def _is_bullet(font: str, text: str, place: int) -> bool:
    """Return whether a sign is the lone one of a line's beginning, in a font that stands for several: a bullet of Wingdings."""
    is_first, is_alone = text[max(place - 1, 0)] in "\r\n" or not place, text[place + 1 : place + 2].isspace()
    return is_first and is_alone and "opensymbol" in font.lower() and bool(_BULLET.match(text[place]))


def _get_symbol_font(words: pypdfium2.PdfTextPage, place: int) -> str:
    """Return the font of a character if it is one of signs, else nothing."""
    buffer = ctypes.create_string_buffer(_NAME_BYTES)
    character = pdfium.FPDFText_GetCharIndexFromTextIndex(words, place)
    size = pdfium.FPDFText_GetFontInfo(words, character, buffer, _NAME_BYTES, None)
    name = buffer.value.decode("utf-8", "replace") if size <= _NAME_BYTES else ""
    return name if is_symbol_font(name) else ""


def _iter_fonts(page: pypdfium2.PdfPage) -> Iterator[str]:
    """Yield the names of the fonts of all texts on a page, in forms too."""
    waiting: list[tuple[int, Any, Callable[[Any], int], Callable[[Any, int], Any]]]
    waiting = [(0, page, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject)]
    while waiting:
        depth, container, count, get = waiting.pop()
        for place in range(count(container)):
            item = get(container, place)
            kind = pdfium.FPDFPageObj_GetType(item)
            if kind == pdfium.FPDF_PAGEOBJ_TEXT:
                yield _get_font_name(item)
            elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _FORMS_MAX:
                waiting.append((depth + 1, item, pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject))


def _get_font_name(text: Any) -> str:
    font = pdfium.FPDFTextObj_GetFont(text)
    buffer = ctypes.create_string_buffer(_NAME_BYTES)
    size = pdfium.FPDFFont_GetBaseFontName(font, buffer, _NAME_BYTES) if font else 0
    return buffer.value.decode("utf-8", "replace") if 0 < size <= _NAME_BYTES else ""
