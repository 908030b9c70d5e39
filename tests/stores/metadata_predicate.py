"""A filter as a plain Python predicate over one document's metadata: what every store must agree with."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, assert_never

from vecsearch.core.filters import And, Compare, Comparison, Contains, Exists, Filter, Not, Or, TimePrecision, find_time_precision
from vecsearch.core.types import JSON, Metadata

_OPERATORS: Final[dict[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.GREATER: operator.gt,
    Comparison.AT_LEAST: operator.ge,
    Comparison.LESS: operator.lt,
    Comparison.AT_MOST: operator.le,
}


def holds(condition: Filter, metadata: Metadata) -> bool:
    """Return whether a filter is true for a document with this metadata."""
    match condition:
        case Compare(key=key, comparison=comparison, value=value):
            return any(compare(stored, comparison, value) for stored in find_values(metadata, key))
        case Exists(key=key):
            return bool(find_values(metadata, key))
        case Contains(key=key, value=value):
            return any(contains(stored, value) for stored in find_values(metadata, key))
        case Not(term=term):
            return not holds(term, metadata)
        case And(terms=terms):
            return all(holds(term, metadata) for term in terms)
        case Or(terms=terms):
            return any(holds(term, metadata) for term in terms)
        case _:
            assert_never(condition)


def find_values(metadata: Metadata, key: str) -> list[JSON]:
    """Return the value under a key, else at a path with dots, in a list; an empty one where there is none."""
    if key in metadata:
        return [metadata[key]]
    value: JSON = metadata
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return []
        value = value[part]
    return [value]


def compare(stored: JSON, comparison: Comparison, value: JSON) -> bool:
    """Return whether a stored value is of the same type as the one given and compares so."""
    if get_type(stored) != get_type(value):
        return False
    if comparison is Comparison.EQUAL:
        return json.dumps(stored) == json.dumps(value) if isinstance(value, list) else bool(stored == value)
    precision = find_time_precision(value)
    if precision is not None and find_time_precision(stored) is not None:
        stored, value = read_time(stored, precision), read_time(value, precision)
    return _OPERATORS[comparison](stored, value)


def contains(stored: JSON, value: JSON) -> bool:
    """Return whether a list holds a value, or a string has it as a part."""
    if isinstance(stored, list):
        single = (element for element in stored if not isinstance(element, list | dict))
        return any(compare(element, Comparison.EQUAL, value) for element in single)
    return isinstance(stored, str) and isinstance(value, str) and value in stored


def get_type(value: JSON) -> type:
    """Return the type that decides what a value may be compared with: numbers are one type, true and false another."""
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def read_time(text: str, precision: TimePrecision) -> datetime:
    """Return a time in UTC, or midnight of its day there."""
    time = datetime.fromisoformat(text)
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time if precision is TimePrecision.MOMENT else time.replace(hour=0, minute=0, second=0, microsecond=0)
