"""Formulas of office documents (OMML) in one line, as they are typed: a/b, x^2, sqrt(y). Calculates nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vecsearch.documents.loaders.office.package import Xml, attribute, child, local


def formula(element: Xml | None) -> str:
    """The text of a formula."""
    if element is None:
        return ""
    written = _WRITTEN.get(local(element))
    return written(element) if written else element.text or "" if local(element) == "t" else _inside(element)


def _scripts(element: Xml) -> str:
    """Something with what is below and above it, or a sum or an integral with its limits."""
    low, high = _part(element, "sub"), _part(element, "sup")
    limits = (f"_{low}" if low else "") + (f"^{high}" if high else "")
    if local(element) != "nary":
        return _part(element, "e") + limits
    sign = attribute(child(element, "naryPr", "chr"), "val") or "∫"
    return f"{sign}{limits} {_inside(child(element, 'e'))}"


def _delimited(element: Xml) -> str:
    begin, end = child(element, "dPr", "begChr"), child(element, "dPr", "endChr")
    inside = ", ".join(formula(each) for each in element if local(each) == "e")
    return f"{attribute(begin, 'val') if begin is not None else '('}{inside}{attribute(end, 'val') if end is not None else ')'}"


def _inside(element: Xml | None) -> str:
    return "".join(map(formula, element)) if element is not None else ""


def _part(element: Xml, name: str) -> str:
    """One part of a formula, in brackets where it has parts of its own."""
    text = _inside(child(element, name)).strip()
    return text if len(text) < 2 or text.isalnum() else f"({text})"


_WRITTEN: Final[dict[str, Callable[[Xml], str]]] = {
    "f": lambda element: f"{_part(element, 'num')}/{_part(element, 'den')}",
    **dict.fromkeys(("sSup", "sSub", "sSubSup", "sPre", "nary"), _scripts),
    "rad": lambda element: f"√{_part(element, 'deg')}({_inside(child(element, 'e'))})",
    "d": _delimited,
    "func": lambda element: f"{formula(child(element, 'fName'))} {formula(child(element, 'e'))}",
    "mr": lambda element: " ".join(map(formula, element)) + "; ",
}
