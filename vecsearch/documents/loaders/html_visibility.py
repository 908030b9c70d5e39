"""Which elements of a page are not shown: by what they are, by their style, or because another of a drawing's choices is."""

from __future__ import annotations

from itertools import chain
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from vecsearch.documents.loaders.html_style_sheets import find_hidden_by_sheets, has_hiding_value, parse_style

_NEVER_SHOWN: Final = frozenset(
    "head script style noscript template iframe object embed canvas audio video datalist nav ix:header symbol metadata".split()
)
_UNDRAWN_TEXT: Final = frozenset("svg g defs switch marker pattern clipPath mask".split())  # text right inside is not drawn
_WHOLE_PAGE: Final = frozenset(("html", "body"))  # a script shows them once the page is ready
_MAY_HIDE: Final = "[hidden], [style], [aria-hidden], dialog, svg [display], svg [visibility]"
_SHOWING: Final = frozenset(("display", "visibility"))  # which elements of a drawing have as attributes too
_CONTAINERS: Final = frozenset("div main article section form".split())
_CONTENT: Final = "h1, h2, h3, h4, h5, h6, p, article, main"


def is_never_shown(node: LexborNode) -> bool:
    """Return whether an element is none that is shown, whatever its attributes say; a header of inline XBRL is none."""
    return node.tag in _NEVER_SHOWN


def find_hidden(tree: LexborHTMLParser) -> frozenset[int]:
    """Return the `mem_id` of each element that hides itself by `hidden`, its style, or `aria-hidden`, as an icon does, or that a
    style sheet hides."""
    by_itself = (node for node in tree.css(_MAY_HIDE) if _is_hidden(node))
    by_sheets = (node for node in find_hidden_by_sheets(tree) if not _is_shown(node))
    return frozenset(node.mem_id for node in chain(by_itself, by_sheets) if node.tag not in _WHOLE_PAGE)


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if "hidden" in attributes and (attributes["hidden"] or "").strip().lower() != "until-found":
        return True
    if (attributes.get("aria-hidden") or "").strip().lower() == "true" and not _is_behind_dialog(node):
        return True
    if node.tag == "dialog" and "open" not in attributes:
        return True
    drawn_style = {name: (attributes.get(name) or "").strip() for name in _SHOWING}
    return has_hiding_value(drawn_style | parse_style(attributes.get("style") or ""))


def _is_shown(node: LexborNode) -> bool:
    """Return whether an element shows itself, whatever a style sheet says."""
    style = parse_style(node.attributes.get("style") or "")
    return not _SHOWING.isdisjoint(style) and not has_hiding_value(style)


def is_undrawn_text(node: LexborNode) -> bool:
    """Return whether a text node of a drawing is not shown: only some elements show theirs."""
    return node.parent is not None and node.parent.tag in _UNDRAWN_TEXT


def is_other_choice(node: LexborNode) -> bool:
    """Return whether it stands in a <switch> of a drawing, which shows one of its elements: the first for every language."""
    if node.parent is None or node.parent.tag != "switch":
        return False
    before, after = _find_sibling(node, "prev"), _find_sibling(node, "next")
    if before is not None and "systemLanguage" not in before.attributes:
        return True
    return after is not None and "systemLanguage" in node.attributes


def _is_behind_dialog(node: LexborNode) -> bool:
    """Return whether an element is what lies behind a dialog that stood open when the page was saved."""
    is_part_of_page = node.tag in _CONTAINERS and node.parent is not None and node.parent.tag == "body"
    return is_part_of_page and node.css_first(_CONTENT) is not None


def _find_sibling(node: LexborNode, direction: str) -> LexborNode | None:
    """Return the next element in a direction, `prev` or `next`."""
    sibling: LexborNode | None = getattr(node, direction)
    while sibling is not None and not sibling.is_element_node:
        sibling = getattr(sibling, direction)
    return sibling
