"""Condition tree → SQL: sets of documents, each a range of the metadata index, and their combinations. Every value is bound.

Where an entry of the index cannot decide, it names the documents that may match, and a test in Python looks at their own
metadata; what is no metadata is looked for in the table of documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, assert_never

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
from vecsearch.core.json_values import identify_value, is_number, parse_time
from vecsearch.core.patterns import PatternClock
from vecsearch.core.types import JSON
from vecsearch.stores.sqlite.filters.field_sql import FIELD_COLUMNS, is_within
from vecsearch.stores.sqlite.filters.metadata_values import (
    ELEMENT,
    ValueKind,
    find_stored_values,
    get_value_kind,
    is_told_apart,
    to_comparable,
)
from vecsearch.stores.sqlite.filters.value_tests import make_value_test

_SURELY: Final = timedelta(days=7)  # times written so far apart are in this order, whatever their offsets
_FIRST, _LAST = "", ":"  # texts before and after all that begin with a digit
_BOUND_MAX: Final = 1_000  # values bound one by one, of a whole filter; SQLite binds some ten thousand at most
_SIGNS: Final = {
    Comparison.EQUAL: "=", Comparison.GREATER: ">", Comparison.AT_LEAST: ">=", Comparison.LESS: "<", Comparison.AT_MOST: "<=",
}  # fmt: skip
_METADATA: Final = "(SELECT metadata FROM documents WHERE documents.id = document_id)"  # of an entry's document

HOLDS: Final = "holds"  # in SQL, with the number of a test behind it: whether that is true for a value
ValueTest = Callable[[Any], bool]
"""A test of what SQLite holds, which may be NULL."""


class SqlQuery(NamedTuple):
    """A statement, the values of its parameters by name, but for SOURCE_ROOT, and the tests of HOLDS by their number."""

    text: str
    values: dict[str, Any]
    tests: Sequence[ValueTest]


def build_chunk_query(condition: Filter, collection: int) -> SqlQuery:
    """Build the query for the chunks of a condition's documents, each once, in no order, as one text: that costs less than rows.

    Of terms that must all hold, one that names a set leads to the chunks, the others only test: without one, every chunk of the
    collection is tested.
    """
    builder = _QueryBuilder(collection)
    leading, terms = _choose_leading(condition)
    if leading is None:  # the plus: row by row, and no way into an index; that of the collection lacks the documents
        tests = ["+chunks.collection_id = :collection", *(builder.build_test(term, "chunks.document_id") for term in terms)]
        query = f"SELECT chunks.id FROM chunks WHERE {_join_all(tests)}"
    else:
        first = builder.build_leading(leading)
        tests = [builder.build_test(term, "+chunks.document_id") for term in terms]
        joined = "chunks ON chunks.document_id = first.document_id"
        query = f"WITH first AS ({first}) SELECT chunks.id FROM first JOIN {joined} WHERE {_join_all(tests)}"
    return builder.finish(f"SELECT group_concat(id) FROM ({query})")


def build_document_query(condition: Filter, collection: int) -> SqlQuery:
    """Build the query for the ids, ascending, of the documents that a condition holds for."""
    builder = _QueryBuilder(collection)
    leading, terms = _choose_leading(condition)
    if leading is None:
        tests = _join_all([builder.build_test(term, "documents.id") for term in terms])
        return builder.finish(
            f"SELECT external_id FROM documents WHERE collection_id = :collection AND {tests} ORDER BY external_id"
        )
    first = builder.build_leading(leading)
    tests = _join_all([builder.build_test(term, "documents.id") for term in terms])
    joined = "documents ON documents.id = first.document_id"
    return builder.finish(
        f"WITH first AS ({first}) SELECT external_id FROM first JOIN {joined} WHERE {tests} ORDER BY external_id"
    )


class _QueryBuilder:
    """The SQL of a filter on one collection, built part by part, the values that were bound for it, and its tests."""

    def __init__(self, collection: int) -> None:
        self._values: dict[str, Any] = {"collection": collection}
        self._tests: list[ValueTest] = []
        self._clock = PatternClock()
        self._scanned = "collection_id = :collection"  # the documents that are looked through, where an index does not help

    def finish(self, text: str) -> SqlQuery:
        """Return the whole query."""
        return SqlQuery(text, self._values, self._tests)

    def build_leading(self, condition: Filter) -> str:
        """Build the query for the documents that alone all other terms need to look at."""
        first = " UNION ALL ".join(self.build_sets(condition)) or "SELECT 0 AS document_id WHERE 0"
        self._scanned = "id IN (SELECT document_id FROM first)"
        return first

    def build_test(self, condition: Filter, document: str) -> str:
        """Build a test, true or false for every document of the collection, never NULL; `document` is its row."""
        match condition:
            case Compare() | Exists() | Contains() | RegexMatch() | SourceWithin():
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
            case Or(terms=terms):
                yield from self._build_equal([term for term in terms if isinstance(term, Compare)])
            case Compare(comparison=Comparison.EQUAL):
                yield from self._build_equal([condition])
            case SourceWithin(paths=paths):
                folders = frozenset(paths)
                yield self._select_field(DocumentField.SOURCE, lambda path: is_within(path, folders))
            case Compare(key=str(key), value=value):
                yield from self._build_order(condition, key, value)
            case Exists(key=str(key)):
                yield f"{self._select_under(key)} AND kind < {self._bind(ELEMENT)}"
            case Contains(key=str(key), value=value):
                yield from self._build_contains(condition, key, value)
            case RegexMatch(key=str(key)):
                test = make_value_test(condition, self._clock)
                yield f"{self._select_kind(key, ValueKind.TEXT)} AND {self._hold(test, 'value')}"
                yield self._select_exactly(key, ValueKind.LONG_TEXT, test)
            case Compare() | Exists() | Contains() | RegexMatch():
                assert isinstance(condition.key, DocumentField)
                yield self._select_field(condition.key, make_value_test(condition, self._clock))

    def _bind(self, value: Any) -> str:
        name = f"value_{len(self._values)}"
        self._values[name] = value
        return f":{name}"

    def _hold(self, test: ValueTest, argument: str) -> str:
        self._tests.append(test)
        return f"{HOLDS}_{len(self._tests) - 1}({argument})"

    # -- fields

    def _select_field(self, field: DocumentField, test: Callable[[str], bool]) -> str:
        """Select documents by a test of what one of their fields says."""
        column = FIELD_COLUMNS[field]

        def test_stored(stored: Any) -> bool:
            value = None if stored is None else column.read(stored)
            return value is not None and test(value)

        return f"SELECT id AS document_id FROM documents WHERE {self._scanned} AND {self._hold(test_stored, column.sql)}"

    def _select_ids(self, ids: Sequence[str]) -> str:
        among = self._build_among("external_id", ids)
        return f"SELECT id AS document_id FROM documents WHERE collection_id = :collection AND {among}"

    # -- metadata

    def _select_under(self, key: str) -> str:
        return f"SELECT document_id FROM metadata_index WHERE collection_id = :collection AND key = {self._bind(key)}"

    def _select_kind(self, key: str, kind: int) -> str:
        return f"{self._select_under(key)} AND kind = {self._bind(int(kind))}"

    def _select_exactly(self, key: str, kind: int, test: Callable[[JSON], bool]) -> str:
        """Select documents with a value of a kind under a key whose own metadata has one there for which a test holds."""
        return f"{self._select_kind(key, kind)} AND {self._hold_exactly(key, test)}"

    def _hold_exactly(self, key: str, test: Callable[[JSON], bool]) -> str:
        return self._hold(lambda stored: any(map(test, find_stored_values(stored, key))), _METADATA)

    def _build_equal(self, terms: Sequence[Compare]) -> Iterator[str]:
        """Yield queries for documents that have one of the values, by key and kind: SQLite takes only so many alternatives."""
        values: dict[tuple[FilterKey, ValueKind], list[JSON]] = {}
        for term in terms:
            values.setdefault((term.key, get_value_kind(term.value)), []).append(term.value)
        for (key, kind), group in values.items():
            if key is DocumentField.ID:
                yield self._select_ids(group)
            elif isinstance(key, DocumentField):
                yield self._select_field(key, frozenset(group).__contains__)
            else:
                yield from self._build_equal_kind(key, kind, group)

    def _build_equal_kind(self, key: str, kind: ValueKind, values: Sequence[JSON]) -> Iterator[str]:
        """Yield queries for documents with one of the values, all of one kind: those that the index tells apart, the others."""
        plain = [value for value in values if is_told_apart(value)]
        if plain:
            yield f"{self._select_kind(key, kind)} AND {self._build_among('value', list(map(to_comparable, plain)))}"
        if len(plain) < len(values):
            others = [value for value in values if not is_told_apart(value)]
            identities = frozenset(map(identify_value, others))
            candidates = self._build_candidates(key, kind, others)
            exact = self._hold_exactly(key, lambda stored: identify_value(stored) in identities)
            yield f"{self._select_kind(key, kind)} AND {candidates} AND {exact}"

    def _build_candidates(self, key: str, kind: ValueKind, values: Sequence[JSON]) -> str:
        """Build a test of entries that holds for all whose value may be one of these."""
        if kind is ValueKind.NUMBER:
            return self._build_among("value", list(map(to_comparable, values)))
        element = next((part for part in values[0] if is_told_apart(part) and not isinstance(part, list)), ...)
        if kind is ValueKind.OBJECT or len(values) > 1 or element is ...:
            return "1"
        holding = self._select_kind(key, ELEMENT + get_value_kind(element))
        return f"document_id IN ({holding} AND value = {self._bind(to_comparable(element))})"

    def _build_among(self, column: str, values: Sequence[Any]) -> str:
        """Build a test whether a column is one of these; many are handed over as one text, where that says them exactly."""
        if len(self._values) + len(values) <= _BOUND_MAX or len(values) == 1:
            return f"{column} IN ({', '.join(map(self._bind, values))})"
        if any(isinstance(value, float) for value in values):
            return self._hold(frozenset(values).__contains__, column)
        listed = [value for value in values if "\0" not in str(value)]  # nothing stored has that, and SQLite reads up to it
        return f"{column} IN (SELECT value FROM json_each({self._bind(json.dumps(listed, ensure_ascii=False))}))"

    def _build_contains(self, condition: Contains, key: str, value: JSON) -> Iterator[str]:
        test = make_value_test(condition, self._clock)
        if condition.ignores_case:
            yield self._select_exactly(key, ValueKind.LIST, test)
            yield f"{self._select_kind(key, ValueKind.TEXT)} AND {self._hold(test, 'value')}"
        else:
            element = f"{self._select_kind(key, ELEMENT + get_value_kind(value))} AND value = {self._bind(to_comparable(value))}"
            yield element if is_told_apart(value) else f"{element} AND {self._hold_exactly(key, test)}"
            if isinstance(value, str):
                yield f"{self._select_kind(key, ValueKind.TEXT)} AND instr(value, {self._bind(value)}) > 0"
        if isinstance(value, str):
            yield self._select_exactly(key, ValueKind.LONG_TEXT, test)

    def _build_order(self, condition: Compare, key: str, value: JSON) -> Iterator[str]:
        test, sign = make_value_test(condition, self._clock), _SIGNS[condition.comparison]
        if isinstance(value, str):
            for within in self._build_text_ranges(value, sign, test):
                yield f"{self._select_kind(key, ValueKind.TEXT)} AND {within}"
            yield self._select_exactly(key, ValueKind.LONG_TEXT, test)
        elif is_number(value):
            bound = self._bind(to_comparable(value))
            if is_told_apart(value):
                yield f"{self._select_kind(key, ValueKind.NUMBER)} AND value {sign} {bound}"
            else:
                yield f"{self._select_kind(key, ValueKind.NUMBER)} AND value {sign[0]} {bound}"
                yield f"{self._select_kind(key, ValueKind.NUMBER)} AND value = {bound} AND {self._hold_exactly(key, test)}"

    def _build_text_ranges(self, bound: str, sign: str, test: ValueTest) -> Iterator[str]:
        """Yield what holds for a text, in parts: each a range of the table. Beside a time, some texts are times too."""
        if parse_time(bound) is None:
            yield f"value {sign} {self._bind(bound)}"
            return
        first, last = map(self._bind, _find_bounds(bound))
        yield f"value >= {first} AND value < {last} AND {self._hold(test, 'value')}"
        yield f"value >= {last}" if sign[0] == ">" else f"value < {first}"


def _choose_leading(condition: Filter) -> tuple[Filter | None, list[Filter]]:
    """Return the term that names the fewest documents at least cost, as far as its form tells, and the others."""
    terms = list(condition.terms) if isinstance(condition, And) else [condition]
    leading = min(filter(_is_set, terms), key=_estimate_cost, default=None)
    return leading, [term for term in terms if term is not leading]


def _estimate_cost(condition: Filter) -> int:
    """Return 0 for what ids lead to, 1 for a range of the metadata index, 2 for what every document is looked at for."""
    match condition:
        case Or(terms=(Compare(key=key), *_)) | Compare(key=key):
            return 0 if key is DocumentField.ID and _is_equality(condition) else 2 if isinstance(key, DocumentField) else 1
        case Exists(key=DocumentField()) | Contains(key=DocumentField()) | RegexMatch() | SourceWithin():
            return 2
    return 1


def _is_equality(condition: Filter) -> bool:
    return isinstance(condition, Or) or (isinstance(condition, Compare) and condition.comparison is Comparison.EQUAL)


def _is_set(condition: Filter) -> bool:
    """Return whether `_QueryBuilder.build_sets` gives each document that a condition holds for, once."""
    if isinstance(condition, Or):
        keys = {
            term.key if isinstance(term, Compare) and term.comparison is Comparison.EQUAL else None for term in condition.terms
        }
        return len(keys) == 1 and None not in keys
    return not isinstance(condition, Not | And)


def _join_all(tests: Sequence[str]) -> str:
    return f"({' AND '.join(tests)})" if tests else "1"


def _join_any(tests: Sequence[str]) -> str:
    return f"({' OR '.join(tests)})" if tests else "0"


def _find_bounds(time: str) -> tuple[str, str]:
    """Return texts between which a time may lie on either side of this one; outside of them, order is order."""
    written = time[:10]  # a year or a month has no days: those from its first to about its last
    begin, end = (date.fromisoformat(written + rest[len(written) :]) for rest in ("0000-01-01", "0000-12-28"))
    first = (begin - _SURELY).isoformat() if begin - date.min > _SURELY else _FIRST
    last = (end + _SURELY).isoformat() if date.max - end > _SURELY else _LAST
    return first, last
