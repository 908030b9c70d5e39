"""Equality and order of JSON values, defined once for filters, their caches and every store.

Numbers are compared exactly, whole or not, however large; true and false are no numbers. Texts are compared by code points. Lists
are equal element by element, objects key by key, in any order of the keys; neither has an order. Less and more than a year, a
month, a day or a moment in ISO 8601 compare times where the stored text is one too, to the last digit written: beside a year, a
month or a day a stored time counts as its year, month or day in UTC, else as its beginning; a moment without an offset is in UTC.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import date
from enum import Enum
from typing import Any, Final, NamedTuple

from vecsearch.core.filters import Comparison
from vecsearch.core.types import JSON, Metadata

_DAY_SECONDS: Final = 86_400
_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()
_TIME: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:Z|([+-])(\d\d):(\d\d)(?::(\d\d))?)?)?)?)?",
    re.ASCII,
)
_ORDERS: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.EQUAL: operator.eq, Comparison.GREATER: operator.gt, Comparison.AT_LEAST: operator.ge,
    Comparison.LESS: operator.lt, Comparison.AT_MOST: operator.le,
}  # fmt: skip


class TimeUnit(Enum):
    """How much time a text in ISO 8601 names."""

    YEAR = "2024"
    MONTH = "2024-05"
    DAY = "2024-05-01"
    MOMENT = "2024-05-01T12:00"


class Time(NamedTuple):
    """A time, by its beginning: seconds in UTC from that of year 0, and the digits that follow, without zeros at the end."""

    seconds: int
    fraction: str
    unit: TimeUnit

    def round_to(self, unit: TimeUnit) -> tuple[Any, ...]:
        """Return the year, month, day or moment that it lies in, to compare with others of that unit."""
        if unit is TimeUnit.MOMENT:
            return self.seconds, self.fraction
        days = self.seconds // _DAY_SECONDS
        if unit is TimeUnit.DAY:
            return (days,)
        day = date.fromordinal(min(max(days, _FIRST_DAY), _LAST_DAY))  # an offset may lead out of what has a name
        return (day.year,) if unit is TimeUnit.YEAR else (day.year, day.month)


_UNITS: Final = {2: TimeUnit.YEAR, 3: TimeUnit.MONTH, 4: TimeUnit.DAY}  # by the first group of _TIME that is missing


def parse_time(text: str) -> Time | None:
    """Return the time that a text in ISO 8601 names; None for anything else."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, east, west, seconds_west = (int(match[group] or 0) for group in (4, 5, 6, 9, 10, 11))
    try:
        day = date(int(match[1]), int(match[2] or 1), int(match[3] or 1)).toordinal()
    except ValueError:
        return None
    if hour > 23 or max(minute, second, west, seconds_west) > 59 or east > 23:
        return None
    offset = (east * 60 + west) * 60 + seconds_west
    seconds = day * _DAY_SECONDS + (hour * 60 + minute) * 60 + second - (-offset if match[8] == "-" else offset)
    unit = next((unit for group, unit in _UNITS.items() if match[group] is None), TimeUnit.MOMENT)
    return Time(seconds, (match[7] or "").rstrip("0"), unit)


def identify_value(value: JSON) -> Hashable:
    """Return what is equal for equal values alone, and never changes: made of Python's own types, whatever the classes given."""
    match value:
        case None | bool():
            return ("constant", value)
        case int():
            return ("number", int.__int__(value))
        case float():
            return ("number", float.__float__(value))
        case str():
            return ("text", str.__str__(value))
        case list() | tuple():
            return ("list", *map(identify_value, value))
        case Mapping():
            return ("object", frozenset((str.__str__(key), identify_value(inner)) for key, inner in value.items()))
    raise TypeError(f"{type(value).__name__} is no JSON value")


def compare_values(stored: JSON, comparison: Comparison, value: JSON) -> bool:
    """Return whether a stored value is of the same type as the one given and compares so."""
    if comparison is Comparison.EQUAL:
        return identify_value(stored) == identify_value(value)
    if isinstance(value, str):
        return isinstance(stored, str) and make_text_order(comparison, value)(stored)
    return is_number(stored) and is_number(value) and _ORDERS[comparison](stored, value)


def make_text_order(comparison: Comparison, value: str) -> Callable[[str], bool]:
    """Make the test whether a stored text is more or less than this one, which is read once: as times, where both are times."""
    bound, compare = parse_time(value), _ORDERS[comparison]
    limit = () if bound is None else bound.round_to(bound.unit)

    def is_in_order(stored: str) -> bool:
        time = None if bound is None else parse_time(stored)
        if bound is None or time is None:
            return compare(stored, value)
        return compare(time.round_to(bound.unit), limit)

    return is_in_order


def compare_code_points(stored: str, comparison: Comparison, value: str) -> bool:
    """Return whether a text compares so with another, be they times or not."""
    return _ORDERS[comparison](stored, value)


def has_part(stored: JSON, value: JSON, *, ignores_case: bool = False) -> bool:
    """Return whether a list holds a value, which is neither list nor object, or a text has it as a part."""
    if ignores_case and isinstance(value, str):
        stored, value = _fold_case(stored), value.casefold()
    if isinstance(stored, list) and not isinstance(value, list | dict):
        return any(compare_values(element, Comparison.EQUAL, value) for element in stored)
    return isinstance(stored, str) and isinstance(value, str) and value in stored


def find_values(metadata: Metadata, key: str) -> tuple[JSON, ...]:
    """Return the one value under a key, else at a path with dots; none where nothing is there."""
    if key in metadata:
        return (metadata[key],)
    value: JSON = metadata
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return ()
        value = value[part]
    return (value,)


def iterate_paths(metadata: Metadata, *, length_max: float = math.inf) -> Iterator[tuple[str, JSON]]:
    """Yield every key, and every path below them of at most so many characters, with the value that `find_values` gives."""
    yield from metadata.items()
    waiting = [(key, value) for key, value in metadata.items() if isinstance(value, dict) and "." not in key]
    while waiting:
        above, within = waiting.pop()
        for key, value in within.items():
            path = f"{above}.{key}"
            if "." in key or len(path) > length_max:
                continue
            if path not in metadata:
                yield path, value
            if isinstance(value, dict):
                waiting.append((path, value))


def is_number(value: JSON) -> bool:
    """Return whether a value is a number: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fold_case(stored: JSON) -> JSON:
    if isinstance(stored, list):
        return [element.casefold() if isinstance(element, str) else element for element in stored]
    return stored.casefold() if isinstance(stored, str) else stored
