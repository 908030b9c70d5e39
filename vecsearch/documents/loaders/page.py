"""The words of a page as a reader sees them: paragraphs apart, a list item or a table row a line. No scripts, styles or menus."""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_DROPPED: Final = _tags("head script style noscript template svg iframe object embed canvas audio video datalist nav")
_PARAGRAPHS: Final = _tags(
    "p div section article header footer main aside h1 h2 h3 h4 h5 h6 ul ol dl menu dir table pre blockquote figure form "
    "fieldset address hr details dialog center body hgroup search listing xmp frameset"
)
_LINES: Final = _tags("li dt dd tr br caption legend figcaption summary option optgroup thead tbody tfoot")
_CELLS: Final = _tags("td th")
_PRE: Final = _tags("pre listing xmp textarea")
_LINKS: Final = _tags("a button")

_TITLE_TAG: Final = re.compile("<title[^>]*>", re.IGNORECASE)

# What may stand between two words; where several meet, the widest counts.
_NOTHING, _SPACE, _CELL, _LINE, _PARAGRAPH = range(5)
_GAPS: Final = ("", " ", " | ", "\n", "\n\n")


def html_text(source: str) -> tuple[str | None, str]:
    """The title (<title>, else the first <h1>, else None) and the text of a page, which may be empty. Takes any HTML."""
    tree = LexborHTMLParser(source)
    page = _Page()
    if tree.root is not None:
        _walk(tree.root, page)
    text = "".join(page.parts).rstrip()
    head = tree.css_first("head > title")
    title = " ".join(head.text().split()) if head is not None else ""
    if not text and "<" in title:  # never closed, it swallowed the page
        return html_text(_TITLE_TAG.sub("", source))
    return title or page.heading, text


class _Page:
    """The text so far, and the gap that the next word is due."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.heading: str | None = None
        self._gap = _NOTHING
        self._heading_from: int | None = None
        self._inside = {"cell": 0, "item": 0, "pre": 0}

    def enter(self, node: LexborNode, tag: str) -> None:
        self._widen(node, tag)
        if tag == "img":
            self._words(f" {node.attributes.get('alt') or ''} ")
        elif tag == "h1" and self.heading is None:
            self._heading_from = len(self.parts)
        self._count(node, tag, 1)

    def leave(self, node: LexborNode, tag: str) -> None:
        self._count(node, tag, -1)
        self._widen(node, tag)
        if tag == "h1" and self._heading_from is not None:
            self.heading = " ".join("".join(self.parts[self._heading_from :]).split()) or None
            self._heading_from = None
        elif tag in _PRE:
            self._end_lines()
        elif tag in _LINKS and node.next is not None and node.next.tag in _LINKS:
            self._gap = max(self._gap, _SPACE)  # a style sheet keeps the entries of a menu apart

    def text(self, text: str) -> None:
        text = text.replace("\xad", "")  # a hyphen that only shows where a line breaks
        if self._inside["pre"] and not self._inside["cell"]:
            self._add(text.lstrip("\n") if self._gap >= _LINE else text)
        else:
            self._words(text)

    def _words(self, text: str) -> None:
        if text[:1].isspace():
            self._gap = max(self._gap, _SPACE)
        if words := " ".join(text.split()):
            self._add(words)
            if text[-1].isspace():
                self._gap = _SPACE

    def _add(self, text: str) -> None:
        if text:
            self.parts.append((_GAPS[self._gap] if self.parts else "") + text)
            self._gap = _NOTHING

    def _end_lines(self) -> None:
        """Drop the empty lines at the end: the gap that follows says it."""
        while self.parts and not self.parts[-1].strip("\n"):
            self.parts.pop()
        if self.parts:
            self.parts[-1] = self.parts[-1].rstrip("\n")

    def _widen(self, node: LexborNode, tag: str) -> None:
        """A block's gap, kept within the line of a table cell and, but for line breaks, of a list item."""
        gap = _PARAGRAPH if tag in _PARAGRAPHS else _LINE if tag in _LINES else _NOTHING
        if tag in _CELLS:
            gap = _CELL if _in_grid(node) else _PARAGRAPH
        if gap > _CELL and self._inside["cell"]:
            gap = _SPACE
        elif gap > _LINE and self._inside["item"]:
            gap = _LINE
        self._gap = max(self._gap, gap)

    def _count(self, node: LexborNode, tag: str, step: int) -> None:
        if tag in _CELLS and _in_grid(node):
            self._inside["cell"] += step
        elif tag == "li":
            self._inside["item"] += step
        elif tag in _PRE:
            self._inside["pre"] += step


def _in_grid(cell: LexborNode) -> bool:
    """Whether a cell is one value in a row; a cell with a table in it is a piece of layout."""
    return cell.css_first("table") is None


def _walk(root: LexborNode, page: _Page) -> None:
    """Each element entered and left, in order. No recursion: pages nest as deep as they like."""
    open_tags: list[tuple[LexborNode, str]] = []
    node: LexborNode | None = root
    while node is not None:
        child = _visit(node, page)
        if child is not None:
            open_tags.append((node, node.tag or ""))
            node = child
            continue
        while node is not None and node.next is None:
            node = None
            if open_tags:
                node, tag = open_tags.pop()
                page.leave(node, tag)
        node = node.next if node is not None else None


def _visit(node: LexborNode, page: _Page) -> LexborNode | None:
    """Take a node in; gives the first child where there is one to go on with."""
    if node.is_text_node:
        page.text(node.text_content or "")
    if not node.is_element_node or node.tag in _DROPPED:
        return None
    tag = node.tag or ""
    page.enter(node, tag)
    if node.first_child is None:
        page.leave(node, tag)
    return node.first_child
