"""Columns of any kind are taken by position, never by label; what has no order is refused by name."""

from __future__ import annotations

import importlib
import importlib.util
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
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
        ({"texts": ["a", "b"], "ids": ["a", float("nan")]}, "position 1: a document id .* got nan"),
        ({"texts": ["a", "b"], "titles": ["a", 1.5]}, "position 1: the title of .* must be a string, got float"),
        ({"texts": ["a", "b"], "metadatas": [None, 1.5]}, "position 1: metadata must be a mapping .* got 1.5"),
        ({"texts": ["a", "b"], "metadatas": [{}, {"x": {1, 2}}]}, "position 1: metadata must be JSON values: key 'x': got a set"),
        ({"texts": ["a", "b"], "metadatas": [{}, {"x": [float("nan")]}]}, "position 1: metadata must be JSON values"),
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


def make_gaps(values: list[Any]) -> list[tuple[str, list[Any]]]:
    """Return columns that hold a text and a gap, as tables and masks make them."""
    gaps: list[tuple[str, Any]] = [("NaN", float("nan")), ("NumPy's NaN", np.float32("nan")), ("masked", np.ma.masked)]
    if importlib.util.find_spec("pandas"):
        pandas = importlib.import_module("pandas")
        gaps += [("NA", pandas.NA), ("NaT", pandas.NaT)]
    return [(name, [*values, gap]) for name, gap in gaps]


def test_a_gap_is_none_wherever_none_is_allowed(collection: vecsearch.Collection) -> None:
    rows = FakeEncoder().encode_documents(TEXTS)
    collection.add(["a", "b"], ids=["plain", "other"])
    for name, titles in make_gaps(["a title"]):
        metadatas, payloads, vectors = ([*values, titles[1]] for values in ([{"n": 1}], [[1]], [rows[0].tolist()]))
        ids = [f"{name} {n}" for n in range(2)]
        collection.add(TEXTS[:2], ids=ids, titles=titles, metadatas=metadatas, payloads=payloads, vectors=vectors)
        first, second = collection.get(ids, include_vectors=True)
        assert (first.title, first.metadata, first.payload) == ("a title", {"n": 1}, [1])
        assert (second.title, second.metadata, second.payload) == (None, {}, None)
        assert first.vectors is not None and not second.vectors.any()
        collection.add([TEXTS[0], titles[1]], ids=[f"{key} vector" for key in ids], vectors=rows[:2])
        assert collection.get(f"{ids[1]} vector")[0].text == ""
        collection.update_many(ids, titles=[titles[1], "new"], metadatas=[titles[1], {"n": 2}], payloads=[titles[1], 2])
        first, second = collection.get(ids)
        assert (first.title, first.metadata, first.payload) == ("a title", {"n": 1}, [1])
        assert (second.title, second.metadata, second.payload) == ("new", {"n": 2}, 2)
        for column in ("texts", "ids"):
            arguments: dict[str, Any] = {"texts": ["a", "b"], "ids": ["x", "y"], column: ["x", titles[1]]}
            with pytest.raises(vecsearch.InputError, match="position 1: "):
                collection.add(**arguments)


def test_masked_numbers_are_no_numbers(collection: vecsearch.Collection) -> None:
    rows = np.ma.MaskedArray(FakeEncoder().encode_documents(TEXTS), mask=False)
    collection.add(TEXTS, ids=IDS, vectors=rows)
    rows[1, 3] = np.ma.masked
    whole = np.ma.MaskedArray(np.ones((3, 32), int), mask=[[False] * 32, [True] * 32, [False] * 32])
    for masked in (rows, whole, list(rows), tuple(whole)):
        with pytest.raises(vecsearch.InputError, match=r"holds NaN or infinity \(row 1\)"):
            collection.add(TEXTS, vectors=masked)
        with pytest.raises(vecsearch.InputError, match=r"holds NaN or infinity \(row 1\)"):
            collection.search(masked)
    assert [hit.id for hit in collection.search(rows[0], limit=1)] == ["zero"]
    with pytest.raises(vecsearch.InputError, match="holds NaN or infinity"):
        collection.search(rows[1])
    assert len(collection) == 3


def test_masked_numbers_of_an_encoder_are_no_numbers(tmp_path: Path) -> None:
    class MaskingEncoder(FakeEncoder):
        def encode_documents(self, texts: Sequence[str]) -> Any:
            rows = np.ma.MaskedArray(super().encode_documents(texts), mask=False)
            for n, text in enumerate(texts):
                if "bad" in text:
                    rows[n, 0] = np.ma.masked
            return rows

    with vecsearch.open(tmp_path / "x.vec", model=MaskingEncoder()) as collection:
        collection.add(["good"], ids=["good"])
        with pytest.raises(vecsearch.EncodingError, match=r"'bad': what the model .* gives holds NaN or infinity"):
            collection.add(["good too", "a bad one"], ids=["too", "bad"])
        assert list(collection) == ["good"]


def test_a_lazy_table_is_refused_by_name(collection: vecsearch.Collection) -> None:
    class LazyTable:
        """As polars has it: brackets take a slice alone."""

        def __getitem__(self, key: Any) -> Any:
            raise TypeError("not subscriptable (aside from slicing)")

        def __repr__(self) -> str:
            return "<lazy>"

    lazy: Any = LazyTable()
    calls: list[Callable[[], object]] = [
        lambda: collection.add(lazy), lambda: collection.add(TEXTS, ids=lazy), lambda: collection.add(TEXTS, vectors=lazy),
        lambda: collection.search(lazy), lambda: collection.embed(lazy),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(vecsearch.InputError, match=r"must be a list, .*got <lazy>"):
            call()


@pytest.mark.parametrize(
    ("time", "stored"),
    [("2024-05-01T10", "2024-05-01T10:00:00"), ("2024-05-01T10:11", "2024-05-01T10:11:00"), ("2024", "2024-01-01"),
     ("2024-05", "2024-05-01"), ("2024-05-01", "2024-05-01"), ("2024-05-01T10:11:12.5", "2024-05-01T10:11:12.500")],
)  # fmt: skip
def test_times_of_numpy_are_stored_as_times_that_filters_know(collection: vecsearch.Collection, time: str, stored: str) -> None:
    value = np.datetime64(time)
    metadata = {"when": value, "list": np.array([value]), "text": "2024-05-01T23:30:00-01:00"}
    collection.add(["a"], ids=["timed"], metadatas=[metadata])
    assert collection.get("timed")[0].metadata == {"when": stored, "list": [stored], "text": metadata["text"]}
    assert collection.count({"when": {"$gte": value, "$lte": value}, "text": {"$gt": value}}) == 1
    assert collection.count({"when": {"$lt": "2024-05-01T10:30:00+02:00"}}) == (value < np.datetime64("2024-05-01T08:30:00"))


def test_times_of_numpy_that_are_none_are_refused(collection: vecsearch.Collection) -> None:
    for value, message in (
        (np.datetime64("NaT"), "NaT"), (np.array(["2024", "NaT"], "M8[Y]"), "NaT"),
        (np.ma.MaskedArray(np.array(["2024"], "M8[D]"), mask=[True]), "NaT"), (np.datetime64(2**61, "h"), "too far away"),
    ):  # fmt: skip
        with pytest.raises(vecsearch.InputError, match=message):
            collection.add(["a"], metadatas=[{"when": value}])


class ZonedSeries:
    """As a Series of pandas is whose times have a zone: its type says that it holds times, its array holds objects."""

    dtype = np.dtype("M8[ns]")

    def __init__(self, *values: datetime) -> None:
        self.tolist = lambda: list(values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.tolist(), object)


def test_times_with_a_zone_in_a_series_are_texts(collection: vecsearch.Collection) -> None:
    collection.add(["a"], ids=["zoned"], metadatas=[{"when": ZonedSeries(datetime(2024, 5, 1, tzinfo=UTC))}])
    assert collection.get("zoned")[0].metadata == {"when": ["2024-05-01T00:00:00+00:00"]}
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(pandas.date_range("2024-05-01", periods=2, tz="US/Eastern"))
    collection.add(["a"], ids=["timed"], metadatas=[{"when": series}])
    assert collection.get("timed")[0].metadata == {"when": ["2024-05-01T00:00:00-04:00", "2024-05-02T00:00:00-04:00"]}
    with pytest.raises(vecsearch.InputError, match="NaT"):
        collection.add(["a"], metadatas=[{"when": pandas.Series([series[0], None])}])
