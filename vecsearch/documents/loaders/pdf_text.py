"""The text of a page of a PDF as it is read: PDFium's, mended where it knows better than its text says.

Signs are what their fonts show, neighbouring cells have a blank between them, the letters of a ligature stand in their order,
and brackets around words that run from right to left close.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from ctypes import c_double, c_void_p
from functools import cache, partial
from itertools import groupby, pairwise
from statistics import median_low
from typing import Final

import pypdfium2  # type: ignore[import-untyped]
from pypdfium2 import raw as pdfium

from vecsearch.documents.loaders.pdf_symbols import find_signs

_WORD: Final = re.compile(r"\S{2,}")
_GAP: Final = 0.12  # of a line's height: as wide as this between two pieces of text is no kerning; PDFium says so from 0.27 on
_LINE_SLACK: Final = 0.2  # of a line's height: how far two pieces on one line may stand above each other
_NO_BLANK_AFTER, _NO_BLANK_BEFORE = "([{«", ")]}»,.;:!?"
_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+")
_BRACKETS: Final = ("()", "[]", "{}", "«»")
_PRESENTATION_FORMS: Final = (range(0xFB1D, 0xFE00), range(0xFE70, 0xFEFD))


def extract_page_text(page: pypdfium2.PdfPage, words: pypdfium2.PdfTextPage) -> str:
    """Return the text of a page whose words are loaded."""
    text = _split_surrogates(str(words.get_text_range()))
    changed = dict(find_signs(page, words, text))
    changed.update(_find_reversed_ligatures(words, text))
    for place in _find_missing_blanks(words, text):
        changed[place] = f" {changed.get(place, text[place])}"
    if changed:
        text = "".join(changed.get(place, character) for place, character in enumerate(text))
    lines = _join_surrogates(text).splitlines(keepends=True)
    return "".join(_close_brackets(line) if _RIGHT_TO_LEFT.search(line) else line for line in lines)


def _split_surrogates(text: str) -> str:
    """Return a text with a character for each unit of UTF-16, by which PDFium counts."""
    units = text.encode("utf-16-le", "surrogatepass")
    return text if len(units) == 2 * len(text) else "".join(map(chr, memoryview(units).cast("H")))


def _join_surrogates(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


# -- blanks between cells


def _find_missing_blanks(words: pypdfium2.PdfTextPage, text: str) -> Iterator[int]:
    """Yield the places of characters that stand apart from the one before, with no blank in between."""
    for match in _WORD.finditer(text):
        first, last = match.start(), match.end() - 1
        if _get_text_object(words, first) != _get_text_object(words, last):
            gaps = _find_wide_gaps(words, range(first, last + 1))
            yield from (gap for gap in gaps if text[gap - 1] not in _NO_BLANK_AFTER and text[gap] not in _NO_BLANK_BEFORE)


def _find_wide_gaps(words: pypdfium2.PdfTextPage, places: range) -> Iterator[int]:
    """Yield the places in a word that a gap stands before: one between two pieces of text, wider than those between letters."""
    boxes = [_get_cell(words, place) for place in places]
    gaps = [right.left - left.right for left, right in pairwise(boxes)]
    usual = max(median_low(gaps), 0.0) if len(gaps) > 1 else 0.0  # of letters that are spaced out
    for place, gap, (left, right) in zip(places[1:], gaps, pairwise(boxes), strict=True):
        height = left.top - left.bottom
        if (
            gap - usual > _GAP * height > 0
            and abs(left.bottom - right.bottom) < _LINE_SLACK * height
            and _get_text_object(words, place - 1) != _get_text_object(words, place)
        ):
            yield place


def _get_cell(words: pypdfium2.PdfTextPage, place: int) -> pdfium.FS_RECTF:
    """Return the box that a character takes up in its line, blanks around its ink included."""
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(words, _get_index(words, place), box)
    return box


def _get_text_object(words: pypdfium2.PdfTextPage, place: int) -> int | None:
    return c_void_p.from_buffer(pdfium.FPDFText_GetTextObject(words, _get_index(words, place))).value


def _get_index(words: pypdfium2.PdfTextPage, place: int) -> int:
    """Return the number by which PDFium knows the character at a place of its text."""
    return int(pdfium.FPDFText_GetCharIndexFromTextIndex(words, place))


# -- words that run from right to left


def _find_reversed_ligatures(words: pypdfium2.PdfTextPage, text: str) -> Iterator[tuple[int, str]]:
    """Yield the letters of ligatures that PDFium turned round together with their line, each with its place."""
    for match in _RIGHT_TO_LEFT.finditer(text):
        boxes = [_get_ink(words, place) for place in range(match.start(), match.end())]
        start = match.start()
        for box, run in groupby(boxes):
            length = len(list(run))
            letters = text[start : start + length]
            if length > 1 and any(box) and letters not in _list_ligatures():
                yield from enumerate(reversed(letters), start)
            start += length


@cache
def _list_ligatures() -> frozenset[str]:
    """Return the letters of each ligature that is a character of its own: PDFium has them in their order."""
    forms = (chr(code) for codes in _PRESENTATION_FORMS for code in codes)
    return frozenset(unicodedata.normalize("NFKC", form).strip() for form in forms)


def _get_ink(words: pypdfium2.PdfTextPage, place: int) -> tuple[float, ...]:
    """Return the box of what is drawn for a character: the same for all that one sign stands for."""
    numbers = [c_double() for _ in range(4)]
    pdfium.FPDFText_GetCharBox(words, _get_index(words, place), *numbers)
    return tuple(number.value for number in numbers)


def _close_brackets(line: str) -> str:
    """Return a line whose brackets close that PDFium turned round with the words before them, as too many are open."""
    for opening, closing in _BRACKETS:
        surplus = (line.count(opening) - line.count(closing)) // 2
        if surplus > 0:
            pattern = rf"\{opening}([^\{opening}\{closing}]*)\{opening}"
            line = re.sub(pattern, partial(_close_bracket, closing), line, count=surplus)
    return line


def _close_bracket(closing: str, match: re.Match[str]) -> str:
    """Return what two opening brackets enclose, with the second closing; the blank beside it was turned round with it."""
    words = match[1].rstrip()
    return match[0][0] + words + closing + match[1][len(words) :]
