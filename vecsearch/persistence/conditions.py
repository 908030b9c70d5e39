"""Condition tree → SQLAlchemy expression over documents.metadata."""

from __future__ import annotations

import json
from typing import Any, assert_never

from sqlalchemy import ColumnElement, and_, case, exists, false, func, literal, not_, or_, select, true
from sqlalchemy import column as sql_column

from vecsearch.core.conditions import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    Contains,
    Exists,
    Not,
    TimePrecision,
    time_precision,
)  # fmt: skip
from vecsearch.core.types import JSON
from vecsearch.persistence.tables import documents

_NUMBERS = ("integer", "real")
_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"  # else SQLite takes bare numbers for days too


def expression(condition: Condition) -> ColumnElement[bool]:
    """True or false for every document, never NULL."""
    match condition:
        case Compare():
            return _compare(condition)
        case Exists(key=key):
            return _type(key).is_not(None)
        case Contains(key=key, value=value):
            return or_(_in_list(key, value), _in_text(key, value))
        case Not(term=term):
            return not_(expression(term))
        case AllOf(terms=terms):
            return and_(true(), *map(expression, terms))
        case AnyOf(terms=terms):
            return or_(false(), *map(expression, terms))
        case _:
            assert_never(condition)


def _compare(condition: Compare) -> ColumnElement[bool]:
    kind, value = _type(condition.key), _value(condition.key)
    return func.coalesce(and_(_is_kind(kind, condition.value), _ordered(value, condition)), literal(0)) == 1


def _is_kind(kind: ColumnElement[Any], value: JSON) -> ColumnElement[bool]:
    """Whether a stored JSON type can equal this value at all."""
    match value:
        case None:
            return kind == "null"
        case bool():
            return kind == ("true" if value else "false")
        case int() | float():
            return kind.in_(_NUMBERS)
        case str():
            return kind == "text"
        case _:
            return kind == "array"


def _ordered(stored: ColumnElement[Any], condition: Compare) -> ColumnElement[bool]:
    value = condition.value
    if value is None or isinstance(value, bool):
        return true()  # the type has said it all
    bound = literal(_bindable(value))
    plain = _compared(stored, condition.comparison, bound)
    precision = time_precision(value) if condition.comparison is not Comparison.EQUAL else None
    if precision is None:
        return plain
    read = func.date if precision is TimePrecision.DAY else func.julianday
    is_time = and_(stored.op("GLOB")(_DAY), func.julianday(stored).is_not(None))
    return case((is_time, _compared(read(stored), condition.comparison, read(bound))), else_=plain)


def _compared(stored: ColumnElement[Any], comparison: Comparison, bound: ColumnElement[Any]) -> ColumnElement[bool]:
    match comparison:
        case Comparison.EQUAL:
            return stored == bound
        case Comparison.GREATER:
            return stored > bound
        case Comparison.AT_LEAST:
            return stored >= bound
        case Comparison.LESS:
            return stored < bound
        case Comparison.AT_MOST:
            return stored <= bound
        case _:
            assert_never(comparison)


def _bindable(value: JSON) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)  # as SQLite reads so large a number from JSON
    return value


def _paths(key: str) -> list[str]:
    """The key as it is, then as a path of nested keys."""
    whole = f'$."{key}"'
    parts = key.split(".")
    return [whole] if len(parts) == 1 else [whole, "$" + "".join(f'."{part}"' for part in parts)]


def _type(key: str) -> ColumnElement[Any]:
    kinds = [func.json_type(documents.c.metadata, path) for path in _paths(key)]
    return kinds[0] if len(kinds) == 1 else func.coalesce(*kinds)


def _value(key: str) -> ColumnElement[Any]:
    paths = _paths(key)
    values = [func.json_extract(documents.c.metadata, path) for path in paths]
    if len(values) == 1:
        return values[0]
    return case((func.json_type(documents.c.metadata, paths[0]).is_not(None), values[0]), else_=values[1])


def _in_text(key: str, value: JSON) -> ColumnElement[bool]:
    if not isinstance(value, str):
        return false()
    return func.coalesce(and_(_type(key) == "text", func.instr(_value(key), value) > 0), literal(0)) == 1


def _in_list(key: str, value: JSON) -> ColumnElement[bool]:
    # `element` is never a row's own text: json_each on "[]" where the key holds no list
    source = case((_type(key) == "array", _value(key)), else_="[]")
    element = func.json_each(source).table_valued(sql_column("value"), sql_column("type"), name="element")
    wanted = Compare(key, Comparison.EQUAL, value)
    return exists(select(1).select_from(element).where(_is_kind(element.c.type, value), _ordered(element.c.value, wanted)))
