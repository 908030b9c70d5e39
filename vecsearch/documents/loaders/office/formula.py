"""Formulas of office documents (OMML) in one line, as they are typed: a/b, x^2, sqrt(y). Calculates nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from vecsearch.documents.loaders.office.package import XmlElement, find_child, get_attribute, get_local_name
from vecsearch.documents.loaders.symbol_fonts import decode_symbols

_CODE_POINT: Final = re.compile("[0-9A-Fa-f]{2,4}")


def format_formula(element: XmlElement | None) -> str:
    """Return the text of a formula."""
    if element is None:
        return ""
    written = _FORMATTERS.get(get_local_name(element))
    return written(element) if written else element.text or "" if get_local_name(element) == "t" else _format_children(element)


def decode_symbol_element(element: XmlElement) -> str:
    """Return what a sign stands for that Word writes by font and code (w:sym)."""
    code = get_attribute(element, "char")
    return decode_symbols(get_attribute(element, "font"), chr(int(code, 16))) if _CODE_POINT.fullmatch(code) else ""


def _format_scripts(element: XmlElement) -> str:
    """Format something with what is below and above it, or a sum or an integral with its limits."""
    low, high = _format_part(element, "sub"), _format_part(element, "sup")
    limits = (f"_{low}" if low else "") + (f"^{high}" if high else "")
    if get_local_name(element) != "nary":
        return _format_part(element, "e") + limits
    sign = get_attribute(find_child(element, "naryPr", "chr"), "val") or "∫"
    return f"{sign}{limits} {_format_children(find_child(element, 'e'))}"


def _format_delimited(element: XmlElement) -> str:
    begin, end = find_child(element, "dPr", "begChr"), find_child(element, "dPr", "endChr")
    inside = ", ".join(format_formula(child) for child in element if get_local_name(child) == "e")
    opening = get_attribute(begin, "val") if begin is not None else "("
    closing = get_attribute(end, "val") if end is not None else ")"
    return f"{opening}{inside}{closing}"


def _format_children(element: XmlElement | None) -> str:
    """Format parts one after the other: two numbers stay two, and one stays whole that lies in several runs."""
    text, before = "", ""
    for child in element if element is not None else ():
        part, kind = format_formula(child), get_local_name(child)
        is_other = text[-1:].isdigit() and part[:1].isdigit() and (before, kind) != ("r", "r")
        text, before = f"{text} {part}" if is_other else text + part, kind
    return text


def _format_part(element: XmlElement, name: str) -> str:
    """Format one part of a formula, in brackets where it has parts of its own."""
    text = _format_children(find_child(element, name)).strip()
    return text if len(text) < 2 or text.isalnum() else f"({text})"


_FORMATTERS: Final[dict[str, Callable[[XmlElement], str]]] = {
    "sym": decode_symbol_element,
    "f": lambda element: f"{_format_part(element, 'num')}/{_format_part(element, 'den')}",
    **dict.fromkeys(("sSup", "sSub", "sSubSup", "sPre", "nary"), _format_scripts),
    "rad": lambda element: f"√{_format_part(element, 'deg')}({_format_children(find_child(element, 'e'))})",
    "d": _format_delimited,
    "func": lambda element: f"{format_formula(find_child(element, 'fName'))} {format_formula(find_child(element, 'e'))}",
    "m": lambda element: "; ".join(filter(None, map(format_formula, element))),
    "mr": lambda element: " ".join(map(format_formula, element)),
}
