"""`where` → condition tree: the dictionaries of Python, and the shell's JSON or `key=value` forms. Knows no SQL."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import FilterError
from vecsearch.core.filters import And, Compare, Comparison, Contains, Exists, Filter, Not, Or
from vecsearch.core.nesting import NESTING_MAX, is_nested_too_deeply, load_json
from vecsearch.core.types import JSON, Where

_SHELL: Final = re.compile(r"(?P<key>[^=<>!]+)(?P<op>>=|<=|!=|=|>|<)(?P<value>.*)", re.DOTALL)
_SHELL_OPERATORS: Final = {"=": "$eq", "!=": "$ne", ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_DEPTH_MAX: Final = 24  # mappings inside each other; SQLite's parser goes little deeper
_CONDITIONS_MAX: Final = 500  # of which SQLite takes a thousand; the values of $in and $nin do not count
_BITS_MAX: Final = 14_000  # of a whole number, which Python turns into text up to 4,300 digits


def parse_where(where: Where | None) -> Filter | None:
    """Parse a `where` mapping to its tree; None for None or an empty mapping, which match everything.

    Raises FilterError naming the operator or value that does not fit, or for more than SQLite could take.
    """
    if where is None:
        return None
    if not isinstance(where, Mapping):
        raise FilterError(f"where must be a mapping such as {{'lang': 'en'}}, got {type(where).__name__}")
    if is_nested_too_deeply(where):
        raise FilterError(f"where: nested more than {NESTING_MAX} levels deep")
    _check_extent(where)
    return _parse_mapping(where) if where else None


def parse_shell(expressions: Sequence[str]) -> Where | None:
    """Return one mapping of repeated --where options (AND): each a JSON object, or `key=value`, `key>=value` …"""
    wheres = [_parse_shell_expression(expression) for expression in expressions]
    return None if not wheres else wheres[0] if len(wheres) == 1 else {"$and": wheres}


def _check_extent(where: Where) -> None:
    waiting, conditions = [(where, 1)], 0
    while waiting:
        mapping, depth = waiting.pop()
        if depth > _DEPTH_MAX:
            raise FilterError(f"where: nested more than {_DEPTH_MAX} levels deep")
        for value in mapping.values():
            all_below = value if isinstance(value, list | tuple) else (value,)
            below = [(child, depth + 1) for child in all_below if isinstance(child, Mapping)]
            waiting += below
            conditions += not below
        if conditions > _CONDITIONS_MAX:
            raise FilterError(f"where: more than {_CONDITIONS_MAX} conditions; $in takes any number of values at once")


def _parse_shell_expression(expression: str) -> dict[str, Any]:
    if expression.lstrip().startswith("{"):
        try:
            parsed: dict[str, Any] = _parse_json(expression)
        except ValueError as error:
            raise FilterError(f"--where {shorten_repr(expression)} is not valid JSON: {error}") from error
        return parsed
    match = _SHELL.fullmatch(expression.strip())
    if match is None:
        raise FilterError(f"--where {shorten_repr(expression)}: expected key=value, key!=value, key>=value … or a JSON object")
    return {match["key"].strip(): {_SHELL_OPERATORS[match["op"]]: _parse_shell_value(match["value"].strip())}}


def _parse_shell_value(text: str) -> JSON:
    try:
        return _parse_json(text)
    except ValueError:
        return text


def _parse_json(text: str) -> Any:
    """Parse JSON. Raises ValueError, for NaN and Infinity too."""
    return load_json(text, parse_constant=_refuse_constant)


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _parse_mapping(where: Where) -> Filter:
    terms = tuple(_parse_entry(key, value) for key, value in where.items())
    return terms[0] if len(terms) == 1 else And(terms)


def _parse_entry(key: str, value: Any) -> Filter:
    if not isinstance(key, str):
        raise FilterError(f"where: a key must be a string, got {shorten_repr(key)}")
    match key:
        case "$and":
            return And(_parse_terms(key, value))
        case "$or":
            return Or(_parse_terms(key, value))
        case "$not":
            return Not(_parse_logical(key, value))
    if key.startswith("$"):
        raise FilterError(f"where: unknown operator {_format_operator(key)}; expected $and, $or, $not, or a metadata key")
    _check_unicode(key, "a key")
    if any(character in '"\\' or character < " " for character in key):
        raise FilterError(
            f"where: key {shorten_repr(key)} has a quote, a backslash or a control character, which cannot be asked for"
        )
    return (
        _parse_operators(key, value) if isinstance(value, Mapping) else Compare(key, Comparison.EQUAL, _check_value(key, value))
    )


def _parse_logical(operator: str, value: Any) -> Filter:
    if not isinstance(value, Mapping) or not value:
        raise FilterError(f"where: {operator} takes a mapping with at least one key, got {shorten_repr(value)}")
    return _parse_mapping(value)


def _parse_terms(operator: str, value: Any) -> tuple[Filter, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"where: {operator} takes a list of at least one mapping, got {shorten_repr(value)}")
    return tuple(_parse_logical(operator, term) for term in value)


def _parse_operators(key: str, operators: Mapping[str, Any]) -> Filter:
    if not operators:
        raise FilterError(f"where: {shorten_repr(key)} has an empty mapping; expected an operator such as {{'$gte': 3}}")
    terms = tuple(_parse_operator(key, name, value) for name, value in operators.items())
    return terms[0] if len(terms) == 1 else And(terms)


def _parse_operator(key: str, name: str, value: Any) -> Filter:
    build = _OPERATORS.get(name)
    if build is None:
        raise FilterError(
            f"where: unknown operator {_format_operator(name)} on {shorten_repr(key)}; expected one of {', '.join(_OPERATORS)}"
        )
    return build(key, value)


def _make_comparison(comparison: Comparison) -> Callable[[str, Any], Filter]:
    def build(key: str, value: Any) -> Filter:
        orderable = isinstance(value, int | float | str | date) and not isinstance(value, bool)
        if comparison is not Comparison.EQUAL and not orderable:
            raise FilterError(
                f"where: {comparison} on {shorten_repr(key)} takes a number, a string or a date, got {shorten_repr(value)}"
            )
        return Compare(key, comparison, _check_value(key, value))

    return build


def _parse_in(key: str, values: Any) -> Filter:
    if not isinstance(values, list | tuple):
        raise FilterError(f"where: $in and $nin on {shorten_repr(key)} take a list, got {shorten_repr(values)}")
    return Or(tuple(Compare(key, Comparison.EQUAL, _check_value(key, value)) for value in values))


def _parse_exists(key: str, value: Any) -> Filter:
    if not isinstance(value, bool):
        raise FilterError(f"where: $exists on {shorten_repr(key)} takes true or false, got {shorten_repr(value)}")
    return Exists(key) if value else Not(Exists(key))


def _parse_contains(key: str, value: Any) -> Filter:
    if isinstance(value, list | tuple | Mapping):
        raise FilterError(f"where: $contains on {shorten_repr(key)} takes one value, got {shorten_repr(value)}")
    return Contains(key, _check_value(key, value))


def _negate(key: str, value: Any) -> Filter:
    if not isinstance(value, Mapping):
        raise FilterError(f"where: $not on {shorten_repr(key)} takes a mapping of operators, got {shorten_repr(value)}")
    return Not(_parse_operators(key, value))


def _check_value(key: str, value: Any) -> JSON:
    value = value.isoformat() if isinstance(value, date) else value
    match value:
        case None | bool():
            return value
        case str():
            return _check_unicode(value, f"the value of {shorten_repr(key)}")
        case int() if value.bit_length() > _BITS_MAX:
            raise FilterError(f"where: the value of {shorten_repr(key)} is a number of thousands of digits")
        case float() if not math.isfinite(value):
            raise FilterError(f"where: the value of {shorten_repr(key)} must be finite, got {value!r}")
        case int() | float():
            return value
        case list() | tuple():
            return _check_list(key, value)
    raise FilterError(f"where: the value of {shorten_repr(key)} must be a JSON value, got {type(value).__name__}")


def _check_list(key: str, values: Sequence[Any]) -> list[JSON]:
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FilterError(f"where: the value of {shorten_repr(key)} must be a JSON value: {error}") from error
    _check_unicode(text, f"the value of {shorten_repr(key)}")
    return list(values)


def _format_operator(name: Any) -> str:
    """Return an operator as it was written, without quotes."""
    return shorten_repr(name).strip("'")


def _check_unicode(text: str, label: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError(f"where: {label} holds half a surrogate pair; it is no valid Unicode") from error
    return text


_OPERATORS: Final[Mapping[str, Callable[[str, Any], Filter]]] = {
    "$eq": _make_comparison(Comparison.EQUAL),
    "$ne": lambda key, value: Not(_make_comparison(Comparison.EQUAL)(key, value)),
    "$gt": _make_comparison(Comparison.GREATER),
    "$gte": _make_comparison(Comparison.AT_LEAST),
    "$lt": _make_comparison(Comparison.LESS),
    "$lte": _make_comparison(Comparison.AT_MOST),
    "$in": _parse_in,
    "$nin": lambda key, value: Not(_parse_in(key, value)),
    "$exists": _parse_exists,
    "$contains": _parse_contains,
    "$not": _negate,
}
