"""The text of a page of a PDF, where fonts of signs are used as what they show."""

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


def extract_page_text(page: pypdfium2.PdfPage, words: pypdfium2.PdfTextPage) -> str:
    """Return the text of a page whose words are loaded."""
    if not any(map(is_symbol_font, set(_iter_fonts(page)))):
        return str(words.get_text_range())
    pieces: list[str] = []
    places = groupby(range(words.count_chars()), lambda place: _get_symbol_font(words, place))
    for font, run in places:
        start, *rest = run
        text = str(words.get_text_range(start, len(rest) + 1))
        if font and (not pieces or pieces[-1].endswith("\n")) and _is_blank(words, start + 1):
            text = _decode_bullet(font, text)
        pieces.append(_decode(font, text) if font else text)
    return "".join(pieces)


def _decode(font: str, text: str) -> str:
    return "".join(
        "μ" if sign == "\xb5" else sign if _KNOWN_SIGNS.match(sign) and "symbol" in font.lower() else decode_symbols(font, sign)
        for sign in text
    )


def _decode_bullet(font: str, text: str) -> str:
    """Return a text that begins with the lone sign of a line: a bullet of Wingdings where the font stands for several."""
    is_bullet = "opensymbol" in font.lower() and _BULLET.match(text)
    return decode_symbols("Wingdings", text[0]) + text[1:] if is_bullet else text


def _is_blank(words: pypdfium2.PdfTextPage, place: int) -> bool:
    return place < words.count_chars() and chr(pdfium.FPDFText_GetUnicode(words, place)).isspace()


def _get_symbol_font(words: pypdfium2.PdfTextPage, place: int) -> str:
    """Return the font of a character if it is one of signs, else nothing."""
    buffer = ctypes.create_string_buffer(_NAME_BYTES)
    size = pdfium.FPDFText_GetFontInfo(words, place, buffer, _NAME_BYTES, None)
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
