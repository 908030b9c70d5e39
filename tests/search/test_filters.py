"""`where` in every form, against a plain reading of its rules."""

from __future__ import annotations

import json
import sqlite3
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests import maintenance
from tests.checks import is_sound
from tests.stores.metadata_predicate import read_time, round_time
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.search.where_parser import parse_where
from vecsearch.search.where_shell import parse_shell
from vecsearch.stores.sqlite.filters.filter_sql import build_chunk_query, build_document_query

METADATA: list[dict[str, Any]] = [
    {}, {"lang": "en"}, {"lang": "de", "year": 2020}, {"lang": "en", "year": 2021.5}, {"year": "2020"}, {"lang": None},
    {"lang": True, "year": 1}, {"lang": ["en", "de"], "year": 0}, {"lang": {"code": "en"}}, {"lang.code": "fr"},
    {"lang": "English", "year": -3}, {"lang": [], "year": [2020]}, {"lang": "", "year": 10**20}, {"lang": [None, True, 1]},
    {"when": "2024-05-01"}, {"when": "2024-05-01T10:30:00Z"}, {"when": "2024-05-01T23:30:00-05:00"}, {"when": "2024-05-02 08:00"},
    {"when": "2024-13-01"}, {"when": "2024"}, {"when": "May"}, {"when": 2024}, {"at": {"when": "2023-12-31"}},
    {"lang": {"code": "en"}, "lang.code": "de"}, {"lang": {"code": {"deep": 1}}, "lang.code": [1]}, {"lang": {"code.deep": 1}},
    {"lang.code": {"deep": 1}}, {"lang": {"": {"code": 1}, "code": None}}, {"lang": [{"code": "en"}, ["en"]]}, {"lang": {}},
    {"lang": [1, 2.0]}, {"lang": [1.0, 2]}, {"lang": {"a": [2**64], "b": 1}}, {"lang": {"b": 1.0, "a": [2**64]}},
    {"year": 2**64 - 1}, {"year": 2.0**64}, {"when": "2024-05-01T10:30:00.000001Z"}, {"when": "2024-05-01T12:30:00.000001+02:00"},
    {"lang": [1, 1.0, True, 10**20, -0.0]}, {"year": -0.0}, {"year": 2**63}, {"year": -(10**400)}, {"year": 2**53 + 1},
]  # fmt: skip
VALUES = ["en", "de", "", "2020", 2020, 2021.5, 1, 0, -3, True, False, None, 10**20, -(10**400), 2.0**53, 2**63, 2**64]
KEYS = ["lang", "year", "lang.code", "lang.code.deep", "lang..code", "nothing", "when", "at.when"]
TIMES = [
    "2024-05-01",
    "2024-05-02",
    "2024-05",
    "2024",
    "2024-05-01T10:30:00+00:00",
    "2024-05-02T04:30Z",
    "2024-05-01T10:00",
    "2024-05-32",
    "2024-05-01T10:30:00.0000009Z",
]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("filters") / "f.vec")
    count = len(METADATA)
    collection.add(["text"] * count, ids=[str(n) for n in range(count)], metadatas=METADATA, vectors=np.eye(384)[:count])
    return collection


# -- the oracle


def holds(where: dict[str, Any], metadata: dict[str, Any]) -> bool:
    return all(holds_entry(key, value, metadata) for key, value in where.items())


def holds_entry(key: str, value: Any, metadata: dict[str, Any]) -> bool:
    match key:
        case "$and":
            return all(holds(clause, metadata) for clause in value)
        case "$or":
            return any(holds(clause, metadata) for clause in value)
        case "$not":
            return not holds(value, metadata)
    operators = value if isinstance(value, dict) else {"$eq": value}
    return all(holds_operator(name, operand, *find_value(key, metadata)) for name, operand in operators.items())


def find_value(key: str, metadata: dict[str, Any]) -> tuple[bool, Any]:
    if key in metadata:
        return True, metadata[key]
    value: Any = metadata
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return False, None
        value = value[part]
    return True, value


def holds_operator(name: str, operand: Any, exists: bool, value: Any) -> bool:  # noqa: PLR0911
    match name:
        case "$eq":
            return exists and is_equal(value, operand)
        case "$ne":
            return not (exists and is_equal(value, operand))
        case "$in":
            return exists and any(is_equal(value, item) for item in operand)
        case "$nin":
            return not (exists and any(is_equal(value, item) for item in operand))
        case "$exists":
            return bool(exists == operand)
        case "$not":
            return not all(holds_operator(inner, inner_operand, exists, value) for inner, inner_operand in operand.items())
        case "$contains":
            if isinstance(value, list):
                return any(is_equal(item, operand) for item in value)
            return isinstance(value, str) and isinstance(operand, str) and operand in value
    if not exists or get_kind(value) != get_kind(operand) or get_kind(value) not in ("number", "text"):
        return False
    value, operand = parse_times(value, operand)
    return bool({"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}[name])


def parse_times(value: Any, operand: Any) -> tuple[Any, Any]:
    """Parse both as the unit of the operand has them, where both can be read as times; else leave them."""
    moments = [read_time(side) if isinstance(side, str) else None for side in (value, operand)]
    if moments[0] is None or moments[1] is None:
        return value, operand
    return round_time(moments[0], operand), round_time(moments[1], operand)


def get_kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return repr(value)
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else type(value).__name__


def is_equal(left: Any, right: Any) -> bool:
    """Return whether two values are of one kind and equal; to Python [True] and [1] are equal too."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_equal(left[key], right[key]) for key in left)
    return get_kind(left) == get_kind(right) and bool(left == right)


# -- expressions

LISTS: list[Any] = [[1, 2], [2**64, 1], [1, 1, True, 10.0**20, 0]]
OBJECTS: list[Any] = [{"a": [2.0**64], "b": 1}, {"code": "en"}, {}]
singles = st.sampled_from([*VALUES, *TIMES])
values = singles | st.sampled_from(LISTS)
orderable = st.sampled_from(
    [value for value in [*VALUES, *TIMES] if isinstance(value, int | float | str) and not isinstance(value, bool)]
)
operations = st.one_of(
    st.fixed_dictionaries({"$eq": values | st.sampled_from(OBJECTS)}),
    st.fixed_dictionaries({"$ne": values | st.sampled_from(OBJECTS)}),
    *(st.fixed_dictionaries({name: orderable}) for name in ("$gt", "$gte", "$lt", "$lte")),
    st.fixed_dictionaries({"$in": st.lists(values, max_size=3)}), st.fixed_dictionaries({"$nin": st.lists(values, max_size=3)}),
    st.fixed_dictionaries({"$exists": st.booleans()}), st.fixed_dictionaries({"$contains": singles}),
    st.fixed_dictionaries({"$gte": orderable, "$lte": orderable}),
)  # fmt: skip
conditions = st.dictionaries(
    st.sampled_from(KEYS), values | operations | st.fixed_dictionaries({"$not": operations}), min_size=1, max_size=2
)
wheres = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"$not": inner}),
    ),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(where=wheres)
def test_a_filter_finds_exactly_the_documents_it_holds_for(collection: vecsearch.Collection, where: dict[str, Any]) -> None:
    expected = {str(n) for n, metadata in enumerate(METADATA) if holds(where, metadata)}
    assert {hit.id for hit in collection.search(np.ones(384), limit=100, where=where)} == expected
    assert {document.id for document in collection.get(where=where)} == expected
    assert collection.count(where) == len(expected)


HOSTILE = ["x') OR 1 --", "; DROP TABLE chunks", "a' 'b", "%?*"]


@settings(max_examples=200, deadline=None)
@given(where=wheres, word=st.sampled_from(HOSTILE))
def test_no_key_or_value_is_ever_part_of_the_sql(where: dict[str, Any], word: str) -> None:
    """The statement depends on the shape of a filter alone, whatever words stand in it."""

    def replace_words(value: Any) -> Any:
        match value:
            case dict():
                return {key if key.startswith("$") else word + key: replace_words(inner) for key, inner in value.items()}
            case list():
                return [replace_words(inner) for inner in value]
        return word + value if isinstance(value, str) and read_time(value) is None else value

    plain, hostile = (parse_where(expression) for expression in (where, replace_words(where)))
    if plain is None or hostile is None:
        return
    for build_query in (build_chunk_query, build_document_query):
        assert build_query(plain, 1).text == build_query(hostile, 1).text
        assert word not in build_query(hostile, 1).text


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"year": {"$near": 3}}, r"\$near"), ({"$xor": []}, r"\$xor"), ({"$and": []}, r"\$and"), ({"year": {}}, "year"),
        ({"year": {"$gt": None}}, r"\$gt"), ({"year": {"$gt": True}}, r"\$gt"), ({"year": {"$in": 3}}, r"\$in"),
        ({"year": float("nan")}, "finite"), ({"year": object()}, "JSON"), ({"$year": 1}, r"\$\$name"), (["year"], "mapping"),
        ({"year": {"$exists": "yes"}}, r"\$exists"), ({3: 1}, "string"),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused(collection: vecsearch.Collection, where: Any, message: str) -> None:
    with pytest.raises(vecsearch.FilterError, match=message):
        collection.search(np.ones(384), where=where)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lang=en"], {"lang": {"$eq": "en"}}), (["year>=20"], {"year": {"$gte": 20}}), (["a!=true"], {"a": {"$ne": True}}),
        (["a<1.5"], {"a": {"$lt": 1.5}}), (["a = b = c"], {"a": {"$eq": "b = c"}}), (['a="2020"'], {"a": {"$eq": "2020"}}),
        (["a=1", "b=2"], {"$and": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}), (['{"a": {"$in": [1]}}'], {"a": {"$in": [1]}}),
        (["a="], {"a": {"$eq": ""}}), (["a=null"], {"a": {"$eq": None}}), ([], None),
    ],
)  # fmt: skip
def test_the_shell_s_forms(arguments: list[str], expected: Any) -> None:
    assert parse_shell(arguments) == expected


def test_four_digits_in_the_shell_are_a_number_and_the_year_of_a_time(collection: vecsearch.Collection) -> None:
    at = [metadata.get("when") for metadata in METADATA]
    for sign, years in ((">=2024", (2024,)), ("<2024", ()), ("<=2024", (2024,)), (">2023", (2024,))):
        found = [document.metadata["when"] for document in collection.get(where=parse_shell([f"when{sign}"]))]
        assert sorted(map(str, found)) == sorted(
            str(when)
            for when in at
            if years and (when == 2024 or (isinstance(when, str) and when.startswith("2024") and read_time(when)))
        )
    assert collection.count(parse_shell(["when>=2024-05", "when<=2024-05"])) == sum(
        isinstance(when, str) and read_time(when) is not None and when.startswith("2024-05") for when in at
    )


@pytest.mark.parametrize("argument", ["lang", "=en", '{"a": ', '{"a": {"$near": 1}}'])
def test_the_shell_names_what_it_cannot_read(argument: str, tmp_path: Path, shell: Any) -> None:
    (tmp_path / "a.txt").write_text("one")
    shell("index", "a.txt")
    result = shell("search", "one", "--where", argument)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Error: ")
    assert "where" in result.err


def test_dates_of_python_are_bounds_too(collection: vecsearch.Collection) -> None:
    dates = [document.metadata["when"] for document in collection.get(where={"when": {"$gte": date(2024, 5, 2)}})]
    assert "2024-05-01T23:30:00-05:00" in dates and "2024-05-02 08:00" in dates
    noon = datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))  # 10:00 in UTC
    assert collection.count({"$and": [{"when": {"$gt": noon}}, {"when": {"$lt": datetime(2024, 5, 1, 11)}}]}) == 3


def test_k_rows_come_back_whenever_k_rows_match(tmp_path: Path) -> None:
    """The rows that match lie far from the query: no candidate list reaches them."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(5_000, 384)) + np.eye(384)[0] * 5
    rows[:30] = random.normal(size=(30, 384)) - np.eye(384)[0] * 5
    with vecsearch.open(tmp_path / "x.vec") as collection:
        metadatas = [{"rare": n < 30, "often": n % 2 == 0} for n in range(5_000)]
        collection.add(["text"] * 5_000, vectors=rows, metadatas=metadatas, ids=[str(n) for n in range(5_000)])
        collection.optimize()
        for where, expected in (({"rare": True}, 30), ({"often": True}, 2_500), ({"rare": True, "often": True}, 15), ({}, 5_000)):
            assert len(collection.search(np.eye(384)[0], where=where, limit=5_000)) == expected
            assert len(collection.search(np.eye(384)[0], where=where, limit=12)) == 12


def test_a_filter_takes_thousands_of_values(collection: vecsearch.Collection) -> None:
    many = [*(f"no{n}" for n in range(5_000)), *range(5_000, 9_000), "en", 1]
    assert collection.count({"lang": {"$in": many}}) == sum(metadata.get("lang") == "en" for metadata in METADATA)
    assert collection.count({"lang": {"$nin": many}}) == sum(metadata.get("lang") != "en" for metadata in METADATA)


def time_texts() -> st.SearchStrategy[str]:
    """Draw days and moments of a few weeks, with every offset that SQLite and Python both read."""
    moments = st.builds(
        lambda day, minute: datetime(2024, 2, 20) + timedelta(day, minutes=minute), st.integers(0, 25), st.integers(0, 1439)
    )
    offsets = st.builds(
        lambda sign, hour, minute: f"{sign}{hour:02}:{minute:02}",
        st.sampled_from("+-"),
        st.integers(0, 13),
        st.sampled_from([0, 30, 59]),
    )
    ends = st.one_of(st.just(""), st.just("Z"), offsets)
    return st.one_of(
        moments.map(lambda moment: moment.date().isoformat()),
        st.sampled_from(["2024", "2024-02", "2024-03", "2023", "2023-12", "2025-01", "0001", "9999-12", "2024-13", "9999"]),
        st.builds(lambda moment, end: moment.isoformat(timespec="minutes") + end, moments, ends),
        st.sampled_from(
            [
                "0001-01-01",
                "0001-01-02T00:00Z",
                "9999-12-31",
                "9999-12-30T23:59",
                "2023-12-31T23:00-05:00",
                "2024-02-29 no day",
                "A",
                "~",
                "",
            ]
        ),
    )


@pytest.fixture(scope="module")
def dated_collection(tmp_path_factory: pytest.TempPathFactory) -> tuple[vecsearch.Collection, list[str]]:
    """Make a collection of documents with a time each."""
    texts: list[str] = []

    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    @given(text=time_texts())
    def gather(text: str) -> None:
        texts.append(text)

    gather()
    collection = vecsearch.open(tmp_path_factory.mktemp("dated") / "d.vec")
    ids = [str(n) for n in range(len(texts))]
    collection.add(
        ["text"] * len(texts), ids=ids, metadatas=[{"when": text} for text in texts], vectors=np.ones((len(texts), 384))
    )
    return collection, texts


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), bound=time_texts())
def test_times_compare_as_times_on_both_sides_of_every_offset(
    dated_collection: tuple[vecsearch.Collection, list[str]], name: str, bound: str
) -> None:
    collection, texts = dated_collection
    expected = [text for text in texts if holds_operator(name, bound, True, text)]
    assert sorted(document.metadata["when"] for document in collection.get(where={"when": {name: bound}})) == sorted(expected)


# -- what is looked up follows what is written

keys = st.sampled_from(["a", "b", "a.b", "a.b.c", "c", ""])
scalars = st.sampled_from([None, True, False, 0, 1, 1.0, -1, 1.5, 10**20, "", "x", "xy", "2024-05-01"])
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
metadatas = st.dictionaries(keys, json_values, max_size=4)
writes = st.lists(
    st.tuples(st.sampled_from(["add", "replace", "update", "delete"]), st.integers(0, 4), metadatas), min_size=1, max_size=8
)


@settings(max_examples=40, deadline=None)
@given(writes=writes)
def test_filters_follow_every_write(tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, int, Any]]) -> None:
    folder = tmp_path_factory.mktemp("writes") / "w.vec"
    documents: dict[str, dict[str, Any]] = {}
    with vecsearch.open(folder) as collection:
        collection.add(["text"], ids=["other"], vectors=np.ones((1, 384)))
        for operation, number, metadata in writes:
            key = str(number)
            if operation in ("add", "replace") and (operation == "replace" or key not in documents):
                rows = np.eye(384)[number][np.newaxis]
                collection.add(["text"], ids=[key], metadatas=[metadata], vectors=rows, on_conflict="replace")
                documents[key] = metadata
            elif operation == "update" and key in documents:
                collection.update(key, metadata=metadata)
                merged_metadata = {**documents[key], **metadata}
                documents[key] = {
                    name: merged_metadata[name]
                    for name in merged_metadata
                    if merged_metadata[name] is not None or name not in metadata
                }
            elif operation == "delete" and key in documents:
                collection.delete(key)
                del documents[key]
        for name in ("a", "a.b", "a.b.c", "b", "c", ""):
            for condition in ({"$exists": True}, {"$eq": 1}, {"$gte": 0}, {"$contains": "x"}, {"$contains": 1}, {"$ne": "x"}):
                expected = {key for key, metadata in {**documents, "other": {}}.items() if holds({name: condition}, metadata)}
                assert {document.id for document in collection.get(where={name: condition})} == expected
    assert is_sound(folder)


def test_documents_of_many_chunks_are_found_whole(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "m.vec") as collection:
        texts = [" ".join(f"word{n} of a long text." for n in range(400)), "short"]
        collection.add(texts, ids=["long", "short"], metadatas=[{"long": True}, {"long": False}])
        chunks = len(collection.get("long")[0].chunks)
        assert chunks > 2
        for where, expected in (
            ({"long": True}, chunks),
            ({"long": {"$ne": False}}, chunks),
            ({"long": {"$exists": True}}, chunks + 1),
        ):
            assert len(collection.search("text", where=where, limit=100)) == expected


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM metadata_index WHERE key = 'n'", "UPDATE metadata_index SET value = -2 WHERE document_id = 1 AND key = 'n'",
        "UPDATE metadata_index SET document_id = 3 WHERE document_id = 1", "UPDATE documents SET metadata = '{}' WHERE id = 1",
        "INSERT INTO metadata_index VALUES (1, 'n', 4, 'x', 1)",
    ],
)  # fmt: skip
def test_the_doctor_notices_facts_that_are_not_the_metadata(tmp_path: Path, damage: str) -> None:
    with vecsearch.open(tmp_path / "d.vec") as collection:
        collection.add(["a", "b"], metadatas=[{"n": -1, "tags": ["x", "y"]}, {}], vectors=np.eye(384)[:2])
        collection.optimize()
    assert maintenance.check(tmp_path / "d.vec") == []
    with sqlite3.connect(tmp_path / "d.vec" / DATABASE_FILE) as connection:
        connection.execute(damage)
    connection.close()
    (finding,) = maintenance.check(tmp_path / "d.vec")
    assert finding.severity is vecsearch.Severity.ERROR
    assert "what filters look up is not the metadata of" in finding.what


def test_a_collection_that_goes_takes_its_facts_along(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with vecsearch.open(tmp_path / "c.vec", collection=name) as collection:
            collection.add(["a"], metadatas=[{"n": 1}], vectors=np.ones((1, 384)))
    maintenance.delete_collection(tmp_path / "c.vec", "one")
    with vecsearch.open(tmp_path / "c.vec", collection="two") as collection:
        assert collection.count({"n": 1}) == 1
    connection = sqlite3.connect(tmp_path / "c.vec" / DATABASE_FILE)
    assert connection.execute("SELECT count(*) FROM metadata_index").fetchone() == (1,)
    connection.close()


def test_filters_are_the_same_in_every_mode_and_in_the_shell(tmp_path: Path, shell: Any) -> None:
    lines = [json.dumps({"id": str(n), "text": f"bats fly at dusk, {n}", "even": n % 2 == 0, "n": n}) for n in range(20)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    shell("index", "x.jsonl")
    for mode in ("dense", "lexical", "hybrid"):
        result = shell("search", "bats", "--mode", mode, "--where", "even=true", "--where", "n>=10", "-n", 50, "--json")
        assert {hit["id"] for hit in json.loads(result.out)["hits"]} == {"10", "12", "14", "16", "18"}
