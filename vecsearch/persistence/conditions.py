"""Condition tree → SQLAlchemy expression: sets of documents, each a range of `facts`, and what they have in common."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final, assert_never

from sqlalchemy import ColumnElement, Select, and_, case, false, func, literal, literal_column, not_, or_, select, true, union_all

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
from vecsearch.persistence.facts import ELEMENT, Kind, comparable, kind_of
from vecsearch.persistence.tables import chunks, facts

_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"  # else SQLite takes bare numbers for days too
_SURELY: Final = timedelta(days=5)  # times written so far apart are in this order, whatever their offsets, 31 February included
_TESTED: Final[ColumnElement[int]] = literal_column("+chunks.document_id")  # the plus: row by row, and no way into an index
_FIRST, _LAST = "", ":"  # texts before and after all that begin with a digit
_BOUND_MAX: Final = 1_000  # values bound one by one; SQLite binds some ten thousand at most


def chunk_ids(condition: Condition, collection: int) -> Select[tuple[int]]:
    """The chunks of the documents that a condition holds for, each once, in no order.

    Of terms that must all hold, the first that names a set leads to the chunks, the others only test: without one, every chunk
    of the collection is tested.
    """
    terms: list[Condition] = list(condition.terms) if isinstance(condition, AllOf) else [condition]
    leading = next((term for term in terms if _is_set(term)), None)
    if leading is None:
        own = literal_column("+chunks.collection_id") == collection  # that index lacks the documents
        return select(chunks.c.id).where(own, expression(condition, collection, chunks.c.document_id))
    terms.remove(leading)
    first = union_all(*_sets(leading, collection)).cte("first")
    tests = (expression(term, collection, _TESTED) for term in terms)
    return select(chunks.c.id).join_from(first, chunks, chunks.c.document_id == first.c.document_id).where(*tests)


def expression(condition: Condition, collection: int, document: ColumnElement[int]) -> ColumnElement[bool]:
    """True or false for every document of a collection, never NULL; `document` is its row."""
    match condition:
        case Compare() | Exists() | Contains():
            return or_(false(), *(document.in_(each) for each in _sets(condition, collection)))
        case Not(term=term):
            return not_(expression(term, collection, document))
        case AllOf(terms=terms):
            return and_(true(), *(expression(term, collection, document) for term in terms))
        case AnyOf(terms=terms):
            equal = [term for term in terms if isinstance(term, Compare) and term.comparison is Comparison.EQUAL]
            others = [
                expression(term, collection, document)
                for term in terms
                if not (isinstance(term, Compare) and term.comparison is Comparison.EQUAL)
            ]
            return or_(false(), *(document.in_(each) for each in _equal(equal, collection)), *others)
        case _:
            assert_never(condition)


def _is_set(condition: Condition) -> bool:
    """Whether `_sets` gives each document that a condition holds for, once."""
    if isinstance(condition, AnyOf):
        keys = {
            term.key if isinstance(term, Compare) and term.comparison is Comparison.EQUAL else None for term in condition.terms
        }
        return len(keys) == 1 and None not in keys
    return isinstance(condition, Compare | Exists | Contains)


def _sets(condition: Condition, collection: int) -> Iterator[Select[tuple[int]]]:
    """Documents that a condition on one key holds for, in parts: under one key a document has one value."""
    match condition:
        case Compare(comparison=Comparison.EQUAL):
            yield from _equal([condition], collection)
        case Compare(key=key, value=value):
            for within in _ranges(condition):
                yield _under(key, collection).where(facts.c.kind == kind_of(value), *within)
        case Exists(key=key):
            yield _under(key, collection).where(facts.c.kind < ELEMENT)
        case Contains(key=key, value=value):
            stored = facts.c.value == comparable(value)
            yield _under(key, collection).where(facts.c.kind == ELEMENT + kind_of(value), stored)
            if isinstance(value, str):
                yield _under(key, collection).where(facts.c.kind == Kind.TEXT, func.instr(facts.c.value, value) > 0)
        case AnyOf(terms=terms):
            yield from _equal([term for term in terms if isinstance(term, Compare)], collection)


def _equal(terms: Sequence[Compare], collection: int) -> Iterator[Select[tuple[int]]]:
    """Documents that have one of the values, a set for each key and kind: SQLite takes only so many alternatives."""
    values: dict[tuple[str, Kind], list[JSON]] = {}
    for term in terms:
        values.setdefault((term.key, kind_of(term.value)), []).append(comparable(term.value))
    for (key, kind), some in values.items():
        yield _under(key, collection).where(facts.c.kind == kind, _among(some))


def _among(values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a fact's value is one of these; many are handed over as one text."""
    if len(values) <= _BOUND_MAX:
        return facts.c.value.in_(values)
    endless = [each for each in values if isinstance(each, float) and not math.isfinite(each)]  # JSON has no word for them
    listed = json.dumps([each for each in values if each not in endless], ensure_ascii=False)
    return or_(facts.c.value.in_(select(func.json_each(listed).table_valued("value").c.value)), facts.c.value.in_(endless))


def _under(key: str, collection: int) -> Select[tuple[int]]:
    return select(facts.c.document_id).where(facts.c.collection_id == collection, facts.c.key == key)


def _ranges(condition: Compare) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """What holds for a value of the right kind, in parts: each a range of the table, as far as that can be said."""
    bound = comparable(condition.value)
    plain = _compared(facts.c.value, condition.comparison, literal(bound))
    precision = time_precision(condition.value)
    if precision is None:
        yield (plain,)
        return
    read = func.date if precision is TimePrecision.DAY else func.julianday
    is_time = and_(facts.c.value.op("GLOB")(_DAY), func.julianday(facts.c.value).is_not(None))
    as_time = _compared(read(facts.c.value), condition.comparison, read(literal(bound)))
    first, last = _near(bound)
    yield facts.c.value >= first, facts.c.value < last, case((is_time, as_time), else_=plain)
    if condition.comparison in (Comparison.GREATER, Comparison.AT_LEAST):
        yield (facts.c.value >= last,)
    else:
        yield (facts.c.value < first,)


def _near(time: str) -> tuple[str, str]:
    """Texts between which a time may lie on either side of this one; before the first and from the last on, order is order."""
    day = date.fromisoformat(time[:10])
    first = (day - _SURELY).isoformat() if day - date.min > _SURELY else _FIRST
    last = (day + _SURELY).isoformat() if date.max - day > _SURELY else _LAST
    return first, last


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
