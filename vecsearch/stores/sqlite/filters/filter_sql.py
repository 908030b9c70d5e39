"""Condition tree → SQL: sets of documents, each a range of the metadata index, and their combinations. Every value is bound."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, assert_never

from vecsearch.core.filters import And, Compare, Comparison, Contains, Exists, Filter, Not, Or, TimePrecision, find_time_precision
from vecsearch.core.types import JSON
from vecsearch.stores.sqlite.filters.metadata_values import ELEMENT, ValueKind, get_value_kind, to_comparable

_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"  # else SQLite takes bare numbers for days too
_SURELY: Final = timedelta(days=5)  # times written so far apart are in this order, whatever their offsets, 31 February included
_FIRST, _LAST = "", ":"  # texts before and after all that begin with a digit
_BOUND_MAX: Final = 1_000  # values bound one by one; SQLite binds some ten thousand at most
_SIGNS: Final = {
    Comparison.EQUAL: "=", Comparison.GREATER: ">", Comparison.AT_LEAST: ">=", Comparison.LESS: "<", Comparison.AT_MOST: "<=",
}  # fmt: skip


FIND_TEXT: Final = "find_text"  # in SQL, what `metadata_values.find_text` is


class SqlQuery(NamedTuple):
    """A statement and the values of its parameters, by name."""

    text: str
    values: dict[str, Any]


def build_chunk_query(condition: Filter, collection: int) -> SqlQuery:
    """Build the query for the chunks of a condition's documents, each once, in no order, as one text: that costs less than rows.

    Of terms that must all hold, the first that names a set leads to the chunks, the others only test: without one, every chunk
    of the collection is tested.
    """
    builder = _QueryBuilder(collection)
    terms: list[Filter] = list(condition.terms) if isinstance(condition, And) else [condition]
    leading = next((term for term in terms if _is_set(term)), None)
    if leading is None:  # the plus: row by row, and no way into an index; that of the collection lacks the documents
        tests = ["+chunks.collection_id = :collection", builder.build_test(condition, "chunks.document_id")]
        query = f"SELECT chunks.id FROM chunks WHERE {_join_all(tests)}"
    else:
        terms.remove(leading)
        first = " UNION ALL ".join(builder.build_sets(leading))
        tests = [builder.build_test(term, "+chunks.document_id") for term in terms]
        joined = "chunks ON chunks.document_id = first.document_id"
        query = f"WITH first AS ({first}) SELECT chunks.id FROM first JOIN {joined} WHERE {_join_all(tests)}"
    return SqlQuery(f"SELECT group_concat(id) FROM ({query})", builder.values)


def build_document_query(condition: Filter, collection: int) -> SqlQuery:
    """Build the query for the ids, ascending, of the documents that a condition holds for."""
    builder = _QueryBuilder(collection)
    holds = builder.build_test(condition, "documents.id")
    return SqlQuery(
        f"SELECT external_id FROM documents WHERE collection_id = :collection AND {holds} ORDER BY external_id", builder.values
    )


class _QueryBuilder:
    """The SQL of a filter on one collection, built part by part, and the values that were bound for it."""

    def __init__(self, collection: int) -> None:
        self.values: dict[str, Any] = {"collection": collection}

    def build_test(self, condition: Filter, document: str) -> str:
        """Build a test, true or false for every document of the collection, never NULL; `document` is its row."""
        match condition:
            case Compare() | Exists() | Contains():
                return _join_any([f"{document} IN ({subquery})" for subquery in self.build_sets(condition)])
            case Not(term=term):
                return f"NOT {self.build_test(term, document)}"
            case And(terms=terms):
                return _join_all([self.build_test(term, document) for term in terms])
            case Or(terms=terms):
                equal = [term for term in terms if isinstance(term, Compare) and term.comparison is Comparison.EQUAL]
                others = [term for term in terms if not (isinstance(term, Compare) and term.comparison is Comparison.EQUAL)]
                within = [f"{document} IN ({subquery})" for subquery in self._build_equal(equal)]
                return _join_any([*within, *(self.build_test(term, document) for term in others)])
            case _:
                assert_never(condition)

    def build_sets(self, condition: Filter) -> Iterator[str]:
        """Yield queries for the documents of a condition on one key, in parts: under one key a document has one value."""
        match condition:
            case Compare(comparison=Comparison.EQUAL):
                yield from self._build_equal([condition])
            case Compare(key=key, value=value):
                standing = ValueKind.TEXT if isinstance(value, str) else get_value_kind(value)
                for within in self._build_ranges(condition):
                    yield f"{self._select_under(key)} AND kind = {self._bind(int(standing))} AND {within}"
                if isinstance(value, str):
                    yield self._select_long(key, f"{{text}} {_SIGNS[condition.comparison]} {self._bind(value)}")
            case Exists(key=key):
                yield f"{self._select_under(key)} AND kind < {self._bind(ELEMENT)}"
            case Contains(key=key, value=value):
                kind, stored = self._bind(ELEMENT + get_value_kind(value)), self._bind(to_comparable(value))
                yield f"{self._select_under(key)} AND kind = {kind} AND value = {stored}"
                if isinstance(value, str):
                    part, text = self._bind(value), self._bind(int(ValueKind.TEXT))
                    yield f"{self._select_under(key)} AND kind = {text} AND instr(value, {part}) > 0"
                    yield self._select_long(key, f"instr({{text}}, {part}) > 0")
            case Or(terms=terms):
                yield from self._build_equal([term for term in terms if isinstance(term, Compare)])

    def _bind(self, value: Any) -> str:
        name = f"value_{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def _select_under(self, key: str) -> str:
        return f"SELECT document_id FROM metadata_index WHERE collection_id = :collection AND key = {self._bind(key)}"

    def _select_long(self, key: str, test: str) -> str:
        """Select documents with a long text under a key for which a test holds: the index has only its digest, so it is read."""
        long, stored = self._bind(int(ValueKind.LONG_TEXT)), "(SELECT metadata FROM documents WHERE documents.id = document_id)"
        text = f"{FIND_TEXT}({stored}, {self._bind(key)})"
        return f"{self._select_under(key)} AND kind = {long} AND {test.format(text=text)}"

    def _build_equal(self, terms: Sequence[Compare]) -> Iterator[str]:
        """Yield queries for documents that have one of the values, by key and kind: SQLite takes only so many alternatives."""
        values: dict[tuple[str, ValueKind], list[JSON]] = {}
        for term in terms:
            values.setdefault((term.key, get_value_kind(term.value)), []).append(to_comparable(term.value))
        for (key, kind), group in values.items():
            yield f"{self._select_under(key)} AND kind = {self._bind(int(kind))} AND {self._build_among(group)}"

    def _build_among(self, values: Sequence[Any]) -> str:
        """Build a test whether an entry's value is one of these; many are handed over as one text."""
        if len(values) <= _BOUND_MAX:
            return f"value IN ({', '.join(map(self._bind, values))})"
        # JSON has no word for these
        endless = [value for value in values if isinstance(value, float) and not math.isfinite(value)]
        listed = json.dumps([value for value in values if value not in endless], ensure_ascii=False)
        within = f"value IN (SELECT value FROM json_each({self._bind(listed)}))"
        return _join_any([within, f"value IN ({', '.join(map(self._bind, endless))})"] if endless else [within])

    def _build_ranges(self, condition: Compare) -> Iterator[str]:
        """Yield what holds for a value of the right kind, in parts: each a range of the table, as far as that can be said."""
        bound = condition.value if isinstance(condition.value, str) else to_comparable(condition.value)
        sign = _SIGNS[condition.comparison]
        plain = f"value {sign} {self._bind(bound)}"
        precision = find_time_precision(condition.value)
        if precision is None:
            yield plain
            return
        read = "date" if precision is TimePrecision.DAY else "julianday"
        is_time = f"value GLOB {self._bind(_DAY)} AND julianday(value) IS NOT NULL"
        as_time = f"{read}(value) {sign} {read}({self._bind(bound)})"
        first, last = map(self._bind, _find_bounds(bound))
        yield f"value >= {first} AND value < {last} AND CASE WHEN {is_time} THEN {as_time} ELSE {plain} END"
        if condition.comparison in (Comparison.GREATER, Comparison.AT_LEAST):
            yield f"value >= {last}"
        else:
            yield f"value < {first}"


def _is_set(condition: Filter) -> bool:
    """Return whether `_QueryBuilder.build_sets` gives each document that a condition holds for, once."""
    if isinstance(condition, Or):
        keys = {
            term.key if isinstance(term, Compare) and term.comparison is Comparison.EQUAL else None for term in condition.terms
        }
        return len(keys) == 1 and None not in keys
    return isinstance(condition, Compare | Exists | Contains)


def _join_all(tests: Sequence[str]) -> str:
    return f"({' AND '.join(tests)})" if tests else "1"


def _join_any(tests: Sequence[str]) -> str:
    return f"({' OR '.join(tests)})" if tests else "0"


def _find_bounds(time: str) -> tuple[str, str]:
    """Return texts between which a time may lie on either side of this one; outside of them, order is order."""
    day = date.fromisoformat(time[:10])
    first = (day - _SURELY).isoformat() if day - date.min > _SURELY else _FIRST
    last = (day + _SURELY).isoformat() if date.max - day > _SURELY else _LAST
    return first, last
