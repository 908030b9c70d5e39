"""A filter over metadata as a tree of frozen values, independent of any query language.

A key is looked up as it is first, then, when it has dots, as a path into nested objects. Comparisons are typed: a number
never equals a string. A row without the key fails every comparison except the negated ones (`$ne`, `$nin`, `$not`). Less and more
than a day or a moment in ISO 8601 compare times where the stored string is one too: beside a day a moment counts as its day in
UTC; a moment without an offset is in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from vecsearch.core.types import JSON


class Comparison(StrEnum):
    """How a stored value is compared with the one given."""

    EQUAL = "$eq"
    GREATER = "$gt"
    AT_LEAST = "$gte"
    LESS = "$lt"
    AT_MOST = "$lte"


class TimePrecision(StrEnum):
    """What a string in ISO 8601 names."""

    DAY = "day"
    MOMENT = "moment"


_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?")


def find_time_precision(value: JSON) -> TimePrecision | None:
    """Return the precision of a string that names a day or a moment; None for anything else."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        datetime.fromisoformat(match[0])
    except ValueError:
        return None
    return TimePrecision.MOMENT if match[1] else TimePrecision.DAY


@dataclass(frozen=True, slots=True)
class Compare:
    """True where the value under `key` is of the same type as `value` and compares so."""

    key: str
    comparison: Comparison
    value: JSON


@dataclass(frozen=True, slots=True)
class Exists:
    """True where the key is there, be its value null."""

    key: str


@dataclass(frozen=True, slots=True)
class Contains:
    """True where a list holds `value`, or a string has it as a part."""

    key: str
    value: JSON


@dataclass(frozen=True, slots=True)
class Not:
    """True where `term` is not."""

    term: Filter


@dataclass(frozen=True, slots=True)
class And:
    """True where every term is; of no terms: everywhere."""

    terms: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where some term is; of no terms: nowhere."""

    terms: tuple[Filter, ...]


Filter: TypeAlias = Compare | Exists | Contains | Not | And | Or
