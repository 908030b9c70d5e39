"""The types of a table's columns, told by all of their values: whole numbers, numbers, truth values, else text.

One value that is no number makes its column text, so that a filter finds values of one type under a key. A number with a leading
zero is a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

_MISSING: Final = frozenset(("nan", "na", "n/a", "#n/a", "null", "none", "-", "–", "—"))  # where all else is numbers


class _ValueType(NamedTuple):
    pattern: re.Pattern[str]
    convert: Callable[[str], Any]


def _parse_decimal_comma(text: str) -> float:
    return float(text.replace(",", "."))


_INTEGER: Final = _ValueType(re.compile(r"[-+]?(?:0|[1-9]\d{0,17})"), int)
_DECIMAL: Final = _ValueType(re.compile(r"[-+]?(?:(?:0|[1-9]\d{0,17})(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,2})?"), float)
_DECIMAL_COMMA: Final = _ValueType(re.compile(r"[-+]?(?:0|[1-9]\d{0,17})(?:,\d+)?"), _parse_decimal_comma)
_BOOLEAN: Final = _ValueType(re.compile(r"true|false", re.IGNORECASE), lambda text: text.lower() == "true")
_TYPES: Final[tuple[_ValueType, ...]] = (_INTEGER, _DECIMAL, _DECIMAL_COMMA, _BOOLEAN)  # the narrowest first


class ColumnTypes:
    """What turns the texts of each column into values."""

    def __init__(self, columns: Iterable[str], records: Iterable[Mapping[str, Any]]) -> None:
        """Look at all records; of other columns nothing is told."""
        possible = dict.fromkeys(columns, _TYPES)
        seen = set[str]()
        for values in records:
            for column, types in list(possible.items()):
                text = values.get(column, "")
                if not text or text.lower() in _MISSING:
                    continue
                seen.add(column)
                left = tuple(kind for kind in types if kind.pattern.fullmatch(text))
                if left:
                    possible[column] = left
                else:
                    del possible[column]
            if not possible:
                break
        self._conversions = {column: types[0].convert for column, types in possible.items() if column in seen}

    def convert(self, column: str, text: str) -> Any:
        """Return a value of a column, None for a number that is missing."""
        conversion = self._conversions.get(column)
        if conversion is None:
            return text
        return None if text.lower() in _MISSING else conversion(text)
