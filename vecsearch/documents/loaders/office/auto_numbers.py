"""The numbers that PowerPoint prints before the paragraphs of a shape, which stand nowhere in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vecsearch.documents.loaders.list_numbers import format_number
from vecsearch.documents.loaders.office.numbering import parse_small_int
from vecsearch.documents.loaders.office.package import XmlElement, find_child, get_attribute, get_local_name

_SCHEME: Final = re.compile("(alpha|roman|arabic)(Lc|Uc)?(?:Db)?(Plain|Period|ParenR|ParenBoth|Minus)?")
_KINDS: Final = {"alphaLc": "lowerAlpha", "alphaUc": "upperAlpha", "romanLc": "lowerRoman", "romanUc": "upperRoman"}
_FRAMES: Final = {"ParenR": "{})", "ParenBoth": "({})", "Plain": "{}", "Minus": "{} -"}


class _RunningNumber(NamedTuple):
    scheme: str
    start: int
    last: int


@dataclass(slots=True)
class AutoNumbers:
    """The numbers of one shape's paragraphs, by their levels, as they come; `styles` is its list of styles by level."""

    styles: XmlElement | None
    _running: dict[int, _RunningNumber] = field(default_factory=dict)

    def count_paragraph(self, paragraph: XmlElement) -> str:
        """Return what stands before a paragraph that has a text, nothing where it is not numbered."""
        own = find_child(paragraph, "pPr")
        level = parse_small_int(get_attribute(own, "lvl"), 0)
        levels = (own, find_child(self.styles, f"lvl{level + 1}pPr"))
        numbering = next((element for element in map(_find_numbering, levels) if element is not None), None)
        self._running = {depth: number for depth, number in self._running.items() if depth <= level}
        if numbering is None or get_local_name(numbering) != "buAutoNum":
            self._running.pop(level, None)
            return ""
        scheme, start = get_attribute(numbering, "type"), parse_small_int(get_attribute(numbering, "startAt"), 1)
        before = self._running.get(level)
        last = before.last if before and (before.scheme, before.start) == (scheme, start) else start - 1
        self._running[level] = _RunningNumber(scheme, start, last + 1)
        return _format_scheme(last + 1, scheme)


def _find_numbering(properties: XmlElement | None) -> XmlElement | None:
    """Return what some properties say of the bullet, None where they say nothing."""
    named = (find_child(properties, name) for name in ("buAutoNum", "buNone", "buChar", "buBlip"))
    return next((element for element in named if element is not None), None)


def _format_scheme(number: int, scheme: str) -> str:
    match = _SCHEME.match(scheme)
    if not match:
        return f"{number}."
    kind = _KINDS.get(f"{match[1]}{match[2] or ''}", "decimal")
    return _FRAMES.get(match[3] or "Plain", "{}.").format(format_number(number, kind))
