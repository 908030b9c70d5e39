"""XHTML as a parser of HTML takes it: there `<script/>` opens an element that swallows the page, and CDATA is a comment."""

from __future__ import annotations

import re
from html import escape
from itertools import islice
from typing import Final

_SEARCH_CHARACTERS: Final = 4_096
_XHTML: Final = re.compile(r"\s*<\?xml\b|.*?\bxmlns(?::\w+)?\s*=\s*[\"']http://www\.w3\.org/1999/xhtml[\"']", re.DOTALL)
_VOID_TAGS: Final = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_ATTRIBUTES: Final = r"(?:[^<>\"'/]++|/(?!>)|\"[^\"]*\"|'[^']*')*+"
_TOKEN: Final = re.compile(  # what is never closed reaches to the end, so that each place is looked at once
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(?P<words>.*?)(?:\]\]>|\Z)"
    rf"|<(?P<raw>script|style)\b{_ATTRIBUTES}>.*?(?:</(?P=raw)|\Z)"
    rf"|<(?P<tag>[A-Za-z][\w:.-]*+)(?P<attributes>{_ATTRIBUTES})/>",
    re.DOTALL | re.IGNORECASE,
)
_NAMESPACE: Final = re.compile(r"\bxmlns:([\w.-]+)\s*=\s*[\"']http://www\.w3\.org/(?:1999/xhtml|2000/svg)[\"']")
_PREFIXES_MAX: Final = 10


def is_xhtml(source: str) -> bool:
    """Return whether a page says that it is XML."""
    return _XHTML.match(source[:_SEARCH_CHARACTERS]) is not None


def convert_to_html(source: str) -> str:
    """Return a page of XHTML in which elements that close themselves have an end tag, those of HTML and SVG no prefix, and
    CDATA sections are words."""
    prefixes = set(islice(_NAMESPACE.findall(source[:_SEARCH_CHARACTERS]), _PREFIXES_MAX))
    if prefixes:
        source = re.sub(f"(</?)(?:{'|'.join(map(re.escape, prefixes))}):", r"\1", source)
    return _TOKEN.sub(_convert_token, source)


def _convert_token(match: re.Match[str]) -> str:
    if match["words"] is not None:
        return escape(match["words"], quote=False)
    if match["tag"] is None or match["tag"].lower() in _VOID_TAGS:
        return match[0]
    return f"<{match['tag']}{match['attributes']}></{match['tag']}>"
