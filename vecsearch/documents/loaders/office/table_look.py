"""What a table of an office document says about its header: how many of its first rows are names of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from vecsearch.documents.loaders.office.package import (
    XmlElement,
    find_child,
    get_attribute,
    get_local_name,
    is_on,
    iter_descendants,
)

_FALSE: Final = ("0", "false", "off")
_TRUE: Final = ("1", "true", "on")
_FIRST_ROW_BIT: Final = 0x20  # of the look as one number


def read_header_styles(styles: XmlElement | None) -> frozenset[str]:
    """Return the ids of the styles of tables, of word/styles.xml, that set the first row apart."""
    tables = (style for style in iter_descendants(styles, "style") if get_attribute(style, "type") == "table")
    return frozenset(
        get_attribute(style, "styleId")
        for style in tables
        if any(get_attribute(part, "type") == "firstRow" for part in style if get_local_name(part) == "tblStylePr")
    )


def count_docx_header(table: XmlElement, header_styles: frozenset[str]) -> int | None:
    """Return how many rows of a table of Word are its header; None where it does not say.

    Word writes of every new table that its first row is one, which counts only where a style shows it.
    """
    repeated = sum(1 for _ in takewhile(_is_repeated, (row for row in table if get_local_name(row) == "tr")))
    if repeated:
        return repeated
    properties = find_child(table, "tblPr")
    look = find_child(properties, "tblLook")
    first_row, bits = get_attribute(look, "firstRow").lower(), get_attribute(look, "val")
    if not first_row and bits:
        first_row = _read_bits(bits)
    if first_row in _FALSE:
        return 0
    has_style = get_attribute(find_child(properties, "tblStyle"), "val") in header_styles
    return 1 if first_row in _TRUE and has_style else None


def _is_repeated(row: XmlElement) -> bool:
    """Return whether a row stands again at the head of each page."""
    return is_on(find_child(row, "trPr", "tblHeader"))


def _read_bits(bits: str) -> str:
    try:
        return "1" if int(bits, 16) & _FIRST_ROW_BIT else "0"
    except ValueError:
        return ""


def count_pptx_header(table: XmlElement) -> int | None:
    """Return how many rows of a table of PowerPoint are its header; None where it does not say."""
    first_row = get_attribute(find_child(table, "tblPr"), "firstRow")
    return 1 if first_row in _TRUE else 0 if first_row in _FALSE else None


def count_opendocument_header(table: XmlElement) -> int | None:
    """Return how many rows of an OpenDocument table are its header; None where it does not say."""
    return sum(1 for _ in takewhile(lambda in_header: in_header, _iter_rows(table, in_header=False))) or None


def _iter_rows(table: XmlElement, *, in_header: bool) -> Iterator[bool]:
    """Yield for each row whether it is one of the header."""
    for row in table:
        name = get_local_name(row)
        if name == "table-row":
            yield in_header
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _iter_rows(row, in_header=in_header or name == "table-header-rows")
