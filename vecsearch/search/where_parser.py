"""`where` → condition tree: the dictionaries of Python and JSON. Knows no SQL; the shell's forms are in `where_shell`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from os import PathLike
from os.path import abspath
from typing import Any, Final

from vecsearch.core.checks import is_table, is_unicode, shorten_repr
from vecsearch.core.errors import FilterError
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
from vecsearch.core.json_values import is_number
from vecsearch.core.nesting import NESTING_MAX, is_nested_too_deeply
from vecsearch.core.patterns import check_patterns
from vecsearch.core.plain_values import to_plain_value
from vecsearch.core.settings import FILTER_VALUES_MAX, PATH_LENGTH_MAX
from vecsearch.core.source_paths import format_path, read_given_path, resolve_path
from vecsearch.core.types import JSON, Where

_DEPTH_MAX: Final = 24  # mappings inside each other; SQLite's parser goes little deeper
_CONDITIONS_MAX: Final = 500  # of which SQLite takes a thousand; the values of $in and $nin do not count
_BITS_MAX: Final = 14_000  # of a whole number, which Python turns into text up to 4,300 digits
_LOGICAL: Final = ("$and", "$or", "$not")
RESERVED_KEYS: Final[Mapping[str, FilterKey]] = {
    **{field.value: field for field in DocumentField},
    "$modified": "modified",  # what documents state stands there
}
"""What reserved keys stand for: a field, or a key of metadata."""


def parse_where(where: Where | None) -> Filter | None:
    """Parse a `where` mapping to its tree; None for None or an empty mapping, which match everything.

    The tree shares nothing with what was given. Raises FilterError naming the operator or value that does not fit, or for more
    than SQLite could take.
    """
    if where is None:
        return None
    if not isinstance(where, Mapping):
        raise FilterError(f"where must be a mapping such as {{'lang': 'en'}}, got {type(where).__name__}")
    if is_nested_too_deeply(where):
        raise FilterError(f"where: nested more than {NESTING_MAX} levels deep")
    _check_extent(where)
    if not where:
        return None
    parsed = _parse_mapping(where)
    check_patterns(_iterate_patterns(parsed))
    return parsed


def _iterate_patterns(condition: Filter) -> Iterator[str]:
    match condition:
        case RegexMatch(pattern=pattern):
            yield pattern
        case Not(term=term):
            yield from _iterate_patterns(term)
        case And(terms=terms) | Or(terms=terms):
            for term in terms:
                yield from _iterate_patterns(term)


def _check_extent(where: Where) -> None:
    waiting, conditions = [(where, 1)], 0
    while waiting:
        mapping, depth = waiting.pop()
        if depth > _DEPTH_MAX:
            raise FilterError(f"where: nested more than {_DEPTH_MAX} levels deep")
        for key, value in mapping.items():
            below = _list_mappings_below(key, value)
            waiting += [(child, depth + 1) for child in below]
            conditions += not below
        if conditions > _CONDITIONS_MAX:
            raise FilterError(f"where: more than {_CONDITIONS_MAX} conditions; $in takes any number of values at once")


def _list_mappings_below(key: Any, value: Any) -> list[Where]:
    """Return the mappings under a key that are parts of the filter, not values to compare with."""
    if isinstance(key, str) and key in ("$and", "$or"):
        return [child for child in value if isinstance(child, Mapping)] if isinstance(value, list | tuple) else []
    is_operator = isinstance(key, str) and key in _OPERATORS and key != "$not"
    return [value] if isinstance(value, Mapping) and not is_operator else []


def _parse_mapping(where: Where) -> Filter:
    terms = tuple(_parse_entry(key, value) for key, value in where.items())
    return terms[0] if len(terms) == 1 else And(terms)


def _parse_entry(key: Any, value: Any) -> Filter:
    if not isinstance(key, str):
        raise FilterError(f"where: a key must be a string, got {shorten_repr(key)}")
    key = str.__str__(key)
    match key:
        case "$and":
            return And(_parse_terms(key, value))
        case "$or":
            return Or(_parse_terms(key, value))
        case "$not":
            return Not(_parse_logical(key, value))
    return _parse_condition(_parse_key(key), value)


def _parse_key(key: str) -> FilterKey:
    """Return what a key names: a field, or a key of metadata, which is written with a dollar more where it begins with one."""
    if key in RESERVED_KEYS:
        return RESERVED_KEYS[key]
    if key.startswith("$") and not key.startswith("$$"):
        raise FilterError(
            f"where: unknown operator or key {_format_name(key)}; expected {', '.join((*_LOGICAL, *RESERVED_KEYS))}, or a key of "
            "metadata, whose first dollar is doubled: '$$name' for '$name'"
        )
    key = key.removeprefix("$")
    if "." in key and len(key) > PATH_LENGTH_MAX:
        raise FilterError(
            f"where: a path of keys holds at most {PATH_LENGTH_MAX:,} characters, got {len(key):,}; ask for one above it"
        )
    return _check_unicode(key, "a key")


def _parse_condition(key: FilterKey, value: Any) -> Filter:
    if isinstance(value, Mapping):
        return _parse_operators(key, value)
    return _parse_contains(key, value) if key is DocumentField.TEXT else _parse_equal(key, value)


def _parse_logical(operator: str, value: Any) -> Filter:
    if not isinstance(value, Mapping) or not value:
        raise FilterError(f"where: {operator} takes a mapping with at least one key, got {shorten_repr(value)}")
    return _parse_mapping(value)


def _parse_terms(operator: str, value: Any) -> tuple[Filter, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"where: {operator} takes a list of at least one mapping, got {shorten_repr(value)}")
    return tuple(_parse_logical(operator, term) for term in value)


def _parse_operators(key: FilterKey, operators: Mapping[str, Any]) -> Filter:
    if not operators:
        raise FilterError(f"where: {show_key(key)} has an empty mapping; expected an operator such as {{'$gte': 3}}")
    terms = tuple(_parse_operator(key, name, value) for name, value in operators.items())
    return terms[0] if len(terms) == 1 else And(terms)


def _parse_operator(key: FilterKey, name: Any, value: Any) -> Filter:
    known = [operator for operator in _OPERATORS if operator not in _UNFIT.get(key, ())]
    if not isinstance(name, str) or name not in known:
        raise FilterError(f"where: unknown operator {_format_name(name)} on {show_key(key)}; expected one of {', '.join(known)}")
    return _OPERATORS[str.__str__(name)](key, value)


# -- one operator each


def _parse_equal(key: FilterKey, value: Any) -> Filter:
    return _make_equal(key, [_check_value(key, value)])


def _make_equal(key: FilterKey, values: Sequence[JSON]) -> Filter:
    """Return what is true where the value is one of these."""
    if key is DocumentField.SOURCE:
        if "" in values:  # an empty variable of a script would mean the folder that it runs in
            raise FilterError("where: $source is empty; for the current folder: '.'")
        paths = (
            path for value in values for path in (resolve_path(value), abspath(read_given_path(value)))
        )  # as `resolve_source`
        return SourceWithin(tuple(dict.fromkeys(map(format_path, paths))))
    if key is DocumentField.TYPE:
        values = [value.lower().removeprefix(".") for value in values]
    if key is DocumentField.LANGUAGE:
        values = [value.lower() for value in values]
    terms = tuple(Compare(key, Comparison.EQUAL, value) for value in values)
    return terms[0] if len(terms) == 1 else Or(terms)


def _make_order(comparison: Comparison) -> Callable[[FilterKey, Any], Filter]:
    def build(key: FilterKey, value: Any) -> Filter:
        plain = _check_value(key, value)
        if not is_number(plain) and not isinstance(plain, str):
            raise FilterError(
                f"where: {comparison} on {show_key(key)} takes a number, a string or a date, got {shorten_repr(value)}"
            )
        return Compare(key, comparison, plain)

    return build


def _parse_in(key: FilterKey, values: Any) -> Filter:
    try:
        if isinstance(values, str | bytes | bytearray | memoryview | Mapping):
            raise TypeError
        if is_table(values):  # iteration would give the names of its columns
            raise FilterError(
                f"where: $in and $nin on {show_key(key)} take one column, got a table of the shape {tuple(values.shape)}"
            )
        listed = list(islice(values, FILTER_VALUES_MAX + 1))
    except TypeError as error:
        raise FilterError(f"where: $in and $nin on {show_key(key)} take a list, got {shorten_repr(values)}") from error
    if len(listed) > FILTER_VALUES_MAX:
        raise FilterError(f"where: $in and $nin on {show_key(key)} take at most {FILTER_VALUES_MAX:,} values")
    return _make_equal(key, [_check_value(key, value) for value in listed]) if listed else Or(())


def _parse_exists(key: FilterKey, value: Any) -> Filter:
    if not isinstance(value, bool):
        raise FilterError(f"where: $exists on {show_key(key)} takes true or false, got {shorten_repr(value)}")
    return Exists(key) if value else Not(Exists(key))


def _parse_contains(key: FilterKey, value: Any) -> Filter:
    plain = _check_value(key, value)
    if isinstance(plain, list | dict):
        raise FilterError(f"where: $contains on {show_key(key)} takes one value, got {shorten_repr(value)}")
    return Contains(key, plain)


def _parse_icontains(key: FilterKey, value: Any) -> Filter:
    return Contains(key, _check_text(key, "$icontains", value), ignores_case=True)


def _parse_regex(key: FilterKey, value: Any) -> Filter:
    return RegexMatch(key, _check_text(key, "$regex", value))


def _parse_not(key: FilterKey, value: Any) -> Filter:
    if not isinstance(value, Mapping):
        raise FilterError(f"where: $not on {show_key(key)} takes a mapping of operators, got {shorten_repr(value)}")
    return Not(_parse_operators(key, value))


def _make_negation(build: Callable[[FilterKey, Any], Filter]) -> Callable[[FilterKey, Any], Filter]:
    return lambda key, value: Not(build(key, value))


# -- values


def _check_value(key: FilterKey, value: Any) -> JSON:
    if isinstance(key, DocumentField):
        return _check_text(key, "", value)
    label = f"the value of {show_key(key)}"
    try:
        plain = to_plain_value(value)
    except ValueError as error:
        raise FilterError(f"where: {label} must be a JSON value: {error}") from error
    match plain:
        case str():
            return _check_unicode(plain, label)
        case int() if plain.bit_length() > _BITS_MAX:
            raise FilterError(f"where: {label} is a number of thousands of digits")
        case float() if not math.isfinite(plain):
            raise FilterError(f"where: {label} must be finite, got {plain!r}")
        case list() | dict():
            _check_inner_values(plain, label)
    return plain


def _check_inner_values(value: JSON, label: str) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FilterError(f"where: {label} must be a JSON value: {error}") from error
    if not all(map(_has_string_keys, _iterate_objects(value))):
        raise FilterError(f"where: {label} must have string keys at every level")
    _check_unicode(text, label)


def _iterate_objects(value: JSON) -> Iterable[dict[Any, JSON]]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
        waiting.extend(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())


def _has_string_keys(value: Mapping[Any, JSON]) -> bool:
    return all(isinstance(key, str) for key in value)


def _check_text(key: FilterKey, operator: str, value: Any) -> str:
    subject = f"{operator} on {show_key(key)}" if operator else show_key(key)
    if key is DocumentField.SOURCE and isinstance(value, str | PathLike):
        value = value if isinstance(value, str) and is_unicode(value) else format_path(value)
    try:
        plain = to_plain_value(value)
    except ValueError as error:
        raise FilterError(f"where: {subject} takes a text: {error}") from error
    if not isinstance(plain, str):
        raise FilterError(f"where: {subject} takes a text, got {shorten_repr(value)}")
    return _check_unicode(plain, f"the value of {show_key(key)}")


def show_key(key: FilterKey) -> str:
    """Return a key as messages name it."""
    return key.value if isinstance(key, DocumentField) else shorten_repr(key)


def _format_name(name: Any) -> str:
    """Return an operator or a key as it was written, without quotes."""
    return shorten_repr(name).strip("'")


def _check_unicode(text: str, label: str) -> str:
    if not is_unicode(text):
        raise FilterError(f"where: {label} holds half a surrogate pair; it is no valid Unicode")
    return text


_OPERATORS: Final[Mapping[str, Callable[[FilterKey, Any], Filter]]] = {
    "$eq": _parse_equal,
    "$ne": _make_negation(_parse_equal),
    "$gt": _make_order(Comparison.GREATER),
    "$gte": _make_order(Comparison.AT_LEAST),
    "$lt": _make_order(Comparison.LESS),
    "$lte": _make_order(Comparison.AT_MOST),
    "$in": _parse_in,
    "$nin": _make_negation(_parse_in),
    "$exists": _parse_exists,
    "$contains": _parse_contains,
    "$not_contains": _make_negation(_parse_contains),
    "$icontains": _parse_icontains,
    "$not_icontains": _make_negation(_parse_icontains),
    "$regex": _parse_regex,
    "$not_regex": _make_negation(_parse_regex),
    "$not": _parse_not,
}
_ORDERS: Final = frozenset({"$gt", "$gte", "$lt", "$lte"})
_UNFIT: Final[Mapping[FilterKey, frozenset[str]]] = {  # what says nothing of these fields
    DocumentField.TEXT: _ORDERS | {"$eq", "$ne", "$in", "$nin", "$exists"},
    DocumentField.SOURCE: _ORDERS,
}
