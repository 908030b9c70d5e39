"""Columns of any kind are taken by position, never by label; what has no order is refused by name."""

from __future__ import annotations

import importlib
import importlib.util
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecsearch
from tests.fakes import FakeEncoder

IDS = ["zero", "one", "two"]
TEXTS = ["text of zero", "text of one", "text of two"]
METADATAS = [{"n": 0}, {"n": 1}, {"n": 2}]


class LabelledSeries:
    """As a pandas Series is: iteration goes by position, brackets by label, and labels need not be in order."""

    def __init__(self, values: Sequence[Any], labels: Sequence[Any]) -> None:
        self._values, self._labels = list(values), list(labels)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __getitem__(self, label: Any) -> Any:
        return self._values[self._labels.index(label)]

    def __bool__(self) -> bool:
        raise ValueError("The truth value of a Series is ambiguous")


def make_pandas_series(values: Sequence[Any]) -> Any:
    return pytest.importorskip("pandas").Series(list(values), index=[2, 0, 1][: len(values)])


def make_arrow_array(values: Sequence[Any]) -> Any:
    return pytest.importorskip("pyarrow").array(values)


COLUMNS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "iterator": iter,
    "generator": lambda values: (value for value in values),
    "dict view": lambda values: dict(enumerate(values)).values(),
    "NumPy of objects": lambda values: np.array([*values, None], object)[:-1],
    "labelled series": lambda values: LabelledSeries(values, [2, 0, 1]),
    "labels that are no numbers": lambda values: LabelledSeries(values, "cab"),
    "pandas": make_pandas_series,
    "Arrow": make_arrow_array,
}


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[vecsearch.Collection]:
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        yield collection


def read_all(collection: vecsearch.Collection) -> dict[str, tuple[str, Any, str | None]]:
    return {document.id: (document.text, document.metadata["n"], document.title) for document in collection.get(IDS)}


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_column_is_taken_by_position_wherever_one_is_taken(collection: vecsearch.Collection, kind: str) -> None:
    make = COLUMNS[kind]
    assert collection.add(make(TEXTS), ids=make(IDS), metadatas=make(METADATAS), titles=make(["a", None, "c"])) == IDS
    expected = {key: (text, n, title) for n, (key, text, title) in enumerate(zip(IDS, TEXTS, ["a", None, "c"], strict=True))}
    assert read_all(collection) == expected
    collection.upsert(make(TEXTS[::-1]), ids=make(IDS), metadatas=make(METADATAS))
    assert [document.text for document in collection.get(make(IDS))] == TEXTS[::-1]
    assert [hits[0].text for hits in collection.search(make(TEXTS))] == TEXTS
    assert np.array_equal(collection.embed(make(TEXTS)), FakeEncoder().encode_documents(TEXTS))
    assert {hit.id for hit in collection.recommend(make(["zero"]), make(["one"]))} == {"two"}
    assert collection.count({"n": {"$in": make([0, 2])}}) == 2
    assert collection.delete(make(["two", "zero"])) == ["two", "zero"]


@pytest.mark.parametrize("kind", COLUMNS)
def test_vectors_are_taken_by_position(collection: vecsearch.Collection, kind: str) -> None:
    rows = FakeEncoder().encode_documents(TEXTS)
    collection.add(TEXTS, ids=IDS, vectors=COLUMNS[kind]([row.tolist() for row in rows]))
    assert [collection.search(row)[0].id for row in rows] == IDS
    assert [hits[0].id for hits in collection.search(COLUMNS[kind]([row.tolist() for row in rows]))] == IDS
    series: Any = LabelledSeries(rows[1], range(32)[::-1])
    assert collection.search(series)[0].id == "one"


@pytest.mark.parametrize("values", [set(TEXTS), frozenset(TEXTS), dict.fromkeys(TEXTS), "text", b"text", np.array([TEXTS]), 7])
def test_what_has_no_order_or_is_no_column_is_refused(collection: vecsearch.Collection, values: Any) -> None:
    collection.add(["old"], ids=["old"])
    calls: list[Callable[[], object]] = [
        lambda: collection.add(values), lambda: collection.embed(values),
        lambda: collection.add(TEXTS, ids=values), lambda: collection.add(TEXTS, titles=values),
        lambda: collection.add(TEXTS, metadatas=values), lambda: collection.add(TEXTS, vectors=values),
        lambda: collection.recommend(values),
    ]  # fmt: skip
    if not isinstance(values, str):  # which is one query, or one id
        calls += [lambda: collection.search(values), lambda: collection.get(values), lambda: collection.delete(values)]
    for call in calls:
        with pytest.raises(vecsearch.InputError):
            call()
    assert list(collection) == ["old"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": "one text"}, r"got one str; for one text: add\(\[text\]\)"),
        ({"texts": b"one text"}, r"got one bytes; for one text: add\(\[text\]\)"),
        ({"texts": {"a", "b"}}, "texts must have an order, as a list has, got a set"),
        ({"texts": TEXTS, "ids": dict.fromkeys(IDS)}, "ids must have an order, as a list has, got a dict"),
        ({"texts": iter(TEXTS), "ids": iter(IDS[:2])}, "ids must be a list of 3, one for each text, got 2"),
        ({"texts": TEXTS, "titles": ["a"]}, "titles must be a list of 3, one for each text, got 1"),
        ({"texts": np.array(TEXTS), "ids": np.arange(3)}, "position 0: a document id must be a string that is not empty, got 0"),
        ({"texts": ["a", None]}, "position 1: the text of .* must be a string, got NoneType"),
        ({"texts": ["a", float("nan")]}, "position 1: .* must be a string, got float"),
        ({"texts": ["a", "b"], "ids": ["a", None]}, "position 1: a document id .* got None"),
        ({"texts": ["a", "b"], "titles": ["a", float("nan")]}, "position 1: the title of .* must be a string, got float"),
        ({"texts": ["a", "b"], "metadatas": [None, float("nan")]}, "position 1: metadata must be a mapping .* got nan"),
        ({"texts": ["a", "b"], "metadatas": [{}, {"x": float("nan")}]}, "position 1: metadata must be JSON"),
        ({"texts": ["a", "b"], "vectors": [[1.0, 2.0], [1.0, float("nan")]]}, "NaN or infinity"),
        ({"texts": ["a", "b"], "vectors": [[1.0, 2.0], [1.0, None]]}, "NaN or infinity"),
        ({"texts": ["a"], "vectors": [[1j, 2.0]]}, "expected numbers, got complex128"),
        ({"texts": ["a"], "vectors": [["1", "2"]]}, "expected numbers"),
    ],
)
def test_what_is_wrong_with_a_column_is_named_with_its_position(
    collection: vecsearch.Collection, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(vecsearch.InputError, match=message):
        collection.add(arguments.pop("texts"), **arguments)
    assert len(collection) == 0


def test_scalars_of_numpy_are_the_values_that_they_stand_for(collection: vecsearch.Collection) -> None:
    metadata = {
        np.str_("s"): np.str_("word"), "i": np.int64(7), "u": np.uint8(200), "b": np.bool_(True), "f": np.float32(0.5),
        "list": np.array([1, 2]), "range": range(3), "deep": {"x": (np.int8(1), [np.float64(2.5)])},
    }  # fmt: skip
    collection.add(np.array(["a text"]), ids=np.array(["a"]), metadatas=[metadata])
    plain = {"s": "word", "i": 7, "u": 200, "b": True, "f": 0.5, "list": [1, 2], "range": [0, 1, 2], "deep": {"x": [1, [2.5]]}}
    assert collection.get("a")[0].metadata == plain
    assert collection.update("a", metadata={"more": np.int16(3)}).metadata == {**plain, "more": 3}
    for where in (
        {"i": np.int64(7)}, {"s": np.str_("word")}, {"b": np.bool_(True)}, {"f": np.float32(0.5)}, {"i": {"$gte": np.int32(7)}},
        {"i": {"$in": {7, 8}}}, {"i": {"$in": frozenset([7])}}, {"i": {"$in": range(9)}}, {"i": {"$in": np.arange(9)}},
        {"i": {"$nin": {1, 2}}}, {"s": {"$in": {"word": 1}.keys()}}, {"$or": [{"i": np.int64(1)}, {"i": {"$in": deque([7])}}]},
        {"list": np.array([1, 2])}, {"$not": {"i": {"$in": {1}}}}, {"i": {"$not": {"$in": {1}}}},
    ):  # fmt: skip
        assert collection.count(where) == 1, where


@pytest.mark.parametrize(
    "where", [{"i": {1, 2}}, {"i": {"$in": "ab"}}, {"i": {"$in": 5}}, {"i": {"$in": {"a": 1}}}]
)  # fmt: skip
def test_values_of_a_filter_that_mean_nothing_are_refused(collection: vecsearch.Collection, where: Any) -> None:
    with pytest.raises(vecsearch.FilterError, match="where: "):
        collection.count(where)


def test_times_of_numpy_are_stored_as_texts_not_as_numbers(collection: vecsearch.Collection) -> None:
    collection.add(["a"], ids=["timed"], metadatas=[{"when": np.datetime64("2020-01-01", "D")}])
    assert collection.get("timed")[0].metadata == {"when": "2020-01-01"}


def test_patterns_and_passwords_are_lists(collection: vecsearch.Collection, tmp_path: Path) -> None:
    for name in ("include", "exclude", "passwords"):
        with pytest.raises(vecsearch.InputError, match=f"{name} must be a list of texts, got one str"):
            collection.index([tmp_path], **{name: "*.md"})  # type: ignore[arg-type]


def test_a_table_is_no_column(collection: vecsearch.Collection) -> None:
    pandas = importlib.util.find_spec("pandas") and importlib.import_module("pandas")
    tables = [np.array([TEXTS]), *([pandas.DataFrame({"text": TEXTS})] if pandas else [])]
    for table in tables:
        with pytest.raises(vecsearch.InputError, match="texts must be one column, got a table of the shape"):
            collection.add(table)


@given(st.permutations(range(5)))
def test_labels_say_nothing_in_any_order(labels: list[int]) -> None:
    from vecsearch.api.columns import list_values

    assert list_values(LabelledSeries("abcde", labels), "letters") == list("abcde")
