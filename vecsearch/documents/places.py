"""From offsets to places: which page, lines, rows, heading or time the characters of a chunk have in their source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

from vecsearch.core.types import Cut, Section, Span

_COUNTED: Final = ("lines", "rows")  # one more with each line break of the text


class Places:
    """Finds the places of chunks; quickest when asked in ascending order."""

    def __init__(self, text: str, sections: Sequence[Section]) -> None:
        self._text, self._sections = text, sections
        self._starts = [each.start for each in sections]
        self._at, self._breaks = 0, 0
        self._begun: dict[int, int] = {}

    def cuts(self, spans: Sequence[Span]) -> list[Cut]:
        """Each span with its place, and with the context of the section that it begins in."""
        return [self._cut(span) for span in spans]

    def _cut(self, span: Span) -> Cut:
        chunk = self._text[span.start : span.end]
        first = span.start + len(chunk) - len(chunk.lstrip())
        last = span.start + len(chunk.rstrip()) - 1
        one, other = self._section(first), self._section(last)
        place: dict[str, Any] = dict(one.place)
        for key in _COUNTED:
            if key in place:
                end = self._number(other, key, last) if key in other.place else place[key]
                place[key] = [self._number(one, key, first), end]
        if "time" in place and "time" in other.place:
            place["time"] = [place["time"][0], other.place["time"][1]]
        return Cut(span.start, span.end, place, one.context)

    def _section(self, offset: int) -> Section:
        return self._sections[max(0, bisect_right(self._starts, offset) - 1)]

    def _number(self, section: Section, key: str, offset: int) -> int:
        if section.start not in self._begun:  # asked for once: a section may be all of a long text
            self._begun[section.start] = self._breaks_before(section.start)
        return int(section.place[key]) + self._breaks_before(offset) - self._begun[section.start]

    def _breaks_before(self, offset: int) -> int:
        """Line breaks before an offset, counted on from the one asked for last."""
        if offset >= self._at:
            self._breaks += self._text.count("\n", self._at, offset)
        else:
            self._breaks -= self._text.count("\n", offset, self._at)
        self._at = offset
        return self._breaks
