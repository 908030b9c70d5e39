"""Filters: each store finds the documents for which the plain predicate is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.contract.documents import COLLECTION, locate, make_document, make_vector, open_snapshot, parse, write
from tests.stores.metadata_predicate import holds
from vecsearch.core.filters import (
    And,
    Compare,
    Comparison,
    Contains,
    DocumentField,
    Exists,
    Filter,
    Not,
    Or,
    RegexMatch,
    SourceWithin,
)
from vecsearch.core.types import VectorOrigin
from vecsearch.stores.base import Snapshot, Store

METADATA: Mapping[str, Mapping[str, Any]] = {
    "empty": {},
    "null": {"n": None},
    "one": {"n": 1},
    "one and a half": {"n": 1.5},
    "minus": {"n": -3},
    "true": {"n": True},
    "text one": {"n": "1"},
    "list": {"n": [1, "a", None]},
    "a": {"s": "apple"},
    "b": {"s": "banana split"},
    "nested": {"a": {"b": {"c": 5}}},
    "dotted": {"a.b": 7, "a": {"b": 8}},
    "inner dots": {"a": {"b.c": 9}},
    "day": {"t": "2024-03-01"},
    "evening": {"t": "2024-02-29T23:30:00-02:00"},
    "morning": {"t": "2024-02-29T08:00:00"},
    "not a time": {"t": "2024 was a year"},
    "huge": {"h": 2**64 - 1},
    "its double": {"h": float(2**64)},
    "next to it": {"h": 2**64 + 1},
    "beyond all doubles": {"h": 10**400},
    "more beyond": {"h": 10**400 + 1},
    "lowest": {"h": -(2**63) - 1},
    "whole list": {"l": [1, [2.0, {"x": 1, "y": [2**64 + 1]}]]},
    "real list": {"l": [1.0, [2, {"y": [2**64 + 1], "x": True}]]},
    "huge in it": {"l": [2**64 + 1, "Ä"]},
    "object": {"o": {"a": 1, "b": [1.0]}},
    "object of another": {"o": {"b": [1], "a": True}},
    "nanoseconds": {"u": "2031-01-01T00:00:00.123456789Z"},
    "one less": {"u": "2031-01-01T02:00:00.123456788+02:00"},
    "microseconds": {"u": "2031-01-01 00:00:00.123456"},
    "'quoted\"\\": {"$id": "a", "k\"\\\n'": 1, "": {"": 2}, " ": 3},
}
EXAMPLES: Sequence[tuple[Filter, set[str]]] = [
    (Compare("n", Comparison.EQUAL, 1), {"one"}),
    (Compare("n", Comparison.EQUAL, 1.0), {"one"}),
    (Compare("n", Comparison.EQUAL, True), {"true"}),
    (Compare("n", Comparison.EQUAL, "1"), {"text one"}),
    (Compare("n", Comparison.EQUAL, None), {"null"}),
    (Compare("n", Comparison.EQUAL, [1, "a", None]), {"list"}),
    (Compare("n", Comparison.GREATER, 1), {"one and a half"}),
    (Compare("n", Comparison.AT_LEAST, 1), {"one", "one and a half"}),
    (Compare("n", Comparison.LESS, 1), {"minus"}),
    (Compare("n", Comparison.AT_MOST, 1), {"one", "minus"}),
    (Exists("n"), {"null", "one", "one and a half", "minus", "true", "text one", "list"}),
    (Contains("n", 1), {"list"}),
    (Contains("n", None), {"list"}),
    (Contains("n", True), set()),
    (Contains("s", "an"), {"b"}),
    (Contains("s", "Apple"), set()),
    (Compare("s", Comparison.GREATER, "apple"), {"b"}),
    (Compare("a.b.c", Comparison.EQUAL, 5), {"nested"}),
    (Compare("a.b", Comparison.EQUAL, 7), {"dotted"}),
    (Compare("a.b", Comparison.EQUAL, 8), set()),
    (Compare("a.b.c", Comparison.EQUAL, 9), set()),
    (Exists("a.b"), {"nested", "dotted"}),
    (Compare("t", Comparison.AT_LEAST, "2024-03-01"), {"day", "evening"}),
    (Compare("t", Comparison.LESS, "2024-03-01"), {"morning", "not a time"}),
    (Compare("t", Comparison.GREATER, "2024-03-01T00:30:00Z"), {"evening"}),
    (Compare("t", Comparison.AT_MOST, "2024-02-29T10:00:00+02:00"), {"morning", "not a time"}),
    (Compare("t", Comparison.EQUAL, "2024-03-01T01:30:00Z"), set()),
    (Compare("h", Comparison.EQUAL, 2**64 - 1), {"huge"}),
    (Compare("h", Comparison.EQUAL, 2**64), {"its double"}),
    (Compare("h", Comparison.GREATER, 2**64 - 1), {"its double", "next to it", "beyond all doubles", "more beyond"}),
    (Compare("h", Comparison.AT_MOST, float(2**64)), {"huge", "its double", "lowest"}),
    (Compare("h", Comparison.GREATER, 10**400), {"more beyond"}),
    (Compare("h", Comparison.LESS, -(2**63)), {"lowest"}),
    (Compare("h", Comparison.EQUAL, -(2.0**63)), set()),
    (Compare("l", Comparison.EQUAL, [1.0, [2, {"y": [2**64 + 1], "x": 1.0}]]), {"whole list"}),
    (Contains("l", 2**64 + 1), {"huge in it"}),
    (Contains("l", 2**64), set()),
    (Contains("l", "ä", ignores_case=True), {"huge in it"}),
    (Contains("s", "APPLE", ignores_case=True), {"a"}),
    (RegexMatch("s", "^(a|b).*[et]$"), {"a", "b"}),
    (Compare("o", Comparison.EQUAL, {"b": [1], "a": 1}), {"object"}),
    (Or((Compare("o", Comparison.EQUAL, {"b": [1], "a": 1}), Compare("o", Comparison.EQUAL, {"b": [1], "a": True}))),
     {"object", "object of another"}),
    (Compare("u", Comparison.GREATER, "2031-01-01T00:00:00.123456788Z"), {"nanoseconds"}),
    (Compare("u", Comparison.AT_LEAST, "2031-01-01T00:00:00.1234560001Z"), {"nanoseconds", "one less"}),
    (Compare("$id", Comparison.EQUAL, "a"), {"'quoted\"\\"}),
    (Compare("k\"\\\n'", Comparison.EQUAL, 1), {"'quoted\"\\"}),
    (Compare(".", Comparison.EQUAL, 2), {"'quoted\"\\"}),
    (Compare(" ", Comparison.EQUAL, 3), {"'quoted\"\\"}),
    (Compare(DocumentField.ID, Comparison.EQUAL, "a"), {"a"}),
    (RegexMatch(DocumentField.ID, "^o"), {"one", "one and a half", "object", "object of another", "one less"}),
    (And((Contains(DocumentField.TEXT, "split"), Exists("n"))), set()),
    (And((Contains(DocumentField.TEXT, "one\nmo"), Exists("n"))), {"one", "text one"}),
    (Exists(DocumentField.TITLE), set()),
    (And(()), set(METADATA)),
    (Or(()), set()),
    (Not(Exists("n")), set(METADATA) - {"null", "one", "one and a half", "minus", "true", "text one", "list"}),
    (And((Exists("n"), Not(Compare("n", Comparison.AT_LEAST, 0)))), {"null", "minus", "true", "text one", "list"}),
    (Or((Compare("n", Comparison.EQUAL, 1), Compare("s", Comparison.EQUAL, "apple"), Exists("a"))),
     {"one", "a", "nested", "dotted", "inner dots"}),
]  # fmt: skip


def find(snapshot: Snapshot, where: Filter) -> set[str]:
    """Return the documents that a filter holds for, after looking at them in both ways."""
    chunks, ids = snapshot.select(where), snapshot.list_document_ids(where=where)
    found_ids = {id for id, _ in locate(snapshot, snapshot.find_nearest(make_vector("any"), 10_000, within=chunks).ranked)}
    assert ids == sorted(found_ids)
    assert snapshot.count_documents(where) == len(ids)
    assert len(chunks) == sum(len(document.chunks) for document in snapshot.load_documents(ids))
    return found_ids


@pytest.fixture
def filled_store(store: Store) -> Store:
    write(store, [make_document(id, f"{id}\nmore", metadata=metadata) for id, metadata in METADATA.items()])
    return store


@pytest.mark.parametrize(("where", "expected"), EXAMPLES, ids=lambda value: str(value)[:60] if not isinstance(value, set) else "")
def test_a_filter_finds(where: Filter, expected: set[str], filled_store: Store) -> None:
    with open_snapshot(filled_store) as snapshot:
        assert find(snapshot, where) == expected
    found = {
        id
        for id, metadata in METADATA.items()
        if holds(where, metadata, {DocumentField.ID: id, DocumentField.TEXT: f"{id}\nmore"})
    }
    assert found == expected  # what the next test compares with


keys = st.sampled_from(["n", "s", "a", "b", "a.b", "b.a", "a.b.c"])
words = st.sampled_from(["", "a", "ab", "b", "ä", "Z", "10", "2024-02-29", "2024-03-01", "next to 2024-03-01"])
long_words = st.builds(
    lambda head, length, tail: head + "ab" * (length // 2) + tail,
    st.sampled_from(["", "ä", "2024-02-29"]),
    st.sampled_from([996, 998, 1_000, 5_000]),
    st.sampled_from(["", "a", "b", "Z"]),
)
moments = st.builds(
    lambda minutes, offset: (datetime(2024, 2, 28, tzinfo=UTC) + timedelta(minutes=minutes)).astimezone(offset).isoformat(),
    st.integers(0, 4 * 24 * 60),
    st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9, minutes=30))]),
)
texts = st.one_of(words, moments, long_words)
exact_moments = st.builds(
    lambda digits, end: f"2024-02-29T23:59:59{digits}{end}",
    st.sampled_from(["", ".0", ".0001", ".000100", ".0001000000000001", ".999", ".9999999", ".123456789"]),
    st.sampled_from(["", "Z", "+00:00", "-00:01", "+23:59"]),
)
texts = st.one_of(texts, exact_moments)
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -0.0, 1e300, 2**53, 2**53 + 1, -(2**63)]),
    st.sampled_from([2**63, 2**64, 10**20, 10**400, -(2**63), -(2**64)]).flatmap(lambda at: st.integers(at - 2, at + 2)),
    st.sampled_from([2.0**63, 2.0**64, 1e20, -(2.0**63), 1.7e308]),
)
singles = st.one_of(st.none(), st.booleans(), numbers, texts)
objects = st.dictionaries(st.sampled_from(["a", "b", "c", "b.c"]), singles | st.lists(singles, max_size=2), max_size=2)
few = st.sampled_from([1, 1.0, True, "a", None, 2**64, 2.0**64])  # so that values are equal now and then
nested = st.recursive(
    few, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2), max_leaves=4
)
metadata_values = singles | st.lists(singles, max_size=3) | objects | st.dictionaries(st.just("b"), objects, max_size=1) | nested
metadatas = st.dictionaries(keys, metadata_values, max_size=3)
orders = st.sampled_from([Comparison.GREATER, Comparison.AT_LEAST, Comparison.LESS, Comparison.AT_MOST])
patterns = st.sampled_from(["a", "^b", "[0-9]{4}-", "b$", "ä|Z", "^$"])
fields = st.sampled_from(list(DocumentField))
field_texts = st.sampled_from(["", "000", "003", "a", "A", "text", "e b", "docs", "/docs/a.PDF", "pdf", "en", "de", "2024-02-29"])
filters = st.recursive(
    st.builds(Compare, keys, st.just(Comparison.EQUAL), singles | nested)
    | st.builds(Compare, keys, orders, st.one_of(numbers, texts))
    | st.builds(
        lambda key, values: Or(tuple(Compare(key, Comparison.EQUAL, value) for value in values)),
        keys,
        st.lists(nested | numbers, min_size=1, max_size=3),
    )
    | st.builds(Exists, keys | fields)
    | st.builds(Contains, keys, singles)
    | st.builds(Contains, keys, words, st.just(True))
    | st.builds(RegexMatch, keys | fields, patterns)
    | st.builds(Compare, fields, orders | st.just(Comparison.EQUAL), field_texts)
    | st.builds(Contains, fields, field_texts, st.booleans())
    | st.builds(SourceWithin, st.lists(st.sampled_from(["/docs", "/docs/a.PDF", "/do", "/"]), max_size=2).map(tuple)),
    lambda terms: (
        st.builds(Not, terms)
        | st.builds(lambda conditions: And(tuple(conditions)), st.lists(terms, max_size=3))
        | st.builds(lambda conditions: Or(tuple(conditions)), st.lists(terms, max_size=3))
    ),
    max_leaves=5,
)


documents = st.tuples(
    st.sampled_from(["text", "a", "the A\nof the b", "Straße"]),
    st.fixed_dictionaries(
        {
            "metadata": metadatas
            | st.fixed_dictionaries({"language": st.sampled_from(["en", "en-US", "DE_at", "English", "", 3])}),
            "title": st.sampled_from([None, "", "A", "text"]),
            "source": st.sampled_from([None, "/docs/a.PDF", "/docs/sub/b.tar.gz", "/docsa", "/docs/.env", "in/the folder.md"]),
        }
    ),
)


def is_meant(
    where: Filter, id: str, text: str, *, metadata: Mapping[str, Any], title: str | None, source: str | None, root: Path
) -> bool:
    """Return whether a filter holds for a document, by the predicate; its fields are said here once more."""
    path = None if source is None else str(root / source)
    types = {"a.PDF": "pdf", "b.tar.gz": "gz", "the folder.md": "md"}
    languages = {"en": "en", "en-US": "en", "DE_at": "de"}
    return holds(
        where,
        metadata,
        {
            DocumentField.ID: id, DocumentField.TEXT: text, DocumentField.TITLE: title, DocumentField.SOURCE: path,
            DocumentField.TYPE: types.get((source or "").rpartition("/")[2]),
            DocumentField.LANGUAGE: languages.get(metadata.get("language", "")),
        },
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(documents=st.lists(documents, min_size=1, max_size=12), wheres=st.lists(filters, min_size=1, max_size=8))
def test_a_filter_means_what_the_predicate_says(
    store: Store, documents: Sequence[tuple[str, dict[str, Any]]], wheres: Sequence[Filter]
) -> None:
    with store.open_snapshot(COLLECTION) as snapshot:
        present = [] if snapshot is None else snapshot.list_document_ids()
    write(store, [make_document(f"{n:03}", text, **options) for n, (text, options) in enumerate(documents)])
    with store.open_writer(COLLECTION) as writer:
        writer.delete_documents([id for id in present if int(id) >= len(documents)])
    with open_snapshot(store) as snapshot:
        for where in wheres:
            expected = {
                f"{n:03}"
                for n, (text, options) in enumerate(documents)
                if is_meant(where, f"{n:03}", text, root=store.source_root, **options)
            }
            assert find(snapshot, where) == expected


def test_filters_follow_changed_metadata(filled_store: Store) -> None:
    where = Compare("n", Comparison.EQUAL, 1)
    with open_snapshot(filled_store) as snapshot:
        assert find(snapshot, where) == {"one"}
    with filled_store.open_writer(COLLECTION) as writer:
        writer.set_metadata({"one": {"n": 2}, "a": {"n": 1}, "missing": {"n": 1}})
        writer.commit(metadata={"b": {"n": 1.0}})
    with open_snapshot(filled_store) as snapshot:
        assert find(snapshot, where) == {"a", "b"}
        assert snapshot.load_documents(["one", "missing"])[0].metadata == {"n": 2}
    with filled_store.open_writer(COLLECTION) as writer:
        writer.delete_documents(["a"])
    with open_snapshot(filled_store) as snapshot:
        assert find(snapshot, where) == {"b"}


def test_documents_are_counted_with_a_filter_whether_they_have_vectors_or_not(filled_store: Store) -> None:
    waiting = make_document("waiting", "x\ny\nz", metadata={"n": 1}, vector_origin=VectorOrigin.NONE)
    where = Compare("n", Comparison.EQUAL, 1)
    with filled_store.open_snapshot("another") as missing:
        assert missing is None
    write(filled_store, [waiting])
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.count_documents() == snapshot.count_documents(And(())) == len(METADATA) + 1
        assert snapshot.count_documents(where) == len(snapshot.list_document_ids(where=where)) == 2
        assert snapshot.count_documents(Or(())) == snapshot.count_documents(Exists("nowhere")) == 0
    with filled_store.open_writer(COLLECTION) as writer:
        writer.delete_documents(["one", "missing"])
    with open_snapshot(filled_store) as snapshot:
        assert (snapshot.count_documents(where), snapshot.count_documents(Not(where))) == (1, len(METADATA) - 1)


def test_a_long_text_is_found_by_all_of_it(store: Store) -> None:
    text = "A long note. " * 80_000
    texts = {"whole": text, "another end": text + "x", "another beginning": "x" + text, "short": "A long note."}
    write(
        store,
        [make_document(id, "text", metadata={"n": value, "m": {"n": value}, "l": [value, 1]}) for id, value in texts.items()],
    )
    with open_snapshot(store) as snapshot:
        for key in ("n", "m.n"):
            assert find(snapshot, Compare(key, Comparison.EQUAL, text)) == {"whole"}
            assert find(snapshot, Compare(key, Comparison.GREATER, text)) == {"another end", "another beginning"}
            assert find(snapshot, Compare(key, Comparison.AT_MOST, text)) == {"whole", "short"}
            assert find(snapshot, Contains(key, "note. x")) == {"another end"}
            assert find(snapshot, Contains(key, text)) == {"whole", "another end", "another beginning"}
            assert find(snapshot, Exists(key)) == set(texts)
        assert find(snapshot, Contains("l", text)) == {"whole"}
        assert find(snapshot, Compare("l", Comparison.EQUAL, [text, 1])) == {"whole"}
    with store.open_writer(COLLECTION) as writer:
        writer.set_metadata({"whole": {"n": text + "x"}})
        writer.delete_documents(["another end"])
    with open_snapshot(store) as snapshot:
        assert find(snapshot, Compare("n", Comparison.EQUAL, text)) == set()
        assert find(snapshot, Compare("n", Comparison.EQUAL, text + "x")) == {"whole"}


def test_k_chunks_whenever_k_match(store: Store) -> None:
    """However few match, and however far they are from the query."""
    query = make_vector("river")
    write(store, [make_document(f"near {n:03}", "river river", metadata={"rare": False}) for n in range(60)])
    write(store, [make_document(f"far {n}", f"bank {n} river", metadata={"rare": True}) for n in range(7)])
    with open_snapshot(store) as snapshot:
        rare = snapshot.select(Compare("rare", Comparison.EQUAL, True))
        for k in (1, 5, 6):
            near = snapshot.find_nearest(query, k, within=rare)
            assert len(near.ranked) == k and not near.exhausted
            assert len(snapshot.match(parse("river"), k, within=rare).ranked) == k
        assert len(snapshot.find_nearest(query, 8, within=rare).ranked) == 7
        assert snapshot.find_nearest(query, 8, within=rare).exhausted
        no_chunks = snapshot.select(Exists("missing"))
        assert len(no_chunks) == 0
        assert snapshot.find_nearest(query, 8, within=no_chunks).ranked.ids.tolist() == []
        assert snapshot.match(parse("river"), 8, within=no_chunks).ranked.ids.tolist() == []
