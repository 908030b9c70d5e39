"""`where` → condition tree: the dictionaries of Python, and the shell's JSON or `key=value` forms. Knows no SQL."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from vecsearch.core.conditions import AllOf, AnyOf, Compare, Comparison, Condition, Contains, Exists, Not
from vecsearch.core.errors import FilterError
from vecsearch.core.types import JSON, Where

_SHELL: Final = re.compile(r"(?P<key>[^=<>!]+?)\s*(?P<op>>=|<=|!=|=|>|<)\s*(?P<value>.*)", re.DOTALL)
_SIGNS: Final = {"=": "$eq", "!=": "$ne", ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}


def parse_where(where: Where | None) -> Condition | None:
    """The tree of a `where` mapping; None for None or an empty mapping, which match everything.

    Raises FilterError naming the operator or value that does not fit.
    """
    if where is None:
        return None
    if not isinstance(where, Mapping):
        raise FilterError(f"where must be a mapping such as {{'lang': 'en'}}, got {type(where).__name__}")
    return _mapping(where) if where else None


def parse_shell(expressions: Sequence[str]) -> Where | None:
    """One mapping of repeated --where options (AND): each a JSON object, or `key=value`, `key>=value` …"""
    wheres = [_shell_one(expression) for expression in expressions]
    return None if not wheres else wheres[0] if len(wheres) == 1 else {"$and": wheres}


def _shell_one(expression: str) -> dict[str, Any]:
    if expression.lstrip().startswith("{"):
        try:
            parsed: dict[str, Any] = json.loads(expression)
        except ValueError as error:
            raise FilterError(f"--where {expression!r} is not valid JSON: {error}") from error
        return parsed
    match = _SHELL.fullmatch(expression.strip())
    if match is None:
        raise FilterError(f"--where {expression!r}: expected key=value, key!=value, key>=value … or a JSON object")
    return {match["key"].strip(): {_SIGNS[match["op"]]: _shell_value(match["value"].strip())}}


def _shell_value(text: str) -> JSON:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _mapping(where: Where) -> Condition:
    terms = tuple(_entry(key, value) for key, value in where.items())
    return terms[0] if len(terms) == 1 else AllOf(terms)


def _entry(key: str, value: Any) -> Condition:
    if not isinstance(key, str):
        raise FilterError(f"where: a key must be a string, got {key!r}")
    match key:
        case "$and":
            return AllOf(_terms(key, value))
        case "$or":
            return AnyOf(_terms(key, value))
        case "$not":
            return Not(_whole(key, value))
    if key.startswith("$"):
        raise FilterError(f"where: unknown operator {key}; expected $and, $or, $not, or a metadata key")
    if any(character in '"\\' or character < " " for character in key):
        raise FilterError(f"where: key {key!r} has a quote, a backslash or a control character, which cannot be asked for")
    return _operators(key, value) if isinstance(value, Mapping) else Compare(key, Comparison.EQUAL, _value(key, value))


def _whole(operator: str, value: Any) -> Condition:
    if not isinstance(value, Mapping) or not value:
        raise FilterError(f"where: {operator} takes a mapping with at least one key, got {value!r}")
    return _mapping(value)


def _terms(operator: str, value: Any) -> tuple[Condition, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"where: {operator} takes a list of at least one mapping, got {value!r}")
    return tuple(_whole(operator, term) for term in value)


def _operators(key: str, operators: Mapping[str, Any]) -> Condition:
    if not operators:
        raise FilterError(f"where: {key!r} has an empty mapping; expected an operator such as {{'$gte': 3}}")
    terms = tuple(_operator(key, name, value) for name, value in operators.items())
    return terms[0] if len(terms) == 1 else AllOf(terms)


def _operator(key: str, name: str, value: Any) -> Condition:
    build = _OPERATORS.get(name)
    if build is None:
        raise FilterError(f"where: unknown operator {name} on {key!r}; expected one of {', '.join(_OPERATORS)}")
    return build(key, value)


def _compare(comparison: Comparison) -> Callable[[str, Any], Condition]:
    def build(key: str, value: Any) -> Condition:
        orderable = isinstance(value, int | float | str | date) and not isinstance(value, bool)
        if comparison is not Comparison.EQUAL and not orderable:
            raise FilterError(f"where: {comparison} on {key!r} takes a number, a string or a date, got {value!r}")
        return Compare(key, comparison, _value(key, value))

    return build


def _among(key: str, values: Any) -> Condition:
    if not isinstance(values, list | tuple):
        raise FilterError(f"where: $in and $nin on {key!r} take a list, got {values!r}")
    return AnyOf(tuple(Compare(key, Comparison.EQUAL, _value(key, value)) for value in values))


def _exists(key: str, value: Any) -> Condition:
    if not isinstance(value, bool):
        raise FilterError(f"where: $exists on {key!r} takes true or false, got {value!r}")
    return Exists(key) if value else Not(Exists(key))


def _contains(key: str, value: Any) -> Condition:
    if isinstance(value, list | tuple | Mapping):
        raise FilterError(f"where: $contains on {key!r} takes one value, got {value!r}")
    return Contains(key, _value(key, value))


def _negated(key: str, value: Any) -> Condition:
    if not isinstance(value, Mapping):
        raise FilterError(f"where: $not on {key!r} takes a mapping of operators, got {value!r}")
    return Not(_operators(key, value))


def _value(key: str, value: Any) -> JSON:
    value = value.isoformat() if isinstance(value, date) else value
    if isinstance(value, float) and not math.isfinite(value):
        raise FilterError(f"where: the value of {key!r} must be finite, got {value!r}")
    if value is not None and not isinstance(value, bool | int | float | str | list | tuple):
        raise FilterError(f"where: the value of {key!r} must be a JSON value, got {type(value).__name__}")
    return list(value) if isinstance(value, tuple) else value


_OPERATORS: Final[Mapping[str, Callable[[str, Any], Condition]]] = {
    "$eq": _compare(Comparison.EQUAL),
    "$ne": lambda key, value: Not(_compare(Comparison.EQUAL)(key, value)),
    "$gt": _compare(Comparison.GREATER),
    "$gte": _compare(Comparison.AT_LEAST),
    "$lt": _compare(Comparison.LESS),
    "$lte": _compare(Comparison.AT_MOST),
    "$in": _among,
    "$nin": lambda key, value: Not(_among(key, value)),
    "$exists": _exists,
    "$contains": _contains,
    "$not": _negated,
}
