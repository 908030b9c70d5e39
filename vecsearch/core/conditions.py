"""A filter over metadata as a tree of frozen values, independent of any query language.

A key is looked up as it is first, then, when it has dots, as a path into nested objects. Comparisons are typed: a number
never equals a string. A row without the key fails every comparison except the negated ones (`$ne`, `$nin`, `$not`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from vecsearch.core.types import JSON


class Comparison(StrEnum):
    """How a stored value is compared with the one given."""

    EQUAL = "$eq"
    GREATER = "$gt"
    AT_LEAST = "$gte"
    LESS = "$lt"
    AT_MOST = "$lte"


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

    term: Condition


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where every term is; of no terms: everywhere."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where some term is; of no terms: nowhere."""

    terms: tuple[Condition, ...]


Condition: TypeAlias = Compare | Exists | Contains | Not | AllOf | AnyOf
