"""The numbers that are printed before headings and list items and stand nowhere in the text: "2.1", "(a)", "iv."."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_LEVELS_MAX: Final = 9
_LEVEL_PLACEHOLDER: Final = re.compile(r"%([1-9])")
_ROMAN_NUMERALS: Final = {
    "m": 1000, "cm": 900, "d": 500, "cd": 400, "c": 100, "xc": 90, "l": 50, "xl": 40, "x": 10, "ix": 9, "v": 5, "iv": 4, "i": 1,
}  # fmt: skip


class ListLevel(NamedTuple):
    """How one level of a list is numbered: the first number, its kind as `format_number` knows it ("bullet" and "none" print
    nothing), and the text with %1 to %9 where the numbers of levels stand. `restart_levels` is after how many of the outer levels
    it begins anew, the outermost first; `is_legal`: the numbers of all levels are printed in digits."""

    start: int = 1
    kind: str = "decimal"
    text: str = ""
    style: str = ""
    restart_levels: int = _LEVELS_MAX
    is_legal: bool = False


def count_item(levels: Mapping[int, ListLevel], counts: dict[int, int], depth: int) -> str:
    """Count the next item on a level that `levels` has, and return what stands before it; deeper ones may begin anew."""
    counts[depth] = counts.get(depth, levels[depth].start - 1) + 1
    for deeper in [level for level in counts if level > depth]:
        if depth < levels.get(deeper, ListLevel()).restart_levels:
            del counts[deeper]
    if levels[depth].kind in ("bullet", "none"):
        return ""

    def format_level(place: re.Match[str]) -> str:
        level = levels.get(int(place[1]) - 1, ListLevel())
        number = counts.get(int(place[1]) - 1, level.start)
        return format_number(number, "decimal" if levels[depth].is_legal else level.kind)

    return _LEVEL_PLACEHOLDER.sub(format_level, levels[depth].text)


def format_number(number: int, kind: str) -> str:
    """Return a number in digits, or as letters or Roman numerals where `kind` ("lowerLetter", "upperRoman" and the like) says
    so and there is one. After z, "Letter" goes on with aa, bb, as Word does, and "Alpha" with aa, ab."""
    text = str(number)
    if kind.endswith("Letter") and number > 0:
        text = chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, _LEVELS_MAX)
    elif kind.endswith("Alpha") and number > 0:
        text = _format_alphabetic(number)
    elif kind.endswith("Roman") and 0 < number < 4000:
        text = _format_roman(number)
    elif kind == "decimalZero":
        text = f"{number:02}"
    return text.upper() if kind.startswith("upper") else text


def _format_alphabetic(number: int) -> str:
    letters = ""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return letters


def _format_roman(number: int) -> str:
    letters = ""
    for letter, value in _ROMAN_NUMERALS.items():
        letters += letter * (number // value)
        number %= value
    return letters
