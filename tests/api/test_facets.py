"""Keys and values of metadata are counted as they stand in the documents."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests.conftest import CommandResult
from tests.fakes import FakeEncoder
from vecsearch.search import facets


@pytest.fixture
def books(tmp_path: Path) -> Iterator[vecsearch.Collection]:
    metadatas: list[dict[str, Any]] = [
        {"lang": "en", "year": 1998, "tags": ["sea", "bird"], "by": {"name": "Ada", "born": 1950}},
        {"lang": "de", "year": 2001.5, "tags": ["sea"], "by": {"name": "Bo"}, "lent": True},
        {"lang": "en", "year": "unknown", "tags": [], "lent": None},
        {"lang": "en", "a.b": 1, "a": {"b": 2, "c": 3}, "lent": 1},
        {},
    ]
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add([f"book {n}" for n in range(5)], ids=[str(n) for n in range(5)], metadatas=metadatas)
        yield collection


def test_keys_have_types_and_ranges(books: vecsearch.Collection) -> None:
    keys = {summary.key: summary for summary in books.keys()}  # noqa: SIM118
    assert list(keys) == ["a", "a.b", "a.c", "by", "by.born", "by.name", "lang", "lent", "tags", "year"]
    assert keys["year"] == vecsearch.KeySummary("year", 3, {"number": 2, "text": 1}, 1998, 2001.5)
    assert keys["lang"] == vecsearch.KeySummary("lang", 4, {"text": 4}, "de", "en")
    assert keys["lent"] == vecsearch.KeySummary("lent", 3, {"boolean": 1, "null": 1, "number": 1}, 1, 1)
    assert keys["tags"] == vecsearch.KeySummary("tags", 3, {"list": 3}, "bird", "sea")
    assert (keys["by"].types, keys["by"].min, keys["a.b"].min, keys["a.c"].min) == ({"object": 2}, None, 1, 3)
    assert [summary.key for summary in books.keys(where={"lang": "de"})] == ["by", "by.name", "lang", "lent", "tags", "year"]


def test_values_are_counted_by_document(books: vecsearch.Collection) -> None:
    languages = books.facets("lang")
    assert languages.values == (vecsearch.ValueCount("en", 3), vecsearch.ValueCount("de", 1))
    assert (languages.documents, languages.missing, languages.distinct, languages.types) == (4, 1, 2, {"text": 4})
    assert (
        books.facets("lang", limit=1).values == (vecsearch.ValueCount("en", 3),) and books.facets("lang", limit=1).distinct == 2
    )
    assert books.facets("tags").values == (vecsearch.ValueCount("sea", 2), vecsearch.ValueCount("bird", 1))
    assert [(found.value, found.count) for found in books.facets("lent").values] == [(True, 1), (None, 1), (1, 1)]
    assert [found.value for found in books.facets("by.name", where={"year": {"$gt": 2000}}).values] == ["Bo"]
    nothing = books.facets("nothing")
    assert (nothing.documents, nothing.missing, nothing.values, nothing.min) == (0, 5, (), None)
    for found in books.facets("year").values:  # what is counted is what a filter finds
        assert books.count({"year": found.value}) == found.count


def test_what_cannot_be_counted_is_said(books: vecsearch.Collection, tmp_path: Path) -> None:
    wrong: Any = 7
    with pytest.raises(vecsearch.InputError, match="key must be a string, got 7"):
        books.facets(wrong)
    with pytest.raises(vecsearch.InputError, match="limit"):
        books.facets("lang", limit=0)
    with vecsearch.open(tmp_path / "none.vec") as none, pytest.raises(vecsearch.CollectionNotFoundError):
        none.keys()


def test_exact_values_are_kept_apart(tmp_path: Path) -> None:
    long = "x" * 2_000
    values = [2**64 - 1, 2**64 - 2, 2**53 + 1, float(2**53), long, long + "y", 1, 1.0, True, "1", -0.0, 0]
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add(["a"] * len(values), metadatas=[{"v": value} for value in values])
        found = collection.facets("v", limit=None)
    assert {(type(item.value) is bool, item.value): item.count for item in found.values} == Counter(
        (type(value) is bool, value) for value in values
    )
    assert (found.min, found.max) == (0, 2**64 - 1)


scalars = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.5, 1.0]), st.sampled_from(["a", "b", ""]))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["k", "l", "k.l"]), inner, max_size=2)),
    max_leaves=4,
)
metadatas = st.dictionaries(st.sampled_from(["k", "l", "k.l"]), values, max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(metadatas, st.integers(1, 3)), max_size=5))
def test_sums_agree(counted: list[tuple[dict[str, Any], int]]) -> None:
    total = sum(count for _, count in counted)
    for summary in facets.summarize_keys(counted):
        found = facets.count_values(counted, summary.key, None)
        assert (found.documents, found.types, found.min, found.max) == (
            summary.documents,
            summary.types,
            summary.min,
            summary.max,
        )
        assert found.documents + found.missing == total and sum(summary.types.values()) == summary.documents
        assert found.distinct == len(found.values) == len({(type(item.value) is bool, item.value) for item in found.values})
        assert all(0 < item.count <= summary.documents for item in found.values)


def test_the_shell_shows_both(books: vecsearch.Collection, shell: Callable[..., CommandResult]) -> None:
    database = ("--db", books.path)
    keys = json.loads(shell("facets", "--json", *database).out)["keys"]
    assert keys[6] == {"key": "lang", "documents": 4, "types": {"text": 4}, "min": "de", "max": "en"}
    answer = json.loads(shell("facets", "lang", "-n", 1, "--json", *database).out)
    assert answer["values"] == [{"value": "en", "count": 3}] and answer["distinct"] == 2
    assert shell("facets", "lang", "-n", 1, *database).out.splitlines() == [
        '3  "en"', "… and 1 more values: --limit 2", "4 documents with lang, 1 without",
    ]  # fmt: skip
    assert "year  (3 documents, number 2, text 1)  1998 to 2001.5" in shell("facets", *database).out.splitlines()
    books.add(["of two lines"], metadatas=[{"two\nlines": 1}])
    assert '"two\\nlines"  (1 document, number)  1 to 1' in shell("facets", *database).out.splitlines()
    assert shell("facets", "two\nlines", *database).out.splitlines()[-1] == '1 document with "two\\nlines", 5 without'
