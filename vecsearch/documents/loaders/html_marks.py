"""What a page shows that stands nowhere in its text: the numbers of lists, and what characters are in fonts of signs."""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborNode

from vecsearch.documents.loaders.list_numbers import format_number
from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

_LISTS: Final = frozenset(["ol", "ul", "menu", "dir"])
LIST_TAGS: Final = _LISTS | {"li"}
_INTEGER: Final = re.compile(r"\s*([-+]?\d{1,9})")
_KINDS: Final = {
    "1": "decimal", "a": "lowerAlpha", "A": "upperAlpha", "i": "lowerRoman", "I": "upperRoman",
    "decimal": "decimal", "decimal-leading-zero": "decimalZero", "lower-alpha": "lowerAlpha", "upper-alpha": "upperAlpha",
    "lower-latin": "lowerAlpha", "upper-latin": "upperAlpha", "lower-roman": "lowerRoman", "upper-roman": "upperRoman",
    **dict.fromkeys(("none", "disc", "circle", "square"), ""),
}  # fmt: skip
_LIST_STYLE: Final = re.compile(r"list-style(?:-type)?\s*:\s*([\w-]+)", re.IGNORECASE)
_FONT: Final = re.compile(r"(?:^|;)\s*font(?:-family)?\s*:([^;]*)", re.IGNORECASE)
_FONT_SIZE: Final = re.compile(r"^.*?[\d.](?:pt|px|em|rem|ex|%|cm|mm|in|pc)(?:\s*/\s*\S+)?\s+", re.IGNORECASE)
_SYMBOL_FONTS: Final = ("symbol", "wingdings", "webdings", "dingbats")


class ListNumbers:
    """The numbers of the lists that are open, entered and left with each of LIST_TAGS. `label` is what the next text begins
    with, empty for most."""

    def __init__(self) -> None:
        self._lists: list[_OpenList | None] = []  # None without numbers
        self.label = ""

    def enter(self, node: LexborNode, tag: str) -> None:
        """Enter an element."""
        if tag in _LISTS:
            self._lists.append(_OpenList(node) if tag == "ol" else None)
        elif tag == "li":
            numbered = self._lists[-1] if self._lists else None
            self.label = numbered.count_item(node) if numbered else ""

    def leave(self, tag: str) -> None:
        """Leave an element."""
        if tag in _LISTS:
            self._lists.pop()
        elif tag == "li":
            self.label = ""

    def add_label(self, text: str) -> str:
        """Return a text with the label before it, which is used up, if there is a word in it."""
        if not self.label or not text.strip():
            return text
        label, self.label = self.label, ""
        return f"{label} {text.lstrip()}"


class _OpenList:
    def __init__(self, node: LexborNode) -> None:
        attributes = node.attributes
        self._kind = _find_kind(attributes, "decimal")
        self._step = -1 if "reversed" in attributes else 1
        first = 1 if self._step == 1 else sum(child.tag == "li" for child in node.iter())
        self._next = _parse_integer(attributes.get("start"), first)

    def count_item(self, node: LexborNode) -> str:
        """Return what stands before the next item."""
        attributes = node.attributes
        number = _parse_integer(attributes.get("value"), self._next)
        self._next = number + self._step
        kind = _find_kind(attributes, self._kind)
        return f"{format_number(number, kind)}." if kind else ""


def _find_kind(attributes: dict[str, str | None], default: str) -> str:
    """Return how an element says that its items are numbered, empty for not at all."""
    style = _LIST_STYLE.search(attributes.get("style") or "")
    return _KINDS.get((style[1].lower() if style else attributes.get("type")) or "", default)


def _parse_integer(value: str | None, default: int) -> int:
    match = _INTEGER.match(value or "")
    return int(match[1]) if match else default


class SymbolFonts:
    """The fonts of the elements that are open, for a page that names a font of signs."""

    def __init__(self) -> None:
        self._fonts: list[str] = []

    def enter(self, node: LexborNode) -> None:
        """Enter an element."""
        font = _find_font(node.attributes)
        self._fonts.append(font if font is not None else self._fonts[-1] if self._fonts else "")

    def leave(self) -> None:
        """Leave an element."""
        self._fonts.pop()

    def decode(self, text: str) -> str:
        """Return what a text shows in the font of the innermost element."""
        return decode_symbols(self._fonts[-1], text) if self._fonts and self._fonts[-1] else text


def find_symbol_fonts(source: str) -> SymbolFonts | None:
    """Return what keeps the fonts of a page, None for a page that names no font of signs."""
    lowered = source.lower()
    return SymbolFonts() if any(name in lowered for name in _SYMBOL_FONTS) else None


def _find_font(attributes: dict[str, str | None]) -> str | None:
    """Return the font of signs that an element asks for, empty for any other, None where it asks for none."""
    named = _FONT.findall(attributes.get("style") or "") or ([attributes["face"]] if attributes.get("face") else [])
    if not named:
        return None
    family = _FONT_SIZE.sub("", named[-1].strip()).partition(",")[0].strip(" \t\n'\"")
    return family if is_symbol_font(family) else ""
