"""The numbers that Word prints before headings and list items, which stand nowhere in the text: "2.1", "(a)", "iv."."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vecsearch.documents.loaders.office.package import Xml, attribute, child, descendants, local

_LEVELS: Final = 9
_PLACE: Final = re.compile(r"%([1-9])")
_ROMAN: Final = {
    "m": 1000, "cm": 900, "d": 500, "cd": 400, "c": 100, "xc": 90, "l": 50, "xl": 40, "x": 10, "ix": 9, "v": 5, "iv": 4, "i": 1,
}  # fmt: skip


class _Level(NamedTuple):
    start: int = 1
    kind: str = "decimal"
    text: str = ""
    style: str = ""


@dataclass(slots=True)
class Numbering:
    """The lists of a document, counted on as their items come."""

    _lists: dict[str, tuple[str, dict[int, _Level]]] = field(default_factory=dict)
    _restarts: dict[str, dict[int, int]] = field(default_factory=dict)
    _counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def level_of(self, number: str, style: str) -> int:
        """The level of a list that a paragraph style stands for, the outermost where none does."""
        _, levels = self._lists.get(number, ("", {}))
        return next((depth for depth, level in levels.items() if level.style == style), 0)

    def label(self, number: str, depth: int) -> str:
        """What stands before the next item of a list on a level (0 the outermost); nothing before a bullet's."""
        abstract, levels = self._lists.get(number, ("", {}))
        if depth not in levels:
            return ""
        counts = self._counts.setdefault(abstract, {})
        for restarted, start in self._restarts.pop(number, {}).items():
            counts[restarted] = start - 1
        counts[depth] = counts.get(depth, levels[depth].start - 1) + 1
        for deeper in [each for each in counts if each > depth]:
            del counts[deeper]
        if levels[depth].kind in ("bullet", "none"):
            return ""
        return _PLACE.sub(lambda place: _shown(levels, counts, int(place[1]) - 1), levels[depth].text)


def numbering(root: Xml | None) -> Numbering:
    """The lists of word/numbering.xml."""
    found = Numbering()
    if root is None:
        return found
    abstracts = {attribute(each, "abstractNumId"): _levels(each) for each in root if local(each) == "abstractNum"}
    for each in root:
        if local(each) == "num":
            number, abstract = attribute(each, "numId"), attribute(child(each, "abstractNumId"), "val")
            found._lists[number] = (abstract, {**abstracts.get(abstract, {}), **_levels(each)})
            found._restarts[number] = {
                whole(attribute(over, "ilvl"), 0): whole(attribute(child(over, "startOverride"), "val"), 1)
                for over in each
                if child(over, "startOverride") is not None
            }
    return found


def whole(value: str, default: int) -> int:
    """A number of a few digits, else the default."""
    return int(value) if value.isdecimal() and len(value) < 7 else default


def _levels(element: Xml) -> dict[int, _Level]:
    return {
        whole(attribute(each, "ilvl"), 0): _Level(
            whole(attribute(child(each, "start"), "val"), 1),
            attribute(child(each, "numFmt"), "val") or "decimal",
            attribute(child(each, "lvlText"), "val"),
            attribute(child(each, "pStyle"), "val"),
        )
        for each in descendants(element, "lvl")
    }


def _shown(levels: dict[int, _Level], counts: dict[int, int], depth: int) -> str:
    level = levels.get(depth, _Level())
    return _formatted(counts.get(depth, level.start), level.kind)


def _formatted(number: int, kind: str) -> str:
    if kind.endswith("Letter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, _LEVELS)
        return letters.upper() if kind.startswith("upper") else letters
    if kind.endswith("Roman") and 0 < number < 4000:
        return _roman(number).upper() if kind.startswith("upper") else _roman(number)
    return f"{number:02}" if kind == "decimalZero" else str(number)


def _roman(number: int) -> str:
    letters = ""
    for letter, value in _ROMAN.items():
        letters += letter * (number // value)
        number %= value
    return letters
