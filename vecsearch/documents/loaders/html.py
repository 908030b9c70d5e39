"""The words of a page as a reader sees them: paragraphs apart, a list item or a table row a line. Nothing hidden, no menus.

Its headings and its tables' headers stand above what is below them; what it states about itself is metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.core.types import Metadata
from vecsearch.documents.decoding import decode, find_declared_charset
from vecsearch.documents.loaders.document_info import build_metadata, map_metadata
from vecsearch.documents.loaders.headings import build_sections
from vecsearch.documents.loaders.html_layout import Layout
from vecsearch.documents.loaders.html_marks import SymbolFonts, find_symbol_fonts
from vecsearch.documents.loaders.html_visibility import find_hidden, is_never_shown, is_other_choice, is_undrawn_text
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.raw_file import RawFile, emit_document
from vecsearch.documents.loaders.xhtml import convert_to_html, is_xhtml

_TITLE_TAG: Final = re.compile("<title[^>]*>", re.IGNORECASE)

# names of <meta>, the surer one first
_AUTHORS: Final = ("author", "dc.creator", "dcterms.creator", "article:author")
_DATES: Final = {
    "article:published_time": "created", "datepublished": "created", "dcterms.created": "created", "dc.date.created": "created",
    "dcterms.date": "created", "dc.date": "created", "date": "created",
    "article:modified_time": "modified", "datemodified": "modified", "dcterms.modified": "modified", "last-modified": "modified",
    "og:updated_time": "modified",
}  # fmt: skip


class Page(NamedTuple):
    """What a page says; `text` may be empty, `title` is None without a <title> worth the name and without <h1>."""

    title: str | None
    text: str
    sections: tuple[Section, ...]
    metadata: Metadata


def load_html(raw: RawFile) -> Iterator[LoaderItem]:
    """Return a page as one document."""
    page = read_page(decode(raw.data, declared=find_declared_charset(raw.data)))
    return emit_document(raw, page.text, page.title, metadata=page.metadata, sections=page.sections)


def extract_html_text(source: str) -> tuple[str | None, str]:
    """Return the title (<title>, else the first <h1>, else None) and the text of a page, which may be empty. Takes any HTML."""
    page = read_page(source)
    return page.title, page.text


def read_page(source: str) -> Page:
    """Return all that a page says. Takes any HTML."""
    tree = LexborHTMLParser(convert_to_html(source) if is_xhtml(source) else source)
    hidden = find_hidden(tree)
    layout = _build_layout(tree, find_symbol_fonts(source), hidden)
    if hidden and not layout.full_text:  # a script shows the page
        layout = _build_layout(tree, find_symbol_fonts(source), frozenset())
    text = layout.full_text
    head = tree.css_first("head > title")
    title = " ".join(head.text().split()) if head is not None else ""
    if not text and "<" in title:  # never closed, it swallowed the page
        return read_page(_TITLE_TAG.sub("", source))
    headings, tables = layout.find_headings_and_tables()
    name = normalize_title(title) or next((heading.text for heading in headings if heading.level == 1), None)
    return Page(name, text, build_sections(text, headings, name, tables), _read_metadata(tree))


def _read_metadata(tree: LexborHTMLParser) -> Metadata:
    values_by_name: dict[str, list[str]] = {}
    for attributes in (node.attributes for node in tree.css("meta")):
        name = attributes.get("name") or attributes.get("property") or attributes.get("itemprop") or attributes.get("http-equiv")
        if name and (value := (attributes.get("content") or "").strip()):
            values_by_name.setdefault(name.strip().lower(), []).append(value)
    named = {
        name: [author for author in values if "://" not in author] for name, values in values_by_name.items()
    }  # no author is an address
    author = next((named[name] for name in _AUTHORS if named.get(name)), [])
    language = tree.root.attributes.get("lang") if tree.root is not None else None
    dates = map_metadata(((name, values[0]) for name, values in values_by_name.items()), _DATES)
    return {**build_metadata(author=author, language=language), **dates}


def _build_layout(tree: LexborHTMLParser, fonts: SymbolFonts | None, hidden: frozenset[int]) -> Layout:
    layout = Layout(fonts)
    if tree.root is not None:
        _walk(tree.root, layout, hidden)
    return layout


def _walk(root: LexborNode, layout: Layout, hidden: frozenset[int]) -> None:
    """Enter and leave each element, in order. No recursion: pages nest as deep as they like."""
    open_tags: list[tuple[LexborNode, str]] = []
    node: LexborNode | None = root
    while node is not None:
        child = _visit(node, layout, hidden)
        if child is not None:
            open_tags.append((node, node.tag or ""))
            node = child
            continue
        while node is not None and node.next is None:
            node = None
            if open_tags:
                node, tag = open_tags.pop()
                layout.leave(node, tag)
        node = node.next if node is not None else None


def _visit(node: LexborNode, layout: Layout, hidden: frozenset[int]) -> LexborNode | None:
    """Take a node in; gives the first child where there is one to go on with."""
    if node.is_text_node and not (layout.is_in_drawing and is_undrawn_text(node)):
        layout.add_text(node.text_content or "")
    if not node.is_element_node or is_never_shown(node) or (layout.is_in_drawing and is_other_choice(node)):
        return None
    if node.mem_id in hidden:
        return None
    tag = node.tag or ""
    layout.enter(node, tag)
    if node.first_child is None:
        layout.leave(node, tag)
    return node.first_child
