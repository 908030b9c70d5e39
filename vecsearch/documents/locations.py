"""From offsets to places: which page, box, lines, rows, heading or time the characters of a chunk have in their source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

from vecsearch.core.parsed import ChunkSpan, Section
from vecsearch.core.types import Span

_COUNTED_KEYS: Final = ("lines", "rows")  # one more with each line break of the text


class LocationFinder:
    """Finds the places of chunks; quickest when called in ascending order."""

    def __init__(self, text: str, sections: Sequence[Section]) -> None:
        self._text, self._sections = text, sections
        self._starts = [section.start for section in sections]
        self._position, self._break_count = 0, 0
        self._breaks_by_section: dict[int, int] = {}

    def locate_spans(self, spans: Sequence[Span]) -> list[ChunkSpan]:
        """Return each span with its place, and with the context of the section that it begins in."""
        return [self._locate_span(span) for span in spans]

    def _locate_span(self, span: Span) -> ChunkSpan:
        chunk = self._text[span.start : span.end]
        first = span.start + len(chunk) - len(chunk.lstrip())
        last = span.start + len(chunk.rstrip()) - 1
        one, other = self._find_section(first), self._find_section(last)
        place: dict[str, Any] = dict(one.location)
        for key in _COUNTED_KEYS:
            if key in place:
                end = self._compute_number(other, key, last) if key in other.location else place[key]
                place[key] = [self._compute_number(one, key, first), end]
        if "time" in place and "time" in other.location:
            place["time"] = [place["time"][0], other.location["time"][1]]
        if "box" in place:
            place["box"] = self._join_boxes(first, last)
        return ChunkSpan(span.start, span.end, place, one.context)

    def _join_boxes(self, first: int, last: int) -> list[int]:
        """Return the box around those of the sections that some characters are in, as far as these are boxes on one page."""
        begin, end = (bisect_right(self._starts, offset) for offset in (first, last))
        places = [section.location for section in self._sections[max(0, begin - 1) : end]]
        lefts, tops, rights, bottoms = zip(
            *(place["box"] for place in places if "box" in place and place.get("page") == places[0].get("page")), strict=True
        )
        return [min(lefts), min(tops), max(rights), max(bottoms)]

    def _find_section(self, offset: int) -> Section:
        return self._sections[max(0, bisect_right(self._starts, offset) - 1)]

    def _compute_number(self, section: Section, key: str, offset: int) -> int:
        if section.start not in self._breaks_by_section:  # computed once: a section may be all of a long text
            self._breaks_by_section[section.start] = self._count_breaks(section.start)
        return int(section.location[key]) + self._count_breaks(offset) - self._breaks_by_section[section.start]

    def _count_breaks(self, offset: int) -> int:
        """Return line breaks before an offset, counted on from the last one."""
        if offset >= self._position:
            self._break_count += self._text.count("\n", self._position, offset)
        else:
            self._break_count -= self._text.count("\n", offset, self._position)
        self._position = offset
        return self._break_count
