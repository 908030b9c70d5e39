"""The numbers that Word prints before headings and list items, which stand nowhere in the text: "2.1", "(a)", "iv."."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vecsearch.documents.loaders.office.package import XmlElement, find_child, get_attribute, get_local_name, iter_descendants

_LEVELS_MAX: Final = 9
_LEVEL_PLACEHOLDER: Final = re.compile(r"%([1-9])")
_ROMAN_NUMERALS: Final = {
    "m": 1000, "cm": 900, "d": 500, "cd": 400, "c": 100, "xc": 90, "l": 50, "xl": 40, "x": 10, "ix": 9, "v": 5, "iv": 4, "i": 1,
}  # fmt: skip


class _ListLevel(NamedTuple):
    start: int = 1
    kind: str = "decimal"
    text: str = ""
    style: str = ""


@dataclass(slots=True)
class ListNumbering:
    """The lists of a document, counted on as their items come."""

    _lists: dict[str, tuple[str, dict[int, _ListLevel]]] = field(default_factory=dict)
    _restarts: dict[str, dict[int, int]] = field(default_factory=dict)
    _counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def find_level(self, number: str, style: str) -> int:
        """Return the level of a list that a paragraph style stands for, the outermost where none does."""
        _, levels = self._lists.get(number, ("", {}))
        return next((depth for depth, level in levels.items() if level.style == style), 0)

    def format_next_label(self, number: str, depth: int) -> str:
        """Return what stands before the next item of a list on a level (0 the outermost); nothing before a bullet's."""
        abstract, levels = self._lists.get(number, ("", {}))
        if depth not in levels:
            return ""
        counts = self._counts.setdefault(abstract, {})
        for restarted, start in self._restarts.pop(number, {}).items():
            counts[restarted] = start - 1
        counts[depth] = counts.get(depth, levels[depth].start - 1) + 1
        for deeper in [level for level in counts if level > depth]:
            del counts[deeper]
        if levels[depth].kind in ("bullet", "none"):
            return ""
        return _LEVEL_PLACEHOLDER.sub(lambda place: _format_level(levels, counts, int(place[1]) - 1), levels[depth].text)


def read_numbering(root: XmlElement | None) -> ListNumbering:
    """Return the lists of word/numbering.xml."""
    definitions = ListNumbering()
    if root is None:
        return definitions
    abstracts = {
        get_attribute(child, "abstractNumId"): _read_levels(child) for child in root if get_local_name(child) == "abstractNum"
    }
    for child in root:
        if get_local_name(child) == "num":
            number, abstract = get_attribute(child, "numId"), get_attribute(find_child(child, "abstractNumId"), "val")
            definitions._lists[number] = (abstract, {**abstracts.get(abstract, {}), **_read_levels(child)})
            definitions._restarts[number] = {
                parse_small_int(get_attribute(over, "ilvl"), 0): parse_small_int(
                    get_attribute(find_child(over, "startOverride"), "val"), 1
                )
                for over in child
                if find_child(over, "startOverride") is not None
            }
    return definitions


def parse_small_int(value: str, default: int) -> int:
    """Return a number of a few digits, else the default."""
    return int(value) if value.isdecimal() and len(value) < 7 else default


def _read_levels(element: XmlElement) -> dict[int, _ListLevel]:
    return {
        parse_small_int(get_attribute(child, "ilvl"), 0): _ListLevel(
            parse_small_int(get_attribute(find_child(child, "start"), "val"), 1),
            get_attribute(find_child(child, "numFmt"), "val") or "decimal",
            get_attribute(find_child(child, "lvlText"), "val"),
            get_attribute(find_child(child, "pStyle"), "val"),
        )
        for child in iter_descendants(element, "lvl")
    }


def _format_level(levels: dict[int, _ListLevel], counts: dict[int, int], depth: int) -> str:
    level = levels.get(depth, _ListLevel())
    return _format_number(counts.get(depth, level.start), level.kind)


def _format_number(number: int, kind: str) -> str:
    if kind.endswith("Letter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, _LEVELS_MAX)
        return letters.upper() if kind.startswith("upper") else letters
    if kind.endswith("Roman") and 0 < number < 4000:
        return _format_roman(number).upper() if kind.startswith("upper") else _format_roman(number)
    return f"{number:02}" if kind == "decimalZero" else str(number)


def _format_roman(number: int) -> str:
    letters = ""
    for letter, value in _ROMAN_NUMERALS.items():
        letters += letter * (number // value)
        number %= value
    return letters
