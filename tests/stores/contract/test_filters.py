"""Filters: each store finds the documents for which the plain predicate is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.contract.documents import COLLECTION, locate, make_document, make_vector, open_snapshot, parse, write
from tests.stores.metadata_predicate import holds
from vecsearch.core.filters import And, Compare, Comparison, Contains, Exists, Filter, Not, Or
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
    assert {id for id, metadata in METADATA.items() if holds(where, metadata)} == expected  # what the next test compares with


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
numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -0.0, 1e300, 2**53, 2**53 + 1, -(2**63)]))
singles = st.one_of(st.none(), st.booleans(), numbers, texts)
objects = st.dictionaries(st.sampled_from(["a", "b", "c", "b.c"]), singles | st.lists(singles, max_size=2), max_size=2)
metadata_values = singles | st.lists(singles, max_size=3) | objects | st.dictionaries(st.just("b"), objects, max_size=1)
metadatas = st.dictionaries(keys, metadata_values, max_size=3)
orders = st.sampled_from([Comparison.GREATER, Comparison.AT_LEAST, Comparison.LESS, Comparison.AT_MOST])
filters = st.recursive(
    st.builds(Compare, keys, st.just(Comparison.EQUAL), singles)
    | st.builds(Compare, keys, orders, st.one_of(numbers, texts))
    | st.builds(Exists, keys)
    | st.builds(Contains, keys, singles),
    lambda terms: (
        st.builds(Not, terms)
        | st.builds(lambda conditions: And(tuple(conditions)), st.lists(terms, max_size=3))
        | st.builds(lambda conditions: Or(tuple(conditions)), st.lists(terms, max_size=3))
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(metadata=st.lists(metadatas, min_size=1, max_size=12), wheres=st.lists(filters, min_size=1, max_size=8))
def test_a_filter_means_what_the_predicate_says(
    store: Store, metadata: Sequence[Mapping[str, Any]], wheres: Sequence[Filter]
) -> None:
    with store.open_snapshot(COLLECTION) as snapshot:
        present = [] if snapshot is None else snapshot.list_document_ids()
    write(store, [make_document(f"{n:03}", "text", metadata=values) for n, values in enumerate(metadata)])
    with store.open_writer(COLLECTION) as writer:
        writer.delete_documents([id for id in present if int(id) >= len(metadata)])
    with open_snapshot(store) as snapshot:
        for where in wheres:
            assert find(snapshot, where) == {f"{n:03}" for n, values in enumerate(metadata) if holds(where, values)}


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
