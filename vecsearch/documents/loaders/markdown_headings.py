"""Headings of Markdown that are written as HTML, and what a heading says: without its markup, and without badges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Final, TypeAlias

from vecsearch.documents.loaders.headings import Heading

Line: TypeAlias = tuple[int, str]  # where it starts, and what it says

_HEADING_MAX: Final = 1_000  # characters looked at: a longer one is no title
_HEADING_LINES_MAX: Final = 20
_IMAGE: Final = re.compile(
    r"!\[(?P<alt>[^\]\[]*)\](?:\((?P<target>[^()]*)\)|\[[^\]\[]*\])|<img\b(?P<attributes>[^>]*)>", re.IGNORECASE
)
_LINKED_IMAGE: Final = re.compile(r"\[\s*(!\[[^\]\[]*\](?:\(([^()]*)\)|\[[^\]\[]*\]))\s*\](?:\([^()]*\)|\[[^\]\[]*\])")
_ALT: Final = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_BADGE_TARGET: Final = re.compile(
    r"badge|shields\.io|travis-ci|circleci|codecov|coveralls|appveyor|/workflows/|goreportcard|gitter\.im|snyk\.io|\.svg\?",
    re.IGNORECASE,
)
_EMPTY_WORDS: Final = re.compile(
    r"(?:logo|icon|banner|image|build|ci|tests?|coverage|licen[cs]e|docs|documentation|downloads|version|release"
    r"|(?:npm|pypi|latest)(?: version)?)(?:[ -](?:status|badge|passing|coverage))?$",
    re.IGNORECASE,
)
_MARKUP: Final = (
    (re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])"), r"\1"),  # links
    (re.compile(r"<br\b[^>]*>", re.IGNORECASE), " "),
    (re.compile(r"</?[A-Za-z][^>]*>"), ""),
    (re.compile(r"[ \t]*\{[#.:][^}]*\}[ \t]*$"), ""),  # attributes
    (re.compile(r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w\\])([*_])(?=\S)(.+?)(?<=[^\s\\])\1(?!\w)"), r"\2"),
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),  # escapes
)
_MARKUP_CHARACTERS: Final = re.compile(r"[\[<{*_~`\\]")
_TAG_LINE: Final = re.compile(r" {0,3}</?[A-Za-z]")
_OPENING: Final = re.compile(r"<h([1-6])(?:\s[^>]*)?>", re.IGNORECASE)
_CLOSING: Final = re.compile(r"</h[1-6]\s*>", re.IGNORECASE)


def strip_markup(heading: str) -> str:
    """Return a heading without its markup; an image is what it shows, a badge or a nameless logo nothing."""
    heading = heading[:_HEADING_MAX]
    if _MARKUP_CHARACTERS.search(heading):
        heading = _IMAGE.sub(_describe_image, _LINKED_IMAGE.sub(_unlink_image, heading))
        for pattern, replacement in _MARKUP:
            heading = pattern.sub(replacement, heading)
    return " ".join(unescape(heading).split())


def find_html_headings(prose: Iterable[Line]) -> Iterator[Heading]:
    """Yield the headings in blocks of HTML, of which one may run over a few lines; `prose` is without code."""
    is_block, level, start, words = False, 0, 0, list[str]()
    for place, line in prose:
        opening = None
        if not level:
            is_block = bool(line.strip()) and (is_block or _TAG_LINE.match(line) is not None)
            opening = _OPENING.search(line) if is_block else None
            if opening is None:
                continue
            level, start, words = int(opening[1]), place, []
        closing = _CLOSING.search(line, opening.end() if opening else 0)
        words.append(line[opening.end() if opening else 0 : closing.start() if closing else None])
        if closing:
            yield Heading(start, place + len(line), level, strip_markup(" ".join(words)))
        if closing or len(words) == _HEADING_LINES_MAX:
            level = 0


def _unlink_image(match: re.Match[str]) -> str:
    """Return the image alone; nothing for a badge, which is a drawing by its name or a reference."""
    target = match[2]
    return "" if target is None or ".svg" in target.lower() else match[1]


def _describe_image(match: re.Match[str]) -> str:
    attributes = match["attributes"]
    if attributes is None:
        target, words = match["target"] or "", match["alt"]
    else:
        alt = _ALT.search(attributes)
        target, words = attributes, next(filter(None, alt.groups()), "") if alt else ""
    return "" if _BADGE_TARGET.search(target) or _EMPTY_WORDS.match(words.strip()) else words
