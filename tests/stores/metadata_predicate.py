"""A filter as a plain Python predicate over one document: what every store must agree with. Exact, by fractions, and slow."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any, Final, assert_never

from vecsearch.core.filters import (
    And,
    Compare,
    Comparison,
    Contains,
    DocumentField,
    Exists,
    Filter,
    FilterKey,
    Not,
    Or,
    RegexMatch,
    SourceWithin,
)
from vecsearch.core.types import JSON, Metadata

Fields = Mapping[DocumentField, str | None]
_OPERATORS: Final[dict[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.GREATER: operator.gt,
    Comparison.AT_LEAST: operator.ge,
    Comparison.LESS: operator.lt,
    Comparison.AT_MOST: operator.le,
}


def holds(condition: Filter, metadata: Metadata, fields: Fields = {}) -> bool:  # noqa: B006, PLR0911
    """Return whether a filter is true for a document with this metadata and these fields."""
    match condition:
        case Compare(key=key, comparison=comparison, value=value):
            compare = compare_values if isinstance(key, str) else lambda stored, how, value: _OPERATORS[how](stored, value)
            return any(compare(stored, comparison, value) for stored in find_values(metadata, fields, key))
        case Exists(key=key):
            return bool(find_values(metadata, fields, key))
        case Contains(key=key, value=value, ignores_case=ignores_case):
            return any(contains(stored, value, ignores_case) for stored in find_values(metadata, fields, key))
        case RegexMatch(key=key, pattern=pattern):
            return any(isinstance(stored, str) and re.search(pattern, stored) for stored in find_values(metadata, fields, key))
        case SourceWithin(paths=paths):
            sources = find_values(metadata, fields, DocumentField.SOURCE)
            return any(f"{source}/".startswith(f"{path.rstrip('/')}/") for source in sources for path in paths)
        case Not(term=term):
            return not holds(term, metadata, fields)
        case And(terms=terms):
            return all(holds(term, metadata, fields) for term in terms)
        case Or(terms=terms):
            return any(holds(term, metadata, fields) for term in terms)
        case _:
            assert_never(condition)


def find_values(metadata: Metadata, fields: Fields, key: FilterKey) -> list[JSON]:
    """Return the value of a field, or under a key, else at a path with dots, in a list; an empty one where there is none."""
    if isinstance(key, DocumentField):
        return [] if fields.get(key) is None else [fields[key]]
    if key in metadata:
        return [metadata[key]]
    value: JSON = metadata
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return []
        value = value[part]
    return [value]


def compare_values(stored: JSON, comparison: Comparison, value: JSON) -> bool:
    """Return whether a stored value is of the same type as the one given and compares so."""
    if get_type(stored) is not get_type(value):
        return False
    if comparison is Comparison.EQUAL:
        return is_equal(stored, value)
    if isinstance(value, str):
        bound, time = read_time(value), read_time(stored)
        if bound is not None and time is not None:
            return _OPERATORS[comparison](round_time(time, value), round_time(bound, value))
        return _OPERATORS[comparison](stored, value)
    return get_type(value) is Fraction and _OPERATORS[comparison](Fraction(stored), Fraction(value))


def is_equal(left: JSON, right: JSON) -> bool:
    """Return whether two values are of one type and the same, part by part."""
    if get_type(left) is not get_type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(is_equal(left[key], right[key]) for key in left)
    return Fraction(left) == Fraction(right) if get_type(left) is Fraction else bool(left == right)


def contains(stored: JSON, value: JSON, ignores_case: bool) -> bool:
    """Return whether a list holds a value, or a string has it as a part."""
    if isinstance(stored, list):
        single = [element for element in stored if not isinstance(element, list | dict)]
        if ignores_case:
            return any(isinstance(element, str) and element.casefold() == value.casefold() for element in single)
        return any(is_equal(element, value) for element in single)
    if not isinstance(stored, str) or not isinstance(value, str):
        return False
    return value.casefold() in stored.casefold() if ignores_case else value in stored


def get_type(value: JSON) -> type:
    """Return the type that decides what a value may be compared with: numbers are one type, true and false another."""
    return Fraction if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def round_time(seconds: Fraction, bound: str) -> Any:
    """Return the year, the month, the day or the moment of a time, whatever the bound is."""
    day = date.fromordinal(min(max(int(seconds // 86400), 1), date.max.toordinal()))
    return {4: day.year, 7: day.year * 12 + day.month, 10: seconds // 86400}.get(len(bound), seconds)


def read_time(text: str) -> Fraction | None:
    """Return the beginning of a time in ISO 8601 as exact seconds in UTC; None for anything else."""
    if re.fullmatch(r"[0-9]{4}(-[0-9]{2})?", text):
        text += "-01-01"[len(text) - 4 :]
    match = re.fullmatch(r"([0-9-]{10})([T ]([0-9]{2}):([0-9]{2})(:([0-9]{2}(\.[0-9]+)?))?(Z|[+-][0-9:]{5,8})?)?", text)
    if match is None:
        return None
    try:
        seconds = Fraction(date.fromisoformat(match[1]).toordinal() * 86400)
        offset = [int(part) for part in (match[8] or "Z").strip("Z+-").split(":") if part]
    except ValueError:
        return None
    hours, minutes, rest = int(match[3] or 0), int(match[4] or 0), Fraction(match[6] or 0)
    if hours > 23 or minutes > 59 or rest >= 60 or any(part > limit for part, limit in zip(offset, (23, 59, 59), strict=False)):
        return None
    sign = -1 if (match[8] or "").startswith("-") else 1
    shift = sum(part * unit for part, unit in zip(offset, (3600, 60, 1), strict=False))
    return seconds + hours * 3600 + minutes * 60 + rest - sign * shift
