"""Formulas in MathML in one line, as they are typed: a/b, x^2, sqrt(y). Calculates nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vecsearch.documents.loaders.office.package import XmlElement, get_local_name

_SIGNS: Final = dict.fromkeys(map(ord, "\u2061\u2062\u2063\u2064"))  # which apply, multiply and part without being seen


def format_mathml(element: XmlElement) -> str:
    """Return the text of a formula. What annotates it is left out."""
    return " ".join(_format(element).split())


def _format(element: XmlElement) -> str:
    written = _FORMATTERS.get(get_local_name(element))
    return written(element) if written else _join(element)


def _format_sign(element: XmlElement) -> str:
    text = " ".join("".join(element.itertext()).split()).translate(_SIGNS)
    if get_local_name(element) == "mo":
        return f" {text} " if len(text) == 1 and text in "=<>≤≥≠≈≡±∓→⇒⇔∈" else text
    return f" {text} " if len(text) > 1 and text[0].isalpha() else text  # a name, or words


def _join(element: XmlElement) -> str:
    """Format parts one after the other: two numbers stay two."""
    text = ""
    for part in map(_format, element):
        text += f" {part}" if text[-1:].isdigit() and part[:1].isdigit() else part
    return text


def _format_part(parts: list[XmlElement], place: int) -> str:
    """Format one part of a formula, in brackets where it has parts of its own."""
    text = _format(parts[place]).strip() if place < len(parts) else ""
    return text if len(text) < 2 or text.isalnum() else f"({text})"


def _format_infix(infixes: str) -> Callable[[XmlElement], str]:
    """Return a formatter of elements whose first part stands before an infix each for the others."""

    def format_parts(element: XmlElement) -> str:
        parts = list(element)
        pieces = [f"{sign}{text}" for place, sign in enumerate(infixes, start=1) if (text := _format_part(parts, place))]
        return "".join((_format_part(parts, 0), *pieces))

    return format_parts


def _format_fenced(element: XmlElement) -> str:
    opening, closing = element.attrib.get("open", "("), element.attrib.get("close", ")")
    return f"{opening}{', '.join(part.strip() for part in map(_format, element))}{closing}"


def _format_multiscripts(element: XmlElement) -> str:
    """Format something with what stands below and above it, in front of it too."""
    parts = [part for part in element if get_local_name(part) != "mprescripts"]
    scripts = (f"{'_^'[place % 2]}{text}" for place in range(len(parts) - 1) if (text := _format_part(parts, place + 1)))
    return "".join((_format_part(parts, 0), *scripts))


_FORMATTERS: Final[dict[str, Callable[[XmlElement], str]]] = {
    **dict.fromkeys(("mi", "mn", "mo", "mtext", "ms"), _format_sign),
    **dict.fromkeys(("annotation", "annotation-xml", "mphantom"), lambda _: ""),
    "mfrac": _format_infix("/"),
    **dict.fromkeys(("msup", "mover"), _format_infix("^")),
    **dict.fromkeys(("msub", "munder"), _format_infix("_")),
    **dict.fromkeys(("msubsup", "munderover"), _format_infix("_^")),
    "mmultiscripts": _format_multiscripts,
    "msqrt": lambda element: f"√({_join(element).strip()})",
    "mroot": lambda element: f"√{_format_part(list(element), 1)}({_format(element[0]).strip() if len(element) else ''})",
    "mfenced": _format_fenced,
    "mtable": lambda element: "; ".join(map(_format, element)),
    "mtr": lambda element: " ".join(map(_format, element)),
    "mspace": lambda _: " ",
}
