"""The numbers that are printed before headings and list items and stand nowhere in the text: "2.1", "(a)", "iv."."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

_LEVELS_MAX: Final = 9
_LEVEL_PLACEHOLDER: Final = re.compile(r"%([1-9])")
_ROMAN_NUMERALS: Final = {
    "m": 1000, "cm": 900, "d": 500, "cd": 400, "c": 100, "xc": 90, "l": 50, "xl": 40, "x": 10, "ix": 9, "v": 5, "iv": 4, "i": 1,
}  # fmt: skip
_HAN_DIGITS: Final = "〇一二三四五六七八九"
_HAN_UNITS: Final = ("", "十", "百", "千")
_RUSSIAN: Final = "абвгдежзиклмнопрстуфхцчшщэюя"
_CIRCLED_ONE: Final = 0x2460


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
    """Return a number in digits, or in letters or other numerals where `kind` ("lowerLetter", "upperRoman", "chineseCounting" and
    others) says so and there is one. After z, "Letter" goes on with aa, bb, as Word does, and "Alpha" with aa, ab."""
    text = str(number)
    if kind.endswith("Letter") and number > 0:
        text = chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, _LEVELS_MAX)
    elif kind.endswith("Alpha") and number > 0:
        text = _format_alphabetic(number)
    elif kind.endswith("Roman") and 0 < number < 4000:
        text = _format_roman(number)
    elif kind in _FORMATTERS and number > 0:
        text = _FORMATTERS[kind](number)
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


def _format_han(number: int, *, is_japanese: bool = False) -> str:
    """Return 十二, 一百零五, which is 百五 in Japanese; larger numbers digit by digit."""
    digits = str(number)
    if len(digits) > len(_HAN_UNITS):
        return "".join(_HAN_DIGITS[int(digit)] for digit in digits)
    text, is_gap = "", False
    for place, digit in enumerate(map(int, digits)):
        unit = _HAN_UNITS[len(digits) - 1 - place]
        is_one_left_out = digit == 1 and unit and (is_japanese or (unit == "十" and not text))
        if digit:
            text += "零" * (is_gap and not is_japanese) + ("" if is_one_left_out else _HAN_DIGITS[digit]) + unit
        is_gap = digit == 0
    return text


def _format_circled(number: int) -> str:
    return chr(_CIRCLED_ONE + number - 1) if number <= 20 else str(number)


def _format_russian(number: int) -> str:
    return _RUSSIAN[(number - 1) % len(_RUSSIAN)] * min(1 + (number - 1) // len(_RUSSIAN), _LEVELS_MAX)


_FORMATTERS: Final[Mapping[str, Callable[[int], str]]] = {
    "decimalZero": "{:02}".format,
    "decimalFullWidth": lambda number: "".join(chr(0xFF10 + int(digit)) for digit in str(number)),
    "decimalEnclosedCircle": _format_circled,
    "decimalEnclosedCircleChinese": _format_circled,
    "russianLower": _format_russian,
    "russianUpper": lambda number: _format_russian(number).upper(),
    **dict.fromkeys(
        ("chineseCounting", "chineseCountingThousand", "taiwaneseCounting", "taiwaneseCountingThousand"), _format_han
    ),
    "japaneseCounting": partial(_format_han, is_japanese=True),
}
