"""A filter as a tree of frozen values, independent of any query language.

A metadata key is looked up as it is first, then, when it has dots, as a path into nested objects. Comparisons are typed: a number
never equals a string. A row without the key fails every comparison except the negated ones (`$ne`, `$nin`, `$not`). What is
equal, and what is more, `json_values` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias

from vecsearch.core.types import JSON


class Comparison(StrEnum):
    """How a stored value is compared with the one given."""

    EQUAL = "$eq"
    GREATER = "$gt"
    AT_LEAST = "$gte"
    LESS = "$lt"
    AT_MOST = "$lte"


class DocumentField(Enum):
    """What a document has besides metadata: text, or nothing. No member is equal to a metadata key of the same letters.

    SOURCE is the absolute path of its file, TYPE the ending of that file's name, LANGUAGE the code with which its metadata key
    `language` begins.
    """

    ID = "$id"
    TEXT = "$text"
    TITLE = "$title"
    SOURCE = "$source"
    TYPE = "$type"
    LANGUAGE = "$language"


FilterKey: TypeAlias = str | DocumentField  # of metadata, or a field


@dataclass(frozen=True, slots=True)
class Compare:
    """True where the value under `key` is of the same type as `value` and compares so; fields compare by code points alone."""

    key: FilterKey
    comparison: Comparison
    value: JSON


@dataclass(frozen=True, slots=True)
class Exists:
    """True where the key is there, be its value null."""

    key: FilterKey


@dataclass(frozen=True, slots=True)
class Contains:
    """True where a list holds `value`, or a string has it as a part; in upper or lower case, where that is ignored."""

    key: FilterKey
    value: JSON
    ignores_case: bool = False


@dataclass(frozen=True, slots=True)
class RegexMatch:
    """True where a string has a part that a regular expression matches. FilterError where that takes too long."""

    key: FilterKey
    pattern: str


@dataclass(frozen=True, slots=True)
class SourceWithin:
    """True where the document came from the file at one of these absolute paths, or from one below it."""

    paths: tuple[str, ...]


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


KeyTest: TypeAlias = Compare | Exists | Contains | RegexMatch  # of the value under one key
Filter: TypeAlias = KeyTest | SourceWithin | Not | And | Or
