"""The fields by which Word and rich text show one character of a font: SYMBOL 109 \\f "Symbol"."""

from __future__ import annotations

import re
from typing import Final

from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

_CODE: Final = re.compile(r"\s*SYMBOL\s+(0x[0-9a-f]{1,6}|\d{1,7})(?:.*?\\f\s+(?:\"([^\"]*)\"|(\S+)))?", re.IGNORECASE | re.DOTALL)


def decode_symbol_field(code: str) -> str | None:
    """Return what a field shows, by its code; None for a field of any other kind."""
    match = _CODE.match(code)
    if match is None:
        return None
    number, font = int(match[1], 0), match[2] or match[3] or ""
    if number < 0x100 and not is_symbol_font(font):
        return bytes([number]).decode("cp1252", "ignore")
    return decode_symbols(font, chr(number)) if number < 0x110000 else ""
