"""What the style sheets of a page hide for good: by a class or an id, while no rule shows it and no script can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

_SHEETS_MAX: Final = 1_000_000  # characters that are looked at
_SELECTORS_MAX: Final = 200
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_BRACE: Final = re.compile(r"[{}]")
_SIMPLE_SELECTOR: Final = re.compile(r"[A-Za-z][\w-]*(?:[.#][A-Za-z_][\w-]*)+$|(?:[.#][A-Za-z_][\w-]*)+$")
_NAME: Final = re.compile(r"[.#][A-Za-z_][\w-]*")
_HIDING: Final = frozenset((("display", "none"), ("visibility", "hidden"), ("visibility", "collapse")))
_HIDING_PROPERTIES: Final = frozenset(("display", "visibility"))


def parse_style(style: str) -> dict[str, str]:
    """Return the declarations of a style in lower case, without `!important`; the last of a name counts."""
    pairs = (declaration.partition(":") for declaration in style.lower().split(";"))
    return {name.strip(): value.partition("!")[0].strip() for name, _, value in pairs}


def has_hiding_value(style: dict[str, str]) -> bool:
    """Return whether declarations hide an element."""
    return not _HIDING.isdisjoint(style.items())


def find_hidden_by_sheets(tree: LexborHTMLParser) -> list[LexborNode]:
    """Return the elements that a style sheet in the page hides; none where a script may show them."""
    sheets = "\n".join(node.text() for node in tree.css("style"))
    if not 0 < len(sheets) <= _SHEETS_MAX or tree.css_first("script") is not None:
        return []
    hiding, shown = list[str](), set[str]()
    for selectors, style, is_conditional in _iter_rules(_COMMENT.sub("", sheets)):
        if has_hiding_value(style):
            hiding += [] if is_conditional else selectors
        elif not _HIDING_PROPERTIES.isdisjoint(style):
            shown.update(name for selector in selectors for name in _NAME.findall(selector))
    simple = (selector for selector in dict.fromkeys(hiding) if _SIMPLE_SELECTOR.match(selector))
    chosen = [selector for selector in simple if shown.isdisjoint(_NAME.findall(selector))]
    return tree.css(", ".join(chosen[:_SELECTORS_MAX])) if chosen else []


def _iter_rules(sheets: str) -> Iterator[tuple[list[str], dict[str, str], bool]]:
    """Yield the selectors of each rule, its style, and whether it stands inside another, such as one for small screens."""
    preludes: list[str] = []
    start = 0
    for brace in _BRACE.finditer(sheets):
        words = sheets[start : brace.start()]
        if brace[0] == "{":
            preludes.append(words.rpartition(";")[2])
        elif preludes:
            selectors = [selector.strip() for selector in preludes.pop().split(",")]
            yield selectors, parse_style(words), bool(preludes)
        start = brace.end()
